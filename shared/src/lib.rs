//! What scheduler and worker have in common: the nouns of the bridge, its configuration, its queue and its store.
//!
//! `alert`, `choices`, `request`, `ticket`, `job`, `event`, `retry`, `state_map`, `route` and `template` are pure: no I/O, and they import
//! nothing but each other. `queue` carries doorbells, `store` is the only place that writes SQL.

pub mod alert;
pub mod budget;
pub mod checkup;
pub mod choices;
pub mod clock;
pub mod config;
pub mod crash;
pub mod degraded;
pub mod drift;
pub mod event;
pub mod figures;
pub mod job;
pub mod operator;
pub mod password;
pub mod process;
pub mod queue;
pub mod request;
pub mod retry;
pub mod route;
pub mod server;
pub mod state_map;
pub mod store;
pub mod telemetry;
pub mod template;
pub mod ticket;
pub mod webhook;
