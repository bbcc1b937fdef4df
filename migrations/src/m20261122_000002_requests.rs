//! Access requests: what was asked, where it stands.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, json_binary, text, text_null, timestamp_with_time_zone,
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
                    .table("requests")
                    .col(uuid("id").primary_key())
                    .col(text("source"))
                    .col(text("external_id"))
                    .col(text("route"))
                    .col(text("category"))
                    .col(text("item"))
                    .col(text("requester"))
                    .col(text("requested_for"))
                    .col(json_binary("asked"))
                    .col(json_binary("asked_originally"))
                    .col(text("state"))
                    .col(text_null("reason"))
                    .col(text_null("attention"))
                    .col(boolean("has_callback"))
                    .col(boolean("watched"))
                    .col(big_integer("version"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .col(timestamp_with_time_zone_null("closed_at"))
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &[
                "CREATE UNIQUE INDEX requests_natural_key ON requests (source, external_id)",
                "CREATE INDEX requests_newest ON requests (created_at, id)",
                "CREATE INDEX requests_of_source ON requests (source, created_at, id)",
                "CREATE INDEX requests_state ON requests (state, created_at, id)",
                "CREATE INDEX requests_person ON requests (requested_for, created_at)",
                "CREATE INDEX requests_watched ON requests (id) WHERE watched",
                "CREATE INDEX requests_attention ON requests (created_at, id) WHERE attention IS NOT NULL",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["requests"]).await
    }
}
