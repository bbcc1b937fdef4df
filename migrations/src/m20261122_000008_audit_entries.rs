//! Who did what to which thing, and when.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, json_binary, text, text_null, timestamp_with_time_zone,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("audit_entries")
                    .col(big_integer("id").auto_increment().primary_key())
                    .col(timestamp_with_time_zone("at"))
                    .col(text("actor"))
                    .col(text("action"))
                    .col(text("subject_kind"))
                    .col(text("subject_id"))
                    .col(text_null("from_word"))
                    .col(text_null("to_word"))
                    .col(text_null("reason"))
                    .col(json_binary("detail"))
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &[
                "CREATE INDEX audit_entries_subject ON audit_entries (subject_kind, subject_id, id)",
                "CREATE INDEX audit_entries_at ON audit_entries (at)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["audit_entries"]).await
    }
}
