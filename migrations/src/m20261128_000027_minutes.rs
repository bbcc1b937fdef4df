//! What was done in each minute, for the charts: `minutes` says which minutes are folded, `figures` holds what came of them by lane, and
//! the same for quarters of an hour and hours. Nothing is written here while a job runs.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, json_binary, small_integer, text, timestamp_with_time_zone,
    timestamp_with_time_zone_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("minutes")
                    .col(timestamp_with_time_zone("minute").primary_key())
                    .col(timestamp_with_time_zone_null("counted_at"))
                    .col(timestamp_with_time_zone_null("folded_at"))
                    .col(timestamp_with_time_zone_null("settled_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("figures")
                    .col(small_integer("width"))
                    .col(text("lane"))
                    .col(timestamp_with_time_zone("begins_at"))
                    .col(small_integer("minutes"))
                    .col(big_integer("created"))
                    .col(big_integer("tickets"))
                    .col(big_integer("attempts"))
                    .col(big_integer("done"))
                    .col(big_integer("dead"))
                    .col(big_integer("cancelled"))
                    .col(big_integer("parked"))
                    .col(big_integer("retried"))
                    .col(json_binary("latency"))
                    .col(json_binary("calls"))
                    .col(big_integer_null("waiting"))
                    .col(big_integer_null("oldest_ms"))
                    .primary_key(Index::create().col("width").col("lane").col("begins_at"))
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &[
                "CREATE INDEX minutes_unsettled ON minutes (minute) WHERE settled_at IS NULL",
                "CREATE INDEX figures_begins ON figures (begins_at)",
                // Whoever holds it folds.
                "INSERT INTO retention_walks (kind) VALUES ('minutes')",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(
            manager,
            &["DELETE FROM retention_walks WHERE kind = 'minutes'"],
        )
        .await?;
        crate::drop_tables(manager, &["figures", "minutes"]).await
    }
}
