//! Work to be done. The live states of `jobs_dedup` are those in which a job has not ended.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, integer, json_binary, small_integer, text, text_null,
    timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("jobs")
                    .col(uuid("id").primary_key())
                    .col(text("kind"))
                    .col(text("lane"))
                    .col(text_null("connection"))
                    .col(uuid_null("request_id"))
                    .col(json_binary("payload"))
                    .col(text("state"))
                    .col(small_integer("priority"))
                    .col(timestamp_with_time_zone("due_at"))
                    .col(timestamp_with_time_zone_null("rung_at"))
                    .col(integer("attempts").default(0))
                    .col(text_null("lease_owner"))
                    .col(big_integer("lease_token").default(0))
                    .col(integer("worker_deaths").default(0))
                    .col(text_null("dedup_key"))
                    .col(boolean("again").default(false))
                    .col(text_null("last_error_class"))
                    .col(text_null("last_error"))
                    .col(timestamp_with_time_zone_null("first_started_at"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .col(timestamp_with_time_zone_null("finished_at"))
                    .col(text_null("traceparent"))
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &[
                "CREATE UNIQUE INDEX jobs_dedup ON jobs (dedup_key) WHERE state IN ('due', 'rung', 'running', 'parked')",
                "CREATE INDEX jobs_due ON jobs (lane, priority, due_at) WHERE state = 'due'",
                "CREATE INDEX jobs_rung ON jobs (lane, rung_at) WHERE state = 'rung'",
                "CREATE INDEX jobs_running ON jobs (lease_owner) WHERE state = 'running'",
                "CREATE INDEX jobs_kept ON jobs (lane, state) WHERE state IN ('parked', 'dead')",
                "CREATE INDEX jobs_request ON jobs (request_id)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["jobs"]).await
    }
}
