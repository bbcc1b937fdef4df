//! What a check of a connection found, step by step, each with its fix (N14), without I/O.

use serde::{Deserialize, Serialize};

/// What a step found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Not tried: a step before it failed, or there was nothing to try it on.
    Skipped,
    /// It works, but somebody should look.
    Warning,
    /// It does not work.
    Bad,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What was looked at: a connection, or a table of it (`main/incident`).
    pub part: String,
    /// What was tried.
    pub tried: String,
    /// How it went.
    pub verdict: Verdict,
    /// What was found, in words, without secrets.
    pub found: String,
    /// What to do; empty when nothing is to be done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fix: String,
}

impl Verdict {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }

    /// The worst of these; what was skipped by itself says nothing.
    pub fn worst(steps: &[Step]) -> Self {
        let verdicts = steps.iter().map(|step| step.verdict);
        verdicts
            .filter(|verdict| *verdict != Self::Skipped)
            .max()
            .unwrap_or(Self::Good)
    }
}

impl Step {
    /// A step with its fix.
    pub fn new(
        part: &str,
        tried: &str,
        verdict: Verdict,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            part: part.to_owned(),
            tried: tried.to_owned(),
            verdict,
            found: found.into(),
            fix: fix.into(),
        }
    }
}
