//! What is asked of a large past: the parked jobs of a connection, and the few requests of a category or route.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(
            manager,
            &[
                "CREATE INDEX jobs_parked ON jobs (connection) WHERE state = 'parked'",
                "CREATE INDEX requests_category ON requests (source, category, created_at, id)",
                "CREATE INDEX requests_route ON requests (source, route, created_at, id)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(
            manager,
            &[
                "DROP INDEX requests_route",
                "DROP INDEX requests_category",
                "DROP INDEX jobs_parked",
            ],
        )
        .await
    }
}
