//! Installs Debian packages, never silently and never without being root.

use std::path::Path;
use std::process::{Command, Stdio};

use super::account;
use crate::failure::{During, Failure};
use crate::terminal;

/// Installs the packages with apt, or stops with the exact command when that is not for us to do.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
    let list = packages.join(" ");
    if !Path::new("/etc/debian_version").exists() {
        return Err(Failure::usage(format!(
            "missing on this machine: {list} (the names of the Debian packages). Install \
             redis-server 7 or later, the PostgreSQL server programs (initdb, postgres) and a C \
             compiler with this system's package manager, see to it that they are in PATH, and \
             start again"
        )));
    }
    if !account::is_root()? {
        return Err(Failure::usage(format!(
            "missing on this machine: {list}. Install them and start again:\n\n    \
             sudo apt-get update && sudo apt-get install -y --no-install-recommends {list}\n"
        )));
    }
    terminal::say(&format!("missing on this machine: {list}; installing:"));
    apt(&["update"])?;
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments)
}

fn apt(arguments: &[&str]) -> Result<(), Failure> {
    let line = format!("apt-get {}", arguments.join(" "));
    terminal::say(&line);
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .status()
        .during(&line)?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::usage(format!("`{line}` failed ({status})")))
}
