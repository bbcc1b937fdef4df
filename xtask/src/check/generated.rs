//! The generated files must be what the program prints now.

use std::fs;

use super::Outcome;
use crate::failure::Failure;
use crate::{environment, generate};

pub(super) fn check() -> Result<Outcome, Failure> {
    let mut wrong = Vec::new();
    for (path, subject) in generate::FILES {
        let printed = generate::print(subject)?;
        match fs::read(environment::root().join(path)) {
            Ok(kept) if kept == printed => {}
            Ok(_) => wrong.push(format!("{path} is not what the program prints now")),
            Err(error) => wrong.push(format!("{path}: {error}")),
        }
    }
    Ok(if wrong.is_empty() {
        Outcome::Passed(generate::FILES.map(|(path, _)| path).join(", "))
    } else {
        wrong.push("run `cargo xtask generate` and look at the difference".to_owned());
        Outcome::Failed(wrong.join("\n"))
    })
}
