//! A stateful, faithful ServiceNow for tests and demonstrations.
//!
//! It speaks the REST API of a real instance as wire contract 16 describes it, stores rows in
//! memory, and can be made to fail in every way that contract lists. It shares no types with the
//! connector that is tested against it. See `README.md` for the knobs and the `/_sim` endpoint.
//!
//! ```no_run
//! # async fn example() -> Result<(), simulator::SimError> {
//! use simulator::{CallFilter, Options, Simulator};
//!
//! let instance = Simulator::start(Options::for_tests()).await?;
//! // … point a client at `instance.base_url()` …
//! assert_eq!(instance.count(&CallFilter::kind_on("table.create", "incident")), 0);
//! instance.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod admin;
mod attachment;
mod auth;
mod batch;
mod catalog;
mod clock;
mod dice;
/// No part of the interface: tests and fuzz targets look at how queries are understood.
#[doc(hidden)]
pub mod encoded_query;
mod faults;
mod http;
mod import;
mod knobs;
mod lock;
mod log;
mod query;
mod refusal;
mod scorecards;
mod seed;
mod shape;
mod sim;
mod simulator;
mod stats;
mod table_api;
mod tinyurl;
mod webhook;
mod world;
mod xmatters;

pub use clock::Clock;
pub use faults::{BadKnobs, Fault};
pub use knobs::{
    AbortRule, AuthKind, AuthText, BasicRestriction, Canned, ConnectionDrop, DropWhen, DupSysId,
    FieldAcl, Hibernate, Knobs, LiteralZone, QueryAcl, Quota, QuotaForm, RateLimit, RowAcl,
    Semaphore, UnknownField, Webhook,
};
pub use log::{CallFilter, CallRecord};
pub use simulator::{Options, RowMap, SimError, Simulator, run};
pub use webhook::{WebhookCounts, WebhookTarget};
pub use world::agent::AgentAction;
