//! What the state map of a route said of a ticket when it was last asked, and which map each route has: so that a mended map is
//! applied to tickets that do not change any more.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    text, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in columns() {
            let add = Table::alter()
                .table("tickets")
                .add_column(column)
                .to_owned();
            manager.alter_table(add).await?;
        }
        manager
            .create_table(
                Table::create()
                    .table("state_maps")
                    .col(text("route").primary_key())
                    .col(text("fingerprint"))
                    .col(timestamp_with_time_zone("since"))
                    .col(uuid_null("position"))
                    .col(timestamp_with_time_zone_null("walked_at"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["state_maps"]).await?;
        for column in ["decided_at", "decided_state", "decided_rule", "decided_map"] {
            let drop = Table::alter()
                .table("tickets")
                .drop_column(column)
                .to_owned();
            manager.alter_table(drop).await?;
        }
        Ok(())
    }
}

/// None of them is in an index: a ticket's next version still finds room in its page.
fn columns() -> [ColumnDef; 4] {
    [
        text_null("decided_map"),
        text_null("decided_rule"),
        text_null("decided_state"),
        timestamp_with_time_zone_null("decided_at"),
    ]
}
