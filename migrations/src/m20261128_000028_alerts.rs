//! Where each alert stands, and the messages about them until they are sent; the walk through old reports of comparisons.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, json_binary, text, text_null, timestamp_with_time_zone,
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
                    .table("alerts")
                    .col(text("name").primary_key())
                    .col(text("state"))
                    .col(timestamp_with_time_zone("since"))
                    .col(timestamp_with_time_zone_null("told_at"))
                    .col(big_integer_null("figure"))
                    .col(json_binary("findings"))
                    .col(timestamp_with_time_zone_null("silenced_until"))
                    .col(text_null("silenced_by"))
                    .col(text_null("silence_reason"))
                    .col(big_integer("version"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("alert_messages")
                    .col(uuid("id").primary_key())
                    .col(text("alert"))
                    .col(text("told"))
                    .col(text("destination"))
                    .col(text("subject"))
                    .col(json_binary("body"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("next_at"))
                    .col(integer("attempts"))
                    .col(timestamp_with_time_zone_null("sent_at"))
                    .col(timestamp_with_time_zone_null("given_up_at"))
                    .col(text_null("answer"))
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &[
                "CREATE INDEX alert_messages_waiting ON alert_messages (destination, alert, id) \
               WHERE sent_at IS NULL AND given_up_at IS NULL",
                "INSERT INTO retention_walks (kind) VALUES ('drift_reports')",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(
            manager,
            &["DELETE FROM retention_walks WHERE kind = 'drift_reports'"],
        )
        .await?;
        crate::drop_tables(manager, &["alert_messages", "alerts"]).await
    }
}
