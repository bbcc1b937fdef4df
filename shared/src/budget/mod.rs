//! The budget of calls to an instance, shared by all workers (ARCHITECTURE.md, "Budget").
//!
//! Three things bound the calls of a connection: the silence that a 429 asks for, the calls that are left of an hour, and how
//! many may be under way at a time. None of them is known beforehand; all are learned from answers. That is why no rate-limit
//! crate is used: governor and the GCRA scripts for Redis pace calls to a quota that somebody configured, know neither a window
//! that the server names nor a reserve for some of the callers, and cannot be told "nobody before 10:00".
//!
//! [`State`] is the whole decision, without I/O. [`Ledger`] keeps one for each connection: in the process, or in Redis, where a
//! script takes the same steps. [`Budget`] is the side of a process: it gathers what its jobs want into one step.

mod desk;
mod memory;
mod redis;
mod state;
mod step;

use async_trait::async_trait;

pub use desk::{Budget, BudgetPermit, Standing, Terms, Throttled};
pub use memory::MemoryLedger;
pub use redis::RedisLedger;
pub use state::{Holder, Quiet, State, Window};
pub use step::{Answer, Call, Class, Report, Step, Taken, Verdict, Want, Why};

/// Keeps the states, by connection. It cannot fail: what cannot be reached is replaced by what this process knows itself.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Takes one step in the state of a connection.
    async fn step(&self, connection: &str, step: Step) -> Taken;
}
