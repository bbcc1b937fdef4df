//! Operators of an identity provider: who they are there, and the sign-ins through it that are under way.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{binary, text, text_null, timestamp_with_time_zone};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column a statement.
        for column in ["issuer", "subject"] {
            let add = Table::alter()
                .table("operators")
                .add_column(text_null(column))
                .to_owned();
            manager.alter_table(add).await?;
        }
        manager.create_table(sign_ins()).await?;
        crate::run(
            manager,
            &[
                "CREATE UNIQUE INDEX operators_identity ON operators (issuer, subject) WHERE issuer IS NOT NULL",
                "CREATE INDEX sign_ins_end ON sign_ins (expires_at)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::drop_tables(manager, &["sign_ins"]).await?;
        crate::run(manager, &["DROP INDEX operators_identity"]).await?;
        for column in ["subject", "issuer"] {
            let drop = Table::alter()
                .table("operators")
                .drop_column(column)
                .to_owned();
            manager.alter_table(drop).await?;
        }
        Ok(())
    }
}

/// By the hash of what the browser keeps in its cookie meanwhile.
fn sign_ins() -> TableCreateStatement {
    Table::create()
        .table("sign_ins")
        .col(binary("hash").primary_key())
        .col(text("next"))
        .col(timestamp_with_time_zone("expires_at"))
        .to_owned()
}
