//! Checks of connections that operators ask for; and the runs that failed, so that the last failure of each class is found without a walk
//! through those that did not.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    json_binary, text, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("connection_checks")
                    .col(uuid("id").primary_key())
                    .col(text("connection"))
                    .col(text("asked_by"))
                    .col(timestamp_with_time_zone("asked_at"))
                    .col(text_null("worker"))
                    .col(timestamp_with_time_zone_null("started_at"))
                    .col(timestamp_with_time_zone_null("ended_at"))
                    .col(json_binary("steps"))
                    .to_owned(),
            )
            .await?;
        crate::run(
            manager,
            &[
                "CREATE INDEX connection_checks_newest ON connection_checks (connection, id)",
                "CREATE INDEX attempts_failed ON attempts (id) WHERE class IS NOT NULL",
                "INSERT INTO retention_walks (kind) VALUES ('connection_checks')",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(
            manager,
            &[
                "DELETE FROM retention_walks WHERE kind = 'connection_checks'",
                "DROP INDEX attempts_failed",
            ],
        )
        .await?;
        crate::drop_tables(manager, &["connection_checks"]).await
    }
}
