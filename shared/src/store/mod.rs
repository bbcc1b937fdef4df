//! The store: the only place that writes SQL, on PostgreSQL and on SQLite.
//!
//! Functions take `&impl ConnectionTrait`: `store.conn()` for a single statement, a [`Tx`] for several that belong
//! together. The present moment is always handed in. Rules that callers keep:
//!
//! - Every function named "in the same transaction" wants a [`Tx`]; on its own each statement commits by itself.
//! - Locks are taken in one order, or two transactions may wait for each other: tickets, then requests (several: by
//!   id), then jobs, and `jobs::finish` last. The loser of a deadlock gets [`StoreError::Raced`] and repeats.
//! - On SQLite there is one connection: whoever holds a [`Tx`] must not call `store.conn()` before it is committed.

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

pub mod alerts;
pub mod attempts;
pub mod audit;
pub mod cadences;
pub mod choice_lists;
pub mod circuits;
pub mod connection_checks;
pub mod credentials;
pub mod cursors;
pub mod drift;
pub mod events;
pub mod idempotency;
pub mod jobs;
pub mod lane_limits;
pub mod minutes;
pub mod notes;
pub mod operations;
pub mod operators;
pub mod people;
pub mod processes;
pub mod requests;
pub mod retention;
pub mod sources;
pub mod state_maps;
pub mod switches;
pub mod table_facts;
pub mod tickets;

mod connect;
#[expect(
    unreachable_pub,
    reason = "sea-orm's derive wants public items; the module itself is private"
)]
mod entities;
mod error;
mod guard;
mod ids;
mod migrate;
mod options;
mod sql;

pub use error::StoreError;
pub use guard::SqliteGuard;
pub use ids::new_id;
pub use options::StoreOptions;

/// An open transaction. Dropped without `commit()`, it is rolled back.
pub type Tx = DatabaseTransaction;

/// Lists of ids or keys are cut into pieces of this size, well below SQLite's limit of bound values.
const CHUNK: usize = 1_000;

/// A pool of connections to one database.
#[derive(Debug, Clone)]
pub struct Store {
    conn: DatabaseConnection,
    address: String,
}

impl Store {
    /// Opens the database. A SQLite file is created when missing; nothing is migrated yet.
    pub async fn connect(options: &StoreOptions) -> Result<Self, StoreError> {
        let (conn, address) = match options.target()? {
            options::Target::Postgres(url) => connect::postgres(options, &url).await?,
            options::Target::Sqlite(url) => connect::sqlite(options, &url).await?,
        };
        Ok(Self { conn, address })
    }

    /// The pool, for single statements.
    pub fn conn(&self) -> &DatabaseConnection {
        &self.conn
    }

    /// Begins a transaction; on SQLite with the write lock, so that it can never fail half way for want of it.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.conn.begin_with_options(options).await?)
    }

    /// Whether it is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.conn.get_database_backend() == DbBackend::Postgres
    }

    /// Where the database is, without password: for logs and `doctor`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks for a sign of life.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(self.conn.ping().await?)
    }

    /// Closes the pool; waits until its connections are given back.
    pub async fn close(&self) -> Result<(), StoreError> {
        Ok(self.conn.close_by_ref().await?)
    }
}
