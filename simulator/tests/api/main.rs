//! The instance over real HTTP, as a client sees it.

mod admin;
mod bodies;
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
