//! What an instance was last seen to offer in the columns that state maps read and write: one row a connection and table.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{json_binary, text, text_null, timestamp_with_time_zone};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("choice_lists")
                    .col(text("connection"))
                    .col(text("table_name"))
                    .col(timestamp_with_time_zone("read_at"))
                    .col(text_null("problem"))
                    .col(json_binary("lists"))
                    .primary_key(Index::create().col("connection").col("table_name"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["choice_lists"]).await
    }
}
