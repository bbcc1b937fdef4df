//! What sources are told.
//!
//! PostgreSQL hands out `seq` before the commit, so rows become visible out of its order. There, `position` is given to
//! rows that are already committed, when the feed is read. SQLite has one writer; `seq` is the order of commits.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, json_binary, text, timestamp_with_time_zone, uuid,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("events")
                    .col(big_integer("seq").auto_increment().primary_key())
                    .col(big_integer_null("position"))
                    .col(text("source"))
                    .col(uuid("request_id"))
                    .col(json_binary("body"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("events", "request_id")
                            .to("requests", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &[
                "CREATE INDEX events_source ON events (source, seq)",
                "CREATE UNIQUE INDEX events_feed ON events (source, position)",
                "CREATE INDEX events_unplaced ON events (seq) WHERE position IS NULL",
                "CREATE INDEX events_request ON events (request_id)",
            ],
        )
        .await?;
        if manager.get_database_backend() == sea_orm::DbBackend::Postgres {
            crate::run(manager, &["CREATE SEQUENCE events_position"]).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["events"]).await?;
        if manager.get_database_backend() == sea_orm::DbBackend::Postgres {
            crate::run(manager, &["DROP SEQUENCE events_position"]).await?;
        }
        Ok(())
    }
}
