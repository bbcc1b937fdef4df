//! Cadences (when what runs next) and cursors (how far a table was read).

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, text, timestamp_with_time_zone, timestamp_with_time_zone_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("cadences")
                    .col(text("name").primary_key())
                    .col(text("kind"))
                    .col(text("connection"))
                    .col(text("table_name"))
                    .col(big_integer("every_ms"))
                    .col(timestamp_with_time_zone("next_at"))
                    .col(timestamp_with_time_zone_null("last_started_at"))
                    .col(timestamp_with_time_zone_null("last_finished_at"))
                    .col(boolean("paused"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("cursors")
                    .col(text("name").primary_key())
                    .col(text("updated_on"))
                    .col(text("sys_id"))
                    .col(timestamp_with_time_zone_null("zone_checked_at"))
                    .col(big_integer("version"))
                    .to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["cursors", "cadences"]).await
    }
}
