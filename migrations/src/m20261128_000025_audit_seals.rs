//! Seals over the audit trail: blocks of entries, each with a digest of every entry and bound to the block before it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, binary, boolean, timestamp_with_time_zone};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("audit_seals")
                    .col(big_integer("number").primary_key())
                    .col(boolean("is_late"))
                    .col(big_integer("first_id"))
                    .col(big_integer("last_id"))
                    .col(timestamp_with_time_zone("first_at"))
                    .col(timestamp_with_time_zone("last_at"))
                    .col(binary("digests"))
                    .col(binary("chain"))
                    .col(timestamp_with_time_zone("sealed_at"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["audit_seals"]).await
    }
}
