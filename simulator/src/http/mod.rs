//! From socket to answer: reading calls, everything that can happen to them, writing answers.

pub(crate) mod answer;
pub(crate) mod call;
pub(crate) mod connection;
pub(crate) mod gate;
mod headers;
pub(crate) mod media;
pub(crate) mod pipeline;
pub(crate) mod rate;
pub(crate) mod routes;
mod serve;
pub(crate) mod sessions;
pub(crate) mod spoil;
mod storm;

pub(crate) use serve::router;
