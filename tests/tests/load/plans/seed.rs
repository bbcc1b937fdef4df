//! Years of work, in a minute.

use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use uuid::Uuid;

/// Tables that only grow.
pub(super) const LARGE: [&str; 7] = [
    "jobs",
    "requests",
    "tickets",
    "attempts",
    "events",
    "audit_entries",
    "idempotency_keys",
];

/// 1,000,000 jobs, 300,000 requests and what comes with them. Most have ended; 2,000 tickets are open, 20,000 jobs dead, 1,000
/// parked; a backlog waits for an instance that is away.
pub(super) async fn a_large_past(conn: &DatabaseConnection) {
    for statement in STATEMENTS {
        conn.execute_unprepared(statement)
            .await
            .unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
}

/// One of the dead ones.
pub(super) fn a_dead_job() -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_7000_9000_0000_0000_0000 + 10_000)
}

/// Keys and indexes are checked and built after the rows are there: one by one takes many times as long.
const STATEMENTS: [&str; 13] = [
    "CREATE TABLE built_later AS SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' \
     AND indexname NOT IN (SELECT conname FROM pg_constraint) AND tablename IN \
     ('jobs', 'requests', 'tickets', 'attempts', 'events', 'audit_entries', 'idempotency_keys')",
    "DO $$ DECLARE it text; BEGIN FOR it IN SELECT indexname FROM built_later LOOP \
     EXECUTE 'DROP INDEX ' || it; END LOOP; END $$",
    "INSERT INTO requests (id, source, external_id, route, category, item, requester, requested_for, asked, asked_originally, \
     state, attention, has_callback, watched, version, created_at, updated_at, closed_at) \
     SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, CASE WHEN n % 10 = 0 THEN 'hr' ELSE 'idm' END, \
     'R-' || n, 'r' || n % 20, CASE WHEN n % 1000 = 0 THEN 'task' ELSE 'c' || n % 20 END, 'Role ' || n % 500, \
     'person-' || n % 3000, 'person-' || n % 3000, \
     '{\"external_id\":\"R\",\"category\":\"access\",\"item\":\"Role\",\"requester\":\"dana.manager\",\"requested_for\":\"joon.park\",\"priority\":3}', \
     '{\"external_id\":\"R\",\"category\":\"access\",\"item\":\"Role\",\"requester\":\"dana.manager\",\"requested_for\":\"joon.park\",\"priority\":3}', \
     CASE WHEN n % 150 = 0 THEN 'open' WHEN n % 20 = 1 THEN 'denied' WHEN n % 50 = 3 THEN 'cancelled' ELSE 'fulfilled' END, \
     CASE WHEN n % 10000 = 7 THEN 'looked at' END, true, n % 150 = 0, 4, \
     CASE WHEN n % 150 = 0 THEN timestamptz '2026-03-01' + n * interval '0.1 seconds' ELSE timestamptz '2020-01-01' + n * interval '5 minutes' END, timestamptz '2020-01-02' + n * interval '5 minutes', \
     CASE WHEN n % 150 <> 0 THEN timestamptz '2020-01-02' + n * interval '5 minutes' END FROM generate_series(1, 300000) AS n",
    "INSERT INTO tickets (request_id, connection, kind, kind_name, table_name, sys_id, correlation_id, in_servicenow, number, \
     created_at, updated_at) \
     SELECT id, CASE WHEN watched THEN 'elsewhere' ELSE 'main' END, 'table', 'incident', 'incident', md5(external_id), id::text, true, \
     'INC' || external_id, created_at, updated_at FROM requests",
    "INSERT INTO jobs (id, kind, lane, connection, request_id, payload, state, priority, due_at, rung_at, attempts, lease_owner, \
     lease_token, worker_deaths, dedup_key, again, created_at, updated_at, finished_at) \
     SELECT ('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, 'create_ticket.v1', \
     CASE n % 3 WHEN 0 THEN 'create-ticket@elsewhere' WHEN 1 THEN 'ticket-status@elsewhere' ELSE 'update-status@elsewhere' END, \
     'elsewhere', ('00000000-0000-7000-8000-' || lpad(to_hex(n % 300000 + 1), 12, '0'))::uuid, '{}', \
     CASE WHEN n <= 3000 THEN 'due' WHEN n <= 3500 THEN 'rung' WHEN n <= 3700 THEN 'running' WHEN n <= 4700 THEN 'parked' \
     WHEN n <= 24700 THEN 'dead' WHEN n <= 30000 THEN 'cancelled' ELSE 'done' END, 2, \
     CASE WHEN n <= 1500 THEN timestamptz '2100-01-01' ELSE timestamptz '2020-01-01' + n * interval '1 minute' END, \
     CASE WHEN n BETWEEN 3001 AND 3500 THEN timestamptz '2020-01-01' + n * interval '1 minute' END, 1, \
     CASE WHEN n > 3500 THEN 'elsewhere-1' END, 1, 0, 'create:' || n, false, \
     timestamptz '2020-01-01' + n * interval '1 minute', timestamptz '2020-01-02' + n * interval '1 minute', \
     CASE WHEN n > 4700 THEN timestamptz '2020-01-02' + n * interval '1 minute' END FROM generate_series(1, 1000000) AS n",
    "INSERT INTO attempts (id, job_id, request_id, number, token, worker, started_at, finished_at, outcome, calls) \
     SELECT ('00000000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid, ('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, \
     ('00000000-0000-7000-8000-' || lpad(to_hex(n % 300000 + 1), 12, '0'))::uuid, 1, 1, 'elsewhere-1', timestamptz '2020-01-01' + n * interval '1 minute', \
     timestamptz '2020-01-01' + n * interval '1 minute', 'done', '[]' FROM generate_series(1, 600000) AS n",
    "INSERT INTO events (position, source, request_id, body, created_at) \
     SELECT nextval('events_position'), CASE WHEN n % 10 = 0 THEN 'hr' ELSE 'idm' END, ('00000000-0000-7000-8000-' || lpad(to_hex(n % 300000 + 1), 12, '0'))::uuid, \
     '{\"type\":\"request.accepted\",\"timestamp\":\"2020-01-01T00:00:00Z\",\"data\":{\"id\":\"00000000-0000-7000-8000-000000000001\",\"external_id\":\"R-1\",\"state\":\"accepted\",\"reason\":null,\"attention\":null,\"version\":1,\"may_ask_again\":false,\"ticket\":null}}', \
     timestamptz '2020-01-01' + n * interval '1 minute' FROM generate_series(1, 600000) AS n",
    "INSERT INTO audit_entries (at, actor, action, subject_kind, subject_id, detail) \
     SELECT timestamptz '2020-01-01' + n * interval '1 minute', 'source:idm', 'request.accepted', 'request', \
     '00000000-0000-7000-8000-' || lpad(to_hex(n % 300000 + 1), 12, '0'), 'null' FROM generate_series(1, 600000) AS n",
    "INSERT INTO idempotency_keys (source, idempotency_key, fingerprint, request_id, created_at) \
     SELECT 'idm', 'key-' || n, '\\x00', ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, timestamptz '2099-01-01' FROM generate_series(1, 300000) AS n",
    "INSERT INTO processes (id, kind, host, version, lanes, started_at, heartbeat_at, lease_until) \
     VALUES ('elsewhere-1', 'worker', 'host-1', '0.1.0', '[]', '2020-01-01', '2020-01-01', '2100-01-01')",
    "DO $$ DECLARE it text; BEGIN FOR it IN SELECT indexdef FROM built_later LOOP EXECUTE it; END LOOP; END $$",
    "DROP TABLE built_later",
    // What autovacuum does by and by.
    "VACUUM ANALYZE",
];
