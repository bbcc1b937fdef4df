//! Years of finished work, in a minute: written by PostgreSQL itself, with indexes built at the end.

use sea_orm::{ConnectionTrait as _, DatabaseConnection, TransactionTrait as _};
use shared::store::retention::{MONTHLY, ensure_months};

/// Tables that only grow.
pub const LARGE: [&str; 7] = [
    "jobs",
    "requests",
    "tickets",
    "attempts",
    "events",
    "audit_entries",
    "idempotency_keys",
];

/// How many rows there are of each kind, numbered from 1. A request has one ticket; the others belong to requests in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// Requests, all fulfilled; their numbers are in their ids and in `external_id` (`R-17`).
    pub requests: usize,
    /// Jobs, all done; their numbers are in their ids and in `dedup_key` (`create:17`).
    pub jobs: usize,
    /// Runs of the first jobs.
    pub attempts: usize,
    /// Events, all of them in the feed.
    pub events: usize,
    /// Entries of the audit trail.
    pub audit_entries: usize,
    /// Idempotency keys of the youngest requests, one each, that are not old enough to be removed.
    pub idempotency_keys: usize,
    /// Connection of the jobs; that of the tickets is `main`.
    pub connection: &'static str,
}

impl Past {
    /// What is left of so many requests whose tickets were made and closed.
    pub fn of(requests: usize) -> Self {
        Self {
            requests,
            jobs: requests,
            attempts: requests,
            events: 3 * requests,
            audit_entries: 3 * requests,
            idempotency_keys: 0,
            connection: "main",
        }
    }
}

/// Fills a migrated PostgreSQL database that holds nothing yet, then does what autovacuum does by and by. The statements of `besides`
/// change single rows before the indexes are built.
///
/// # Panics
/// When a statement is refused.
pub async fn fill(conn: &DatabaseConnection, past: &Past, besides: &[&str]) {
    make_months(conn).await;
    let rows = rows(past);
    let all = BEFORE
        .into_iter()
        .chain(rows.iter().map(String::as_str))
        .chain(besides.iter().copied())
        .chain(AFTER);
    for statement in all {
        conn.execute_unprepared(statement)
            .await
            .unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
}

/// Attempts and audit entries are of 2025 and 2026.
async fn make_months(conn: &DatabaseConnection) {
    let january = "2025-01-01T00:00:00Z".parse().expect("a moment");
    let tx = conn.begin().await.expect("a transaction");
    for monthly in MONTHLY {
        let made = ensure_months(&tx, monthly, january, 13).await;
        made.expect("months can be made");
    }
    tx.commit().await.expect("months can be made");
}

/// Indexes are built after the rows are there: one by one takes many times as long.
const BEFORE: [&str; 2] = [
    "CREATE TABLE built_later AS SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' \
     AND indexname NOT IN (SELECT conname FROM pg_constraint) AND tablename IN \
     ('jobs', 'requests', 'tickets', 'attempts', 'events', 'audit_entries', 'idempotency_keys')",
    "DO $$ DECLARE it text; BEGIN FOR it IN SELECT indexname FROM built_later LOOP \
     EXECUTE 'DROP INDEX ' || it; END LOOP; END $$",
];

const AFTER: [&str; 3] = [
    // The definition of an index over partitions leaves them out.
    "DO $$ DECLARE it text; BEGIN FOR it IN SELECT replace(indexdef, ' ON ONLY ', ' ON ') FROM built_later LOOP EXECUTE it; END LOOP; END $$",
    "DROP TABLE built_later",
    "VACUUM ANALYZE",
];

/// Foreign keys hold by construction: to look each of them up takes longer than to write the rows.
const UNCHECKED: &str = "SET LOCAL session_replication_role = replica; ";

fn rows(past: &Past) -> [String; 7] {
    let all = past.requests;
    let of_request = id("8000", &format!("(n - 1) % {all} + 1"));
    [
        requests(all),
        tickets(),
        jobs(past.jobs, past.connection, &of_request),
        attempts(past.attempts, past.jobs, &of_request),
        events(past.events, &of_request),
        audit_entries(past.audit_entries, &of_request),
        idempotency_keys(past.idempotency_keys, all, &of_request),
    ]
}

fn requests(count: usize) -> String {
    let asked = r#"'{"external_id":"R","category":"access","item":"Role","requester":"dana.manager","requested_for":"joon.park","priority":3}'"#;
    let (id, at) = (id("8000", "n"), at(count));
    format!(
        "INSERT INTO requests (id, source, external_id, route, category, item, requester, requested_for, asked, asked_originally, \
         state, has_callback, watched, version, created_at, updated_at, closed_at, closed_as) \
         SELECT {id}::uuid, CASE WHEN n % 10 = 0 THEN 'hr' ELSE 'idm' END, 'R-' || n, 'r' || n % 20, 'c' || n % 20, 'Role ' || n % 500, \
         'person-' || n % 3000, 'person-' || n % 3000, {asked}, 'null', 'fulfilled', true, false, 4, \
         {at}, {at} + interval '1 day', {at} + interval '1 day', 'fulfilled' FROM generate_series(1, {count}) AS n"
    )
}

fn tickets() -> String {
    format!(
        "{UNCHECKED}INSERT INTO tickets (request_id, connection, kind, kind_name, table_name, sys_id, correlation_id, in_servicenow, \
         number, remote_state, mod_count, remote_updated_on, written_version, created_at, updated_at) \
         SELECT id, 'main', 'table', 'incident', 'incident', md5(external_id), id::text, true, 'INC' || external_id, '7', 4, \
         to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), version, created_at, updated_at FROM requests"
    )
}

fn jobs(count: usize, connection: &str, of_request: &str) -> String {
    let (id, at) = (id("9000", "n"), at(count));
    format!(
        "INSERT INTO jobs (id, kind, lane, connection, request_id, payload, state, priority, due_at, attempts, lease_owner, \
         lease_token, worker_deaths, dedup_key, again, first_started_at, created_at, updated_at, finished_at) \
         SELECT {id}::uuid, 'create_ticket.v1', 'create-ticket@{connection}', '{connection}', {of_request}::uuid, \
         jsonb_build_object('request_id', {of_request}), 'done', 2, {at}, 1, 'elsewhere-1', 1, 0, 'create:' || n, false, {at}, \
         {at}, {at} + interval '1 second', {at} + interval '1 second' FROM generate_series(1, {count}) AS n"
    )
}

fn attempts(count: usize, jobs: usize, of_request: &str) -> String {
    let (of_job, at) = (id("9000", &format!("(n - 1) % {jobs} + 1")), lately(count));
    // The month of a run is in its id.
    let id = format!(
        "(lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0') || '7000a000' || lpad(to_hex(n), 12, '0'))"
    );
    format!(
        "INSERT INTO attempts (id, job_id, request_id, number, token, worker, started_at, finished_at, outcome, calls) \
         SELECT {id}::uuid, {of_job}::uuid, {of_request}::uuid, 1, 1, 'elsewhere-1', {at}, {at} + interval '1 second', 'done', \
         '[{{\"method\":\"POST\",\"path\":\"/api/now/table/incident\",\"status\":201,\"class\":\"ok\",\"transaction_id\":null,\"duration_ms\":12}}]' \
         FROM generate_series(1, {count}) AS n"
    )
}

fn events(count: usize, of_request: &str) -> String {
    let at = at(count);
    format!(
        "{UNCHECKED}INSERT INTO events (position, source, request_id, body, created_at) \
         SELECT nextval('events_position'), CASE WHEN n % 10 = 0 THEN 'hr' ELSE 'idm' END, {of_request}::uuid, \
         '{{\"type\":\"request.accepted\",\"timestamp\":\"2020-01-01T00:00:00Z\",\"data\":{{\"id\":\"00000000-0000-7000-8000-000000000001\",\"external_id\":\"R-1\",\"state\":\"accepted\",\"reason\":null,\"attention\":null,\"version\":1,\"may_ask_again\":false,\"ticket\":null}}}}', \
         {at} FROM generate_series(1, {count}) AS n"
    )
}

fn audit_entries(count: usize, of_request: &str) -> String {
    let at = lately(count);
    format!(
        "INSERT INTO audit_entries (at, actor, action, subject_kind, subject_id, detail) \
         SELECT {at}, 'source:idm', 'request.accepted', 'request', {of_request}, 'null' FROM generate_series(1, {count}) AS n"
    )
}

fn idempotency_keys(count: usize, requests: usize, of_request: &str) -> String {
    let first = requests.saturating_sub(count) + 1;
    format!(
        "{UNCHECKED}INSERT INTO idempotency_keys (source, idempotency_key, fingerprint, request_id, created_at) \
         SELECT 'idm', 'key-' || n, '\\x00', {of_request}::uuid, timestamptz '2099-01-01' FROM generate_series({first}, {requests}) AS n"
    )
}

/// Text of the id number `n`, which sorts by the number as real ones do by their time.
fn id(kind: &str, n: &str) -> String {
    format!("('00000000-0000-7000-{kind}-' || lpad(to_hex({n}), 12, '0'))")
}

/// When the row number `n` of so many was made: they are spread over five years, all of them over by now.
fn at(count: usize) -> String {
    let count = count.max(1);
    format!("(timestamptz '2020-01-01' + n * (interval '5 years' / {count}))")
}

/// The same for what is kept for months: spread over little more than a year.
fn lately(count: usize) -> String {
    let count = count.max(1);
    format!("(timestamptz '2025-01-01' + n * (interval '416 days' / {count}))")
}
