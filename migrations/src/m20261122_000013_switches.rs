//! Switches that operators set while the bridge runs.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, text, text_null, timestamp_with_time_zone};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("switches")
                    .col(text("subject").primary_key())
                    .col(boolean("is_on"))
                    .col(text("changed_by"))
                    .col(timestamp_with_time_zone("changed_at"))
                    .col(text_null("reason"))
                    .to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["switches"]).await
    }
}
