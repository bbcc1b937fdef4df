use schemars::JsonSchema;
use serde::Deserialize;

/// `[queue]`: how doorbells travel.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueSettings {
    /// Inside one process, or through Redis.
    pub kind: QueueKind,
    /// Doorbells kept ready in a lane; the rest waits in SQL.
    #[schemars(range(min = 1, max = 100_000))]
    pub window: u64,
}

/// What carries doorbells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueKind {
    /// Inside one process: `up`, `demo`.
    Memory,
    /// Between processes, through `[redis]`.
    Redis,
}
