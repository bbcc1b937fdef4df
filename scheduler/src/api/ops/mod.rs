//! The operator API under `/v1/ops`: what the console and the command line use, and nothing else.

pub(crate) mod audit;
pub(crate) mod cadences;
pub(crate) mod caller;
pub(crate) mod cookie;
pub(crate) mod export;
pub(crate) mod history;
pub(crate) mod job_view;
pub(crate) mod list_jobs;
pub(crate) mod list_requests;
pub(crate) mod login;
pub(crate) mod new_operation;
pub(crate) mod operation_view;
pub(crate) mod operations;
pub(crate) mod overview;
pub(crate) mod queues;
pub(crate) mod search;
pub(crate) mod session;
pub(crate) mod show_job;
pub(crate) mod show_request;
pub(crate) mod table;
pub(crate) mod why;
pub(crate) mod workers;
