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
    /// 7: the API refused; its problem is the text.
    Refused(String),
}

impl Failure {
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Configuration(_) => 3,
            Self::NotFound(_) => 4,
            Self::Unreachable(_) => 5,
            Self::Unhealthy => 6,
            Self::Refused(_) => 7,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) | Self::Unreachable(error) => write!(f, "{error:#}"),
            Self::Configuration(text) | Self::NotFound(text) | Self::Refused(text) => {
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
