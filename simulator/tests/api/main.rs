//! The instance over real HTTP, as a client sees it.

mod client;
mod smoke;
