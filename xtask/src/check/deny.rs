//! Licences, sources, duplicates and known vulnerabilities of what we depend on, by cargo-deny.

use std::process::Stdio;

use super::{Options, Outcome, judge};
use crate::environment;
use crate::failure::{During, Failure};
use crate::terminal;

const INSTALL: [&str; 3] = ["install", "--locked", "cargo-deny"];

/// Everything that can be judged without the network. The advisories are a database elsewhere.
const OFFLINE_CHECKS: [&str; 3] = ["bans", "licenses", "sources"];

/// Where cargo-deny is missing, a person may go on without it, but is told; a CI run that leaves
/// a check out would be green for the wrong reason, so there it is a failure.
pub(super) fn check(options: Options) -> Result<Outcome, Failure> {
    if !is_installed()? {
        if !options.install {
            return Ok(missing());
        }
        terminal::say(&format!("cargo {}", INSTALL.join(" ")));
        if let Outcome::Failed(_) = judge(environment::cargo().args(INSTALL))? {
            return Ok(Outcome::Failed(
                "cargo-deny could not be installed".to_owned(),
            ));
        }
    }
    let mut command = environment::cargo();
    command.args(["deny", "--workspace", "check"]);
    if !options.offline {
        return judge(&mut command);
    }
    Ok(match judge(command.args(OFFLINE_CHECKS))? {
        Outcome::Passed(_) => Outcome::Passed("advisories left out: --offline".to_owned()),
        other => other,
    })
}

fn is_installed() -> Result<bool, Failure> {
    let status = environment::cargo()
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .during("starting cargo")?;
    Ok(status.success())
}

fn missing() -> Outcome {
    let text = format!(
        "cargo-deny is not installed: `cargo {}`, or `cargo xtask check --install`",
        INSTALL.join(" ")
    );
    if environment::is_ci() {
        Outcome::Failed(text)
    } else {
        Outcome::Skipped(text)
    }
}
