//! What is known of a ServiceNow instance: open circuits, people looked up, facts about tables.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean_null, integer, text, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("circuits")
                    .col(text("connection").primary_key())
                    .col(text("reason"))
                    .col(text("class"))
                    .col(timestamp_with_time_zone("opened_at"))
                    .col(timestamp_with_time_zone("until"))
                    .col(integer("failures"))
                    .col(uuid_null("probing_job"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("people")
                    .col(text("connection"))
                    .col(text("lookup"))
                    .col(text("sys_id"))
                    .col(text("name"))
                    .col(timestamp_with_time_zone("checked_at"))
                    .primary_key(Index::create().col("connection").col("lookup"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("table_facts")
                    .col(text("connection"))
                    .col(text("table_name"))
                    .col(boolean_null("honours_sys_id"))
                    .col(timestamp_with_time_zone_null("zone_ok_at"))
                    .primary_key(Index::create().col("connection").col("table_name"))
                    .to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["table_facts", "people", "circuits"]).await
    }
}
