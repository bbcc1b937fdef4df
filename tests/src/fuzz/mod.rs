//! The bodies of the fuzz targets in `fuzz/`. Their corpus runs with the tests (`tests/tests/model/corpus.rs`).
//!
//! Each takes any bytes and panics when a promise is broken.

mod encoded_query;
mod intake_json;
mod servicenow_json;
mod webhook_signature;

pub use encoded_query::encoded_query;
pub use intake_json::intake_json;
pub use servicenow_json::servicenow_json;
pub use webhook_signature::webhook_signature;

/// A target takes the input of one run.
pub type Target = fn(&[u8]);

/// Every target and its name, which is the name of its binary and of its corpus.
pub const TARGETS: [(&str, Target); 4] = [
    ("encoded_query", encoded_query),
    ("intake_json", intake_json),
    ("servicenow_json", servicenow_json),
    ("webhook_signature", webhook_signature),
];
