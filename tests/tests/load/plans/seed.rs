//! A large past, and in it what has not ended, or not well.

use sea_orm::DatabaseConnection;
use tests::past::{self, Past};
use uuid::Uuid;

/// 1,000,000 jobs, 300,000 requests and what comes with them. Most have ended; 2,000 tickets are open, 20,000 jobs dead, 1,000
/// parked; a backlog waits for an instance that is away.
pub(super) async fn a_large_past(conn: &DatabaseConnection) {
    let past = Past {
        jobs: 1_000_000,
        attempts: 600_000,
        events: 600_000,
        audit_entries: 600_000,
        idempotency_keys: 200_000,
        connection: "elsewhere",
        ..Past::of(300_000)
    };
    past::fill(conn, &past, &UNFINISHED).await;
}

/// One of the dead ones.
pub(super) fn a_dead_job() -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_7000_9000_0000_0000_0000 + 10_000)
}

const UNFINISHED: [&str; 8] = [
    "UPDATE requests SET state = 'cancelled', closed_as = 'cancelled' WHERE substr(external_id, 3)::int % 50 = 3",
    "UPDATE requests SET state = 'denied', closed_as = 'denied' WHERE substr(external_id, 3)::int % 20 = 1",
    "UPDATE requests SET attention = 'looked at' WHERE substr(external_id, 3)::int % 10000 = 7",
    "UPDATE requests SET category = 'task' WHERE substr(external_id, 3)::int % 1000 = 0",
    "UPDATE requests SET state = 'open', watched = true, closed_at = NULL, closed_as = NULL, \
     created_at = timestamptz '2026-03-01' + substr(external_id, 3)::int * interval '0.1 seconds' \
     WHERE substr(external_id, 3)::int % 150 = 0",
    "UPDATE tickets SET connection = 'elsewhere' FROM requests WHERE requests.id = tickets.request_id AND watched",
    "UPDATE jobs SET lane = CASE n % 3 WHEN 0 THEN 'create-ticket@elsewhere' WHEN 1 THEN 'ticket-status@elsewhere' ELSE 'update-status@elsewhere' END, \
     state = CASE WHEN n <= 3000 THEN 'due' WHEN n <= 3500 THEN 'rung' WHEN n <= 3700 THEN 'running' WHEN n <= 4700 THEN 'parked' \
     WHEN n <= 24700 THEN 'dead' ELSE 'cancelled' END, \
     due_at = CASE WHEN n <= 1500 THEN timestamptz '2100-01-01' ELSE due_at END, \
     rung_at = CASE WHEN n BETWEEN 3001 AND 3500 THEN due_at END, \
     lease_owner = CASE WHEN n > 3500 THEN lease_owner END, \
     finished_at = CASE WHEN n > 4700 THEN finished_at END \
     FROM (SELECT id AS numbered, substr(dedup_key, 8)::int AS n FROM jobs) AS numbers WHERE id = numbered AND n <= 30000",
    "INSERT INTO processes (id, kind, host, version, lanes, started_at, heartbeat_at, lease_until) \
     VALUES ('elsewhere-1', 'worker', 'host-1', '0.1.0', '[]', '2020-01-01', '2020-01-01', '2100-01-01')",
];
