//! The instance over real HTTP, as a client sees it.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]
#![expect(
    clippy::needless_pass_by_value,
    reason = "json! literals read best when handed over"
)]

mod admin;
mod attachments;
mod batch;
mod bodies;
mod catalog;
mod client;
mod faults;
mod headers;
mod imports;
mod knobs;
mod neighbours;
mod oauth;
mod paging;
mod queries;
mod rights;
mod shapes;
mod smoke;
mod stats;
mod tickets;
mod webhooks;
mod writes;
