//! Rows as they lie in the tables. Private to the store: outside it there are only requests, tickets, jobs, …

pub(super) mod attempts;
pub(super) mod audit_entries;
pub(super) mod cadences;
pub(super) mod circuits;
pub(super) mod credentials;
pub(super) mod cursors;
pub(super) mod drift_reports;
pub(super) mod jobs;
pub(super) mod notes;
pub(super) mod operators;
pub(super) mod processes;
pub(super) mod requests;
pub(super) mod source_tokens;
pub(super) mod switches;
pub(super) mod table_facts;
pub(super) mod tickets;
