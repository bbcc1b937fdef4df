use std::fmt;

use serde::Serialize;

/// One thing that is wrong with the configuration. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where the value comes from: a file, a `TICKETBRIDGE__…` variable, `command line` or `defaults`.
    pub at: String,
    /// The key, such as `connections.main.base_url`. Empty when the whole file is meant.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => writeln!(f, "{}", self.at)?,
            key => writeln!(f, "{key} ({})", self.at)?,
        }
        writeln!(f, "    {}", self.problem)?;
        write!(f, "    fix: {}", self.fix)
    }
}

/// Everything that is wrong with the configuration, in the order of its keys; at least one problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "the configuration has a problem:")?,
            count => write!(f, "the configuration has {count} problems:")?,
        }
        self.0
            .iter()
            .try_for_each(|problem| write!(f, "\n\n{problem}"))
    }
}

impl std::error::Error for Problems {}
