//! The worker: takes doorbells, claims jobs, runs their handlers and writes what came of it (ARCHITECTURE.md, "Delivery").

mod attention;
mod connections;
mod context;
mod dispatch;
mod effects;
mod fault;
mod follow;
mod gather;
mod health;
pub mod heartbeat;
mod jobs;
mod lanes;
mod lease;
mod outcome;
mod run;
pub mod runtime;
mod start;
mod trace;

pub use connections::{Connection, Connections};
pub use context::{Context, Parts};
pub use dispatch::ring;
pub use lease::LeaseWatch;
pub use start::start;
