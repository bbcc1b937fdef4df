//! Processes that hold leases, and until when they are known to live.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{json_binary, text, timestamp_with_time_zone};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("processes")
                    .col(text("id").primary_key())
                    .col(text("kind"))
                    .col(text("host"))
                    .col(text("version"))
                    .col(json_binary("lanes"))
                    .col(timestamp_with_time_zone("started_at"))
                    .col(timestamp_with_time_zone("heartbeat_at"))
                    .col(timestamp_with_time_zone("lease_until"))
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &["CREATE INDEX processes_lease ON processes (lease_until)"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["processes"]).await
    }
}
