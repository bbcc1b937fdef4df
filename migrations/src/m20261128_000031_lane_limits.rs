//! How many jobs of a lane a worker may run at a time, where an operator has set it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{integer, text, text_null, timestamp_with_time_zone};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("lane_limits")
                    .col(text("lane").primary_key())
                    .col(integer("jobs"))
                    .col(text("changed_by"))
                    .col(timestamp_with_time_zone("changed_at"))
                    .col(text_null("reason"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["lane_limits"]).await
    }
}
