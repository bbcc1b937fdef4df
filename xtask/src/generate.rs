//! Files that the program writes about itself, kept in the repository so that they can be read
//! and compared without building anything.

use std::fs;
use std::process::Stdio;

use crate::environment;
use crate::failure::{During, Failure};
use crate::terminal;

/// Each file with the `ticketbridge generate` subcommand that prints it.
pub(crate) const FILES: [(&str, &str); 2] = [
    ("docs/openapi.json", "openapi"),
    ("docs/config.schema.json", "config-schema"),
];

/// Writes all generated files.
pub(crate) fn write() -> Result<(), Failure> {
    for (path, subject) in FILES {
        let text = print(subject)?;
        fs::write(environment::root().join(path), text).during(path)?;
        terminal::say(&format!("wrote {path}"));
    }
    Ok(())
}

/// What the program prints about a subject, as it is in the source now.
pub(crate) fn print(subject: &str) -> Result<Vec<u8>, Failure> {
    let output = environment::cargo()
        .args(["run", "--quiet", "--package", "ticketbridge", "--"])
        .args(["generate", subject])
        .stderr(Stdio::inherit())
        .output()
        .during("cargo run")?;
    if !output.status.success() || output.stdout.is_empty() {
        return Err(Failure::broken(format!(
            "`ticketbridge generate {subject}` printed nothing to compare ({})",
            output.status
        )));
    }
    Ok(output.stdout)
}
