//! Keys that sources sent with a call, and what the call was.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{binary, text, timestamp_with_time_zone, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("idempotency_keys")
                    .col(text("source"))
                    .col(text("idempotency_key"))
                    .col(binary("fingerprint"))
                    .col(uuid("request_id"))
                    .col(timestamp_with_time_zone("created_at"))
                    .primary_key(Index::create().col("source").col("idempotency_key"))
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &["CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at)"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["idempotency_keys"]).await
    }
}
