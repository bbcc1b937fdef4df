//! Comments of the source that are to appear once in the ticket's journal.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, text, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("notes")
                    .col(uuid("id").primary_key())
                    .col(uuid("request_id"))
                    .col(text("author"))
                    .col(text("text"))
                    .col(boolean("visible"))
                    .col(text("marker"))
                    .col(timestamp_with_time_zone_null("first_sent_at"))
                    .col(timestamp_with_time_zone_null("sent_at"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("notes", "request_id")
                            .to("requests", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &["CREATE INDEX notes_request ON notes (request_id, created_at)"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["notes"]).await
    }
}
