//! What operators do with many jobs, page by page; jobs that they have ended, workers that they drain, and tickets by number.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, integer_null, json_binary, text, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(operations()).await?;
        add(manager, "jobs", text_null("sentence")).await?;
        add(
            manager,
            "processes",
            timestamp_with_time_zone_null("drain_at"),
        )
        .await?;
        crate::run(
            manager,
            &[
                "CREATE INDEX operations_running ON operations (next_at) WHERE finished_at IS NULL",
                "CREATE INDEX tickets_number ON tickets (number) WHERE number IS NOT NULL",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &["DROP INDEX tickets_number"]).await?;
        for (table, column) in [("jobs", "sentence"), ("processes", "drain_at")] {
            let drop = Table::alter().table(table).drop_column(column).to_owned();
            manager.alter_table(drop).await?;
        }
        crate::drop_tables(manager, &["operations"]).await
    }
}

async fn add(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: ColumnDef,
) -> Result<(), DbErr> {
    let add = Table::alter().table(table).add_column(column).to_owned();
    manager.alter_table(add).await
}

fn operations() -> TableCreateStatement {
    Table::create()
        .table("operations")
        .col(uuid("id").primary_key())
        .col(text("action"))
        .col(json_binary("filter"))
        .col(json_binary("ids"))
        .col(integer_null("per_minute"))
        .col(text_null("reason"))
        .col(text("operator"))
        .col(text("address"))
        .col(big_integer("matched"))
        .col(big_integer("done"))
        .col(big_integer("skipped"))
        .col(text_null("last_skipped"))
        .col(uuid_null("position"))
        .col(uuid("up_to"))
        .col(text_null("waits_for"))
        .col(timestamp_with_time_zone("next_at"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .col(timestamp_with_time_zone_null("stopped_at"))
        .col(timestamp_with_time_zone_null("finished_at"))
        .to_owned()
}
