//! People who operate the bridge: what they may, their sessions and tokens, of which only hashes are kept, and refused log-ins.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, binary, text, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null,
    uuid,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(operators()).await?;
        manager.create_table(sessions()).await?;
        manager.create_table(tokens()).await?;
        manager.create_table(refusals()).await?;
        crate::run(
            manager,
            &[
                "CREATE INDEX operator_sessions_operator ON operator_sessions (operator)",
                "CREATE INDEX operator_sessions_end ON operator_sessions (expires_at)",
                "CREATE UNIQUE INDEX operator_tokens_hash ON operator_tokens (hash)",
                "CREATE INDEX operator_tokens_operator ON operator_tokens (operator)",
                "CREATE INDEX login_refusals_last ON login_refusals (last_at)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = [
            "login_refusals",
            "operator_tokens",
            "operator_sessions",
            "operators",
        ];
        crate::drop_tables(manager, &tables).await
    }
}

fn operators() -> TableCreateStatement {
    Table::create()
        .table("operators")
        .col(text("name").primary_key())
        .col(text("role"))
        .col(text_null("password"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("changed_at"))
        .col(timestamp_with_time_zone_null("disabled_at"))
        .col(timestamp_with_time_zone_null("last_login_at"))
        .to_owned()
}

fn sessions() -> TableCreateStatement {
    Table::create()
        .table("operator_sessions")
        .col(binary("hash").primary_key())
        .col(text("operator"))
        .col(text("address"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("seen_at"))
        .col(timestamp_with_time_zone("expires_at"))
        .foreign_key(&mut of_operator("operator_sessions"))
        .to_owned()
}

fn tokens() -> TableCreateStatement {
    Table::create()
        .table("operator_tokens")
        .col(uuid("id").primary_key())
        .col(text("operator"))
        .col(text("label"))
        .col(binary("hash"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("expires_at"))
        .col(timestamp_with_time_zone_null("revoked_at"))
        .col(timestamp_with_time_zone_null("last_used_at"))
        .foreign_key(&mut of_operator("operator_tokens"))
        .to_owned()
}

fn of_operator(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, "operator")
        .to("operators", "name")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

/// By `name:<operator>` and `address:<network address>`.
fn refusals() -> TableCreateStatement {
    Table::create()
        .table("login_refusals")
        .col(text("subject").primary_key())
        .col(big_integer("count"))
        .col(timestamp_with_time_zone("last_at"))
        .to_owned()
}
