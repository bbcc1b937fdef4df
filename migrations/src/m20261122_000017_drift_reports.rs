//! What comparisons with the instance found, and an index for the tickets of a window.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, json_binary, text, text_null, timestamp_with_time_zone,
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
                    .table("drift_reports")
                    .col(uuid("id").primary_key())
                    .col(text("connection"))
                    .col(text("table_name"))
                    .col(text("window_from"))
                    .col(text("window_to"))
                    .col(timestamp_with_time_zone("started_at"))
                    .col(timestamp_with_time_zone_null("finished_at"))
                    .col(big_integer("expected"))
                    .col(big_integer("found"))
                    .col(big_integer("checked"))
                    .col(big_integer("unchanged"))
                    .col(big_integer("repaired"))
                    .col(big_integer("flagged"))
                    .col(big_integer("failed"))
                    .col(text_null("verdict"))
                    .col(text_null("reason"))
                    .col(json_binary("findings"))
                    .check(Expr::cust(
                        "checked = unchanged + repaired + flagged + failed",
                    ))
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &[
                "CREATE INDEX drift_reports_table ON drift_reports (connection, table_name, started_at)",
                "CREATE INDEX tickets_updated ON tickets (connection, table_name, remote_updated_on) WHERE in_servicenow",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &["DROP INDEX tickets_updated"]).await?;
        crate::drop_tables(manager, &["drift_reports"]).await
    }
}
