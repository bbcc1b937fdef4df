//! Whether what is done with many jobs waits while a circuit holds them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::boolean;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = boolean("waits_for_circuit").default(false).to_owned();
        let add = Table::alter()
            .table("operations")
            .add_column(column)
            .to_owned();
        manager.alter_table(add).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let drop = Table::alter()
            .table("operations")
            .drop_column("waits_for_circuit")
            .to_owned();
        manager.alter_table(drop).await
    }
}
