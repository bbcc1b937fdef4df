//! Fewer index entries for each change. PostgreSQL writes a new entry into every index of a table when a change touches a column
//! that any of them names: so none names the state of a request, and what has ended is found by `closed_as`, which is written once.
//!
//! A key of a job is held until it is finished. Said by its states, PostgreSQL took the index of keys for the shortest way to any
//! job in one of them: after a quiet night its statistics know of none, and each claim walked through the whole backlog.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text_null;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .alter_table(
                Table::alter()
                    .table("requests")
                    .add_column(text_null("closed_as"))
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &[
                "UPDATE requests SET closed_as = state WHERE closed_at IS NOT NULL",
                "DROP INDEX requests_state",
                "CREATE INDEX requests_ended ON requests (closed_as, created_at, id) WHERE closed_as IS NOT NULL",
                "DROP INDEX events_feed",
                "DROP INDEX jobs_dedup",
                "CREATE UNIQUE INDEX jobs_dedup ON jobs (dedup_key) WHERE finished_at IS NULL",
            ],
        )
        .await?;
        if manager.get_database_backend() == sea_orm::DbBackend::Postgres {
            return crate::run(manager, &POSTGRES_UP).await;
        }
        crate::run(manager, &["DROP INDEX events_unplaced"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == sea_orm::DbBackend::Postgres {
            crate::run(manager, &POSTGRES_DOWN).await?;
        } else {
            let unplaced = "CREATE INDEX events_unplaced ON events (seq) WHERE position IS NULL";
            crate::run(manager, &[unplaced]).await?;
        }
        crate::run(
            manager,
            &[
                "CREATE UNIQUE INDEX events_feed ON events (source, position)",
                "DROP INDEX jobs_dedup",
                "CREATE UNIQUE INDEX jobs_dedup ON jobs (dedup_key) WHERE state IN ('due', 'rung', 'running', 'parked')",
                "DROP INDEX requests_ended",
                "CREATE INDEX requests_state ON requests (state, created_at, id)",
            ],
        )
        .await?;
        manager
            .alter_table(
                Table::alter()
                    .table("requests")
                    .drop_column("closed_as")
                    .to_owned(),
            )
            .await
    }
}

/// A row that finds room in its page for its next version needs no new index entry. Events name requests that are stored by the
/// same transaction, or were held by it; SQLite, which reads the feed by `seq`, cannot drop the key.
const POSTGRES_UP: [&str; 5] = [
    "CREATE UNIQUE INDEX events_feed ON events (source, position) WHERE position IS NOT NULL",
    "DROP INDEX events_source",
    "ALTER TABLE events DROP CONSTRAINT events_request_id_fkey",
    "ALTER TABLE requests SET (fillfactor = 60)",
    "ALTER TABLE tickets SET (fillfactor = 60)",
];

const POSTGRES_DOWN: [&str; 5] = [
    "DROP INDEX events_feed",
    "CREATE INDEX events_source ON events (source, seq)",
    "ALTER TABLE events ADD CONSTRAINT events_request_id_fkey FOREIGN KEY (request_id) REFERENCES requests (id) ON DELETE CASCADE",
    "ALTER TABLE requests RESET (fillfactor)",
    "ALTER TABLE tickets RESET (fillfactor)",
];
