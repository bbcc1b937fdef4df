//! Why a task stopped, with the exit code that tells the reasons apart.

use std::process::ExitStatus;

/// The exit code for wrong usage and for programs that are missing.
pub(crate) const USAGE_CODE: u8 = 2;

/// A message for the person at the terminal and the exit code of the task.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    /// Something that should work did not.
    pub(crate) fn broken(message: impl Into<String>) -> Self {
        Self {
            code: 1,
            message: message.into(),
        }
    }

    /// The command line is wrong, or the machine lacks a program.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            code: USAGE_CODE,
            message: message.into(),
        }
    }
}

/// The exit code of a program, to be passed on; a program that a signal has ended failed.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1)
}

/// Says what was being done when an operating-system call failed.
pub(crate) trait During<T> {
    fn during(self, what: &str) -> Result<T, Failure>;
}

impl<T> During<T> for std::io::Result<T> {
    fn during(self, what: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::broken(format!("{what}: {error}")))
    }
}
