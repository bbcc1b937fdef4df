//! The names of all metrics, in one place: dashboards depend on them.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Runs of jobs that ended. Labels: `kind`, `outcome`.
pub const JOBS_TOTAL: &str = "ticketbridge_jobs_total";
/// Runs of jobs that ended, by what they met: the class of the error, `ok` when they ended well. Labels: `kind`, `class`.
pub const ATTEMPTS_TOTAL: &str = "ticketbridge_attempts_total";
/// How long runs took. Labels: `kind`, `outcome`.
pub const JOB_DURATION_SECONDS: &str = "ticketbridge_job_duration_seconds";
/// Jobs in SQL. Labels: `lane`, `state`.
pub const JOBS: &str = "ticketbridge_jobs";
/// Age of the oldest job that is due and that no worker has. Label: `lane`.
pub const OLDEST_DUE_SECONDS: &str = "ticketbridge_oldest_due_seconds";
/// How long ago the last reading of a table came to its end. Label: `cadence`.
pub const CADENCE_AGE_SECONDS: &str = "ticketbridge_cadence_age_seconds";
/// Claims that found nothing to claim: a doorbell that rang twice. No label.
pub const CLAIMS_LOST_TOTAL: &str = "ticketbridge_claims_lost_total";
/// Jobs taken from workers that fell silent. No label.
pub const JOBS_RECLAIMED_TOTAL: &str = "ticketbridge_jobs_reclaimed_total";
/// Handlers that panicked. No label.
pub const HANDLER_PANICS_TOTAL: &str = "ticketbridge_handler_panics_total";
/// Age of the last heartbeat. No label.
pub const HEARTBEAT_AGE_SECONDS: &str = "ticketbridge_heartbeat_age_seconds";

/// 1 while an alert of the bridge's own fires, else 0. Labels: `alert`, `severity`.
pub const ALERT_FIRING: &str = "ticketbridge_alert_firing";

/// Doorbells that wait in the broker. Label: `lane`.
pub const QUEUE_DEPTH: &str = "ticketbridge_queue_depth";
/// Doorbells that were rung again because nobody answered. Label: `lane`.
pub const RUNG_AGAIN_TOTAL: &str = "ticketbridge_rung_again_total";
/// Elements of a lane that are no doorbells. Label: `lane`.
pub const BAD_DOORBELLS_TOTAL: &str = "ticketbridge_bad_doorbells_total";

/// Requests that came in. Labels: `source`, `result`.
pub const REQUESTS_TOTAL: &str = "ticketbridge_requests_total";
/// Deliveries to sources. Labels: `source`, `outcome`.
pub const CALLBACKS_TOTAL: &str = "ticketbridge_callbacks_total";
/// Age of the news when a source heard them. Label: `source`.
pub const CALLBACK_AGE_SECONDS: &str = "ticketbridge_callback_age_seconds";

/// Calls to ServiceNow. Labels: `connection`, `method`, `class`.
pub const SERVICENOW_CALLS_TOTAL: &str = "ticketbridge_servicenow_calls_total";
/// How long they took. Label: `connection`.
pub const SERVICENOW_CALL_SECONDS: &str = "ticketbridge_servicenow_call_seconds";
/// `X-RateLimit-Limit` of the last answer. Label: `connection`.
pub const RATE_LIMIT: &str = "ticketbridge_rate_limit_limit";
/// `X-RateLimit-Reset` of the last answer, Unix time. Label: `connection`.
pub const RATE_LIMIT_RESET: &str = "ticketbridge_rate_limit_reset";
/// Calls left of the hour of the tightest known rule; NaN while none is known. Label: `connection`.
pub const BUDGET_LEFT: &str = "ticketbridge_budget_left";
/// Calls at a time that the instance is believed to bear, over all workers. Label: `connection`.
pub const IN_FLIGHT_LIMIT: &str = "ticketbridge_in_flight_limit";
/// Calls under way, of all workers. Label: `connection`.
pub const IN_FLIGHT: &str = "ticketbridge_in_flight";
/// Until when the budget lets nobody call, Unix time; 0 when it does. Label: `connection`.
pub const THROTTLED_UNTIL_SECONDS: &str = "ticketbridge_throttled_until_seconds";
/// For how long the budget let nobody call. Label: `connection`.
pub const THROTTLED_SECONDS_TOTAL: &str = "ticketbridge_throttled_seconds_total";
/// Until when a connection is held back, Unix time; 0 when it is not. Label: `connection`; and `table`, when it is one of it.
pub const CONNECTION_HELD_UNTIL_SECONDS: &str = "ticketbridge_connection_held_until_seconds";
/// Days until the credential dies, as far as known. Label: `connection`.
pub const CREDENTIAL_DAYS_LEFT: &str = "ticketbridge_credential_days_left";
/// Log-ins, refreshing a token among them, that the instance refused. Label: `connection`.
pub const CREDENTIAL_REFUSED_TOTAL: &str = "ticketbridge_credential_refused_total";
/// Creates without a clean answer, which a read had to settle. No label.
pub const AMBIGUOUS_CREATES_TOTAL: &str = "ticketbridge_ambiguous_creates_total";
/// Second tickets that were not made because the first was found. No label.
pub const DUPLICATES_SUPPRESSED_TOTAL: &str = "ticketbridge_duplicates_suppressed_total";

/// Tickets and rows that comparisons with the instance looked at. Labels: `connection`, `table`.
pub const DRIFT_CHECKED_TOTAL: &str = "ticketbridge_drift_checked_total";
/// Differences that they found. Labels: `connection`, `table`.
pub const DRIFT_FOUND_TOTAL: &str = "ticketbridge_drift_found_total";
/// Missed changes that they read. Labels: `connection`, `table`.
pub const DRIFT_REPAIRED_TOTAL: &str = "ticketbridge_drift_repaired_total";

/// Entries of the state map of a route that do not fit the choice lists of the instance, so that tickets go wrong; NaN while it cannot be
/// told. Label: `route`.
pub const CHOICE_DRIFT: &str = "ticketbridge_choice_drift";

/// Rows that were removed because they were old. Label: `kind`.
pub const RETENTION_REMOVED_TOTAL: &str = "ticketbridge_retention_removed_total";

/// Writes the descriptions that stand in `/metrics` into the installed recorder.
pub(super) fn describe() {
    describe_jobs();
    describe_queue();
    describe_servicenow();
}

fn describe_jobs() {
    describe_counter!(JOBS_TOTAL, "Runs of jobs that ended");
    describe_counter!(ATTEMPTS_TOTAL, "Runs of jobs, by what they met");
    describe_gauge!(
        CADENCE_AGE_SECONDS,
        Unit::Seconds,
        "How long ago the last reading came to its end"
    );
    describe_histogram!(
        JOB_DURATION_SECONDS,
        Unit::Seconds,
        "How long runs of jobs took"
    );
    describe_gauge!(JOBS, "Jobs in SQL");
    describe_gauge!(
        OLDEST_DUE_SECONDS,
        Unit::Seconds,
        "Age of the oldest job that is due"
    );
    describe_counter!(CLAIMS_LOST_TOTAL, "Claims that found nothing to claim");
    describe_counter!(
        JOBS_RECLAIMED_TOTAL,
        "Jobs taken from workers that fell silent"
    );
    describe_gauge!(ALERT_FIRING, "1 while an alert of the bridge fires");
    describe_counter!(HANDLER_PANICS_TOTAL, "Handlers that panicked");
    describe_gauge!(
        HEARTBEAT_AGE_SECONDS,
        Unit::Seconds,
        "Age of the last heartbeat"
    );
}

fn describe_queue() {
    describe_gauge!(QUEUE_DEPTH, "Doorbells that wait in the broker");
    describe_counter!(
        RUNG_AGAIN_TOTAL,
        "Doorbells rung again because nobody answered"
    );
    describe_counter!(
        BAD_DOORBELLS_TOTAL,
        "Elements of a lane that are no doorbells"
    );
    describe_counter!(REQUESTS_TOTAL, "Requests that came in");
    describe_counter!(
        RETENTION_REMOVED_TOTAL,
        "Rows removed because they were old"
    );
    describe_counter!(CALLBACKS_TOTAL, "Deliveries to sources");
    describe_histogram!(
        CALLBACK_AGE_SECONDS,
        Unit::Seconds,
        "Age of the news when a source heard them"
    );
}

fn describe_servicenow() {
    describe_counter!(SERVICENOW_CALLS_TOTAL, "Calls to ServiceNow");
    describe_histogram!(
        SERVICENOW_CALL_SECONDS,
        Unit::Seconds,
        "How long calls to ServiceNow took"
    );
    describe_gauge!(RATE_LIMIT, "Calls an hour that the instance allows");
    describe_gauge!(
        RATE_LIMIT_RESET,
        Unit::Seconds,
        "When the count begins anew, Unix time"
    );
    describe_gauge!(BUDGET_LEFT, "Calls left of the hour of the tightest rule");
    describe_gauge!(
        IN_FLIGHT_LIMIT,
        "Calls at a time that the instance is believed to bear"
    );
    describe_gauge!(IN_FLIGHT, "Calls under way, of all workers");
    describe_gauge!(
        THROTTLED_UNTIL_SECONDS,
        Unit::Seconds,
        "Until when the budget lets nobody call, Unix time"
    );
    describe_counter!(
        THROTTLED_SECONDS_TOTAL,
        Unit::Seconds,
        "For how long the budget let nobody call"
    );
    describe_gauge!(
        CONNECTION_HELD_UNTIL_SECONDS,
        Unit::Seconds,
        "Until when a connection is held back, Unix time"
    );
    describe_gauge!(CREDENTIAL_DAYS_LEFT, "Days until the credential dies");
    describe_counter!(
        CREDENTIAL_REFUSED_TOTAL,
        "Log-ins that the instance refused"
    );
    describe_counter!(AMBIGUOUS_CREATES_TOTAL, "Creates without a clean answer");
    describe_counter!(
        DUPLICATES_SUPPRESSED_TOTAL,
        "Second tickets that were not made"
    );
    describe_counter!(DRIFT_CHECKED_TOTAL, "Tickets compared with the instance");
    describe_counter!(DRIFT_FOUND_TOTAL, "Differences that were found");
    describe_counter!(DRIFT_REPAIRED_TOTAL, "Missed changes that were read");
    describe_gauge!(
        CHOICE_DRIFT,
        "Entries of a state map that do not fit the choice lists"
    );
}
