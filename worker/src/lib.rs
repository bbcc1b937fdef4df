//! The worker: takes doorbells, claims jobs, runs their handlers and writes what came of it (ARCHITECTURE.md, "Delivery").

mod attention;
pub mod checkup;
mod connections;
mod context;
pub mod credentials;
pub mod decisions;
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
mod limits;
mod outcome;
mod rotation;
mod run;
pub mod runtime;
mod silences;
mod start;
mod throttle;
mod trace;

pub use connections::{Connection, Connections, client};
pub use context::{Context, Parts};
pub use dispatch::ring;
pub use lease::LeaseWatch;
pub use start::start;
