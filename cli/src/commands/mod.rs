//! One command a file.

pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod audit_verify;
pub(crate) mod cadences;
pub(crate) mod check;
pub(crate) mod connections;
pub(crate) mod doctor;
pub(crate) mod drift;
pub(crate) mod generate;
pub(crate) mod health;
pub(crate) mod jobs;
pub(crate) mod migrate;
pub(crate) mod operations;
pub(crate) mod operator;
pub(crate) mod queues;
pub(crate) mod requests;
pub(crate) mod routes;
pub(crate) mod scheduler;
pub(crate) mod simulator;
pub(crate) mod token;
pub(crate) mod up;
pub(crate) mod worker;
pub(crate) mod workers;
