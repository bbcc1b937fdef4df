//! Ways to break the bridge on purpose, one module for each mode of `cargo xtask chaos`. Each has `Arguments` (its options) and
//! `run(&Arguments) -> anyhow::Result<Verdict>`.

pub mod points;
pub mod processes;
pub mod recovery;
pub mod soak;

/// How a mode ended.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What was counted, as a table for people.
    pub table: String,
    /// Whether every promise was kept.
    pub holds: bool,
}
