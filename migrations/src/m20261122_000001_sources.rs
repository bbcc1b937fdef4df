//! Identity systems and their bearer tokens, of which only a hash is kept.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    binary, text, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("sources")
                    .col(text("name").primary_key())
                    .col(timestamp_with_time_zone("created_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("source_tokens")
                    .col(uuid("id").primary_key())
                    .col(text("source"))
                    .col(text("label"))
                    .col(binary("hash"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone_null("expires_at"))
                    .col(timestamp_with_time_zone_null("revoked_at"))
                    .col(timestamp_with_time_zone_null("last_used_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("source_tokens", "source")
                            .to("sources", "name")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &[
                "CREATE UNIQUE INDEX source_tokens_hash ON source_tokens (hash)",
                "CREATE INDEX source_tokens_source ON source_tokens (source)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["source_tokens", "sources"]).await
    }
}
