//! One row per run of a job: what came of it, and which calls it made.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, integer, integer_null, json_binary, text, text_null, timestamp_with_time_zone,
    uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("attempts")
                    .col(uuid("id").primary_key())
                    .col(uuid("job_id"))
                    .col(uuid_null("request_id"))
                    .col(integer("number"))
                    .col(big_integer("token"))
                    .col(text("worker"))
                    .col(timestamp_with_time_zone("started_at"))
                    .col(timestamp_with_time_zone("finished_at"))
                    .col(text("outcome"))
                    .col(text_null("class"))
                    .col(integer_null("http_status"))
                    .col(text_null("transaction_id"))
                    .col(text_null("message"))
                    .col(json_binary("calls"))
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &[
                "CREATE INDEX attempts_job ON attempts (job_id)",
                "CREATE INDEX attempts_request ON attempts (request_id)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["attempts"]).await
    }
}
