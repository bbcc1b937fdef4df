//! The record in ServiceNow that stands for a request: one row per request, written before the first call.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer_null, boolean, text, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("tickets")
                    .col(uuid("request_id").primary_key())
                    .col(text("connection"))
                    .col(text("kind"))
                    .col(text("kind_name"))
                    .col(text("table_name"))
                    .col(text_null("sys_id"))
                    .col(text("correlation_id"))
                    .col(boolean("in_servicenow"))
                    .col(text_null("number"))
                    .col(text_null("order_number"))
                    .col(text_null("order_sys_id"))
                    .col(text_null("remote_state"))
                    .col(text_null("approval"))
                    .col(text_null("stage"))
                    .col(text_null("close_code"))
                    .col(text_null("close_notes"))
                    .col(text_null("assigned_to"))
                    .col(text_null("assignment_group"))
                    .col(big_integer_null("mod_count"))
                    .col(text_null("remote_updated_on"))
                    .col(big_integer_null("written_version"))
                    .col(timestamp_with_time_zone_null("maybe_sent_at"))
                    .col(timestamp_with_time_zone_null("checked_at"))
                    .col(timestamp_with_time_zone_null("given_up_at"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("tickets", "request_id")
                            .to("requests", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &["CREATE INDEX tickets_record ON tickets (connection, table_name, sys_id)"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["tickets"]).await
    }
}
