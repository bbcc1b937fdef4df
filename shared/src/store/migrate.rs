//! Brings the tables to the shape this program knows.

use migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbErr};

use super::sql::Sql;
use super::{Store, StoreError};

/// Key of the PostgreSQL advisory lock that lets one process at a time migrate: "tickbrdg" as a number.
const MIGRATING: i64 = 0x7469_636b_6272_6467;

impl Store {
    /// Applies the migrations that are missing, all in one transaction, one process at a time. Gives their names.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let tx = self.begin().await?;
        if self.is_postgres() {
            Sql::new(&tx, "SELECT pg_advisory_xact_lock(")
                .bind(MIGRATING)
                .then(")")
                .run(&tx)
                .await?;
        }
        let missing = pending(&tx).await?;
        if !missing.is_empty() {
            Migrator::up(&tx, None).await?;
        }
        tx.commit().await?;
        Ok(missing)
    }

    /// The names of the migrations that are missing. Changes nothing.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        pending(&self.conn).await
    }

    /// Fails with what to do unless the tables are exactly those this program knows.
    pub async fn ensure_migrated(&self) -> Result<(), StoreError> {
        match self.pending_migrations().await? {
            missing if missing.is_empty() => Ok(()),
            missing => Err(StoreError::NotMigrated(missing)),
        }
    }
}

async fn pending(conn: &impl ConnectionTrait) -> Result<Vec<String>, StoreError> {
    let missing = Migrator::get_pending_migrations_read_only(conn)
        .await
        .map_err(|error| match error {
            // The migrator reports applied steps that it does not know in this way only.
            DbErr::Custom(unknown) => StoreError::TooNew(unknown),
            other => StoreError::from(other),
        })?;
    Ok(missing.iter().map(|step| step.name().to_owned()).collect())
}
