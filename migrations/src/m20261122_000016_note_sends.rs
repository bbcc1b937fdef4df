//! When a note was last sent: a second send is waited for as long as the first.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::timestamp_with_time_zone_null;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = Table::alter()
            .table("notes")
            .add_column(timestamp_with_time_zone_null("last_sent_at"))
            .to_owned();
        manager.alter_table(column).await?;
        // A note that was sent twice may have been sent a moment ago; the time of the change is later than either.
        crate::run(
            manager,
            &["UPDATE notes SET last_sent_at = CURRENT_TIMESTAMP WHERE first_sent_at IS NOT NULL AND sent_at IS NULL"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = Table::alter()
            .table("notes")
            .drop_column("last_sent_at")
            .to_owned();
        manager.alter_table(column).await
    }
}
