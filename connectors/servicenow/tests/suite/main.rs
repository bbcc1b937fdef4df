//! The client against bytes on a socket: every answer here is written by hand from the wire contract.

mod catalog;
mod changes;
mod choices;
mod errors;
mod fixtures;
mod people;
mod probes;
mod queries;
mod responder;
mod table;
mod tokens;
mod transport;
