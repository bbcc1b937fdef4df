//! Since when the credential of a connection works, or no longer does. The credential itself is in no table.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, integer_null, text, timestamp_with_time_zone_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("credentials")
                    .col(text("connection").primary_key())
                    .col(text("fingerprint"))
                    .col(timestamp_with_time_zone_null("first_worked_at"))
                    .col(timestamp_with_time_zone_null("last_worked_at"))
                    .col(big_integer("refused"))
                    .col(timestamp_with_time_zone_null("failing_since"))
                    .col(integer_null("warned_days"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["credentials"]).await
    }
}
