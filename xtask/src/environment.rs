//! The only file that reads the environment of the process.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Set by `cargo run` for the program it starts. A cargo started by that program must not see
/// them: build scripts that watch them would run again, and half the tree with them.
const SET_BY_CARGO_RUN: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];

/// A developer's own settings of the product must not reach its tests, except for the folder of
/// fixtures, which is meant for them.
const PRODUCT_SETTINGS: &str = "TICKETBRIDGE_";
const FIXTURES: &str = "TICKETBRIDGE_FIXTURES";

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// The folders of `PATH`, in order.
pub(crate) fn search_path() -> Vec<PathBuf> {
    env::var_os("PATH").map_or_else(Vec::new, |path| env::split_paths(&path).collect())
}

/// Whether this runs where nobody reads along.
pub(crate) fn is_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// The C compiler that was asked for, when one was.
pub(crate) fn c_compiler() -> Option<OsString> {
    env::var_os("CC").filter(|value| !value.is_empty())
}

/// Whether somebody already decided about colours.
pub(crate) fn colour_is_decided() -> bool {
    env::var_os("NO_COLOR").is_some() || env::var_os("CARGO_TERM_COLOR").is_some()
}

/// The cargo that runs this task, so that its toolchain is kept.
pub(crate) fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A cargo at the root of the workspace; see [`at_root`].
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(cargo_program());
    at_root(&mut command);
    command
}

/// Lets a command run at the root of the workspace, without input and without the variables that
/// belong to this process only.
pub(crate) fn at_root(command: &mut Command) {
    command.current_dir(root()).stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let is_setting = text.starts_with(PRODUCT_SETTINGS) && text != FIXTURES;
        if is_setting || SET_BY_CARGO_RUN.iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
}
