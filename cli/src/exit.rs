//! How a command ends: one place decides the exit code.

use std::fmt;
use std::process::ExitCode;

/// Why a command did not do what was asked. Each kind has its exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 1: it failed while running.
    Failed(anyhow::Error),
    /// 3: the configuration has problems.
    Configuration(String),
    /// 4: what was asked for is not there.
    NotFound(String),
    /// 5: a server or database cannot be reached.
    Unreachable(anyhow::Error),
    /// 6: a check found something to mend; what, is printed already.
    Unhealthy,
    /// 7: the API refused.
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its problem.
        text: String,
    },
}

impl Failure {
    /// Whether the same call may go through a little later: nobody answered, or the answer was about the moment.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { status, .. } => {
                matches!(status, 408 | 409 | 412 | 425 | 429 | 500..)
            }
            _ => false,
        }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Configuration(_) => 3,
            Self::NotFound(_) => 4,
            Self::Unreachable(_) => 5,
            Self::Unhealthy => 6,
            Self::Refused { .. } => 7,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) | Self::Unreachable(error) => f.write_str(&chain(error)),
            Self::Configuration(text) | Self::NotFound(text) | Self::Refused { text, .. } => {
                f.write_str(text)
            }
            Self::Unhealthy => Ok(()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// The error and its causes, each text once: some errors tell their cause themselves.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_told_once() {
        let error = anyhow::anyhow!("disk full")
            .context("cannot write: disk full")
            .context("no backup");
        assert_eq!(chain(&error), "no backup: cannot write: disk full");
    }
}
