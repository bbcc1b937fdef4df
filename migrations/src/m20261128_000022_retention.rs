//! How far each kind of old rows has been looked through, and where the feed of each source begins since old events were removed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text, text_null, timestamp_with_time_zone_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("retention_walks")
                    .col(text("kind").primary_key())
                    .col(text_null("position"))
                    .col(timestamp_with_time_zone_null("next_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("feed_starts")
                    .col(text("source").primary_key())
                    .col(big_integer("place"))
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &[
                "INSERT INTO retention_walks (kind) VALUES ('jobs'), ('attempts'), ('events'), ('requests'), ('audit'), \
                 ('partitions')",
                // Before a request is removed it is asked whether a key still names it.
                "CREATE INDEX idempotency_keys_request ON idempotency_keys (request_id)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &["DROP INDEX idempotency_keys_request"]).await?;
        crate::drop_tables(manager, &["feed_starts", "retention_walks"]).await
    }
}
