//! The instance over real HTTP, as a client sees it.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]
#![expect(
    clippy::needless_pass_by_value,
    reason = "json! literals read best when handed over"
)]

mod admin;
mod bodies;
mod catalog;
mod client;
mod faults;
mod headers;
mod knobs;
mod oauth;
mod paging;
mod queries;
mod rights;
mod shapes;
mod smoke;
mod tickets;
mod writes;
