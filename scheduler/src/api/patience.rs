//! How long a call may wait for something to happen.

use std::time::Duration;

use utoipa::IntoParams;

use super::query::Params;

/// Longest wait of one call: proxies cut what is silent for longer.
pub(crate) const LONGEST: Duration = Duration::from_mins(1);
const USUAL: u64 = 30;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the form of the query for the document; the operation reads the query itself"
)]
pub(crate) struct PatienceParam {
    /// Longest wait, in seconds.
    #[param(minimum = 1, maximum = 60, default = 30)]
    timeout_seconds: Option<u64>,
}

/// Reads `timeout_seconds`.
pub(crate) fn patience(params: &mut Params) -> Duration {
    let range = 1..=LONGEST.as_secs();
    Duration::from_secs(params.number("timeout_seconds", range, USUAL))
}
