//! Opens the pools. Built on sqlx directly, because sea-orm's own `connect` writes the whole URL into trace spans.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{Connection, Executor, PgConnection};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, RuntimeErr, SqlxError, SqlxPostgresConnector,
    SqlxSqliteConnector,
};
use url::Url;

use super::StoreError;
use super::options::{StoreOptions, address_of};

/// A pooled connection that was idle for longer is asked for a sign of life before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// Our statements are short: each finds a few rows by an index. Where the planner overrates one, compiling it takes a hundred times as
/// long as running it; and the plan of a prepared statement is kept, so that one made while a table was small would still read
/// all of it when it has grown.
const SHORT_STATEMENTS: &str = "SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off; \
                                SET enable_mergejoin = off";

/// A pool on PostgreSQL, tried once, so that a wrong address fails at start with the server's own words.
pub(super) async fn postgres(
    options: &StoreOptions,
    url: &Url,
) -> Result<(DatabaseConnection, String), StoreError> {
    let address = address_of(url);
    let failed = |source: StoreError| StoreError::Connect {
        address: address.clone(),
        source: Box::new(source),
    };
    let settings = PgConnectOptions::from_str(url.as_str())
        .map_err(|_| {
            StoreError::BadUrl("has a parameter that PostgreSQL does not know".to_owned())
        })?
        .application_name("ticketbridge");
    let first = tokio::time::timeout(
        options.acquire_timeout,
        PgConnection::connect_with(&settings),
    )
    .await
    .unwrap_or(Err(SqlxError::PoolTimedOut))
    .map_err(|error| failed(of_sqlx(error)))?;
    first
        .close()
        .await
        .map_err(|error| failed(of_sqlx(error)))?;
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|conn, about| {
            Box::pin(async move { Ok(about.idle_for < TRUSTED_IDLE || conn.ping().await.is_ok()) })
        })
        .after_connect(|conn, _| {
            Box::pin(async move { conn.execute(SHORT_STATEMENTS).await.map(drop) })
        })
        .connect_lazy_with(settings);
    Ok((
        SqlxPostgresConnector::from_sqlx_postgres_pool(pool),
        address,
    ))
}

/// The one connection to a SQLite file, which is made when it is missing.
pub(super) async fn sqlite(
    options: &StoreOptions,
    url: &str,
) -> Result<(DatabaseConnection, String), StoreError> {
    let file = options.sqlite_file();
    let address = file.as_ref().map_or_else(
        || "in memory".to_owned(),
        |file| format!("`{}`", file.display()),
    );
    let failed = |source: StoreError| StoreError::Connect {
        address: address.clone(),
        source: Box::new(source),
    };
    if let Some(folder) = file.as_ref().and_then(|file| file.parent())
        && !folder.as_os_str().is_empty()
        && !folder.is_dir()
    {
        return Err(StoreError::NoFolder(folder.to_owned()));
    }
    if file
        .as_ref()
        .and_then(|file| file.metadata().ok())
        .is_some_and(|about| about.permissions().readonly())
    {
        // Root may write it all the same; whoever took the right away did not mean that.
        return Err(failed(StoreError::ReadOnly));
    }
    let settings = SqliteConnectOptions::from_str(url)
        .map_err(|error| StoreError::BadUrl(format!("does not read ({error})")))?
        .create_if_missing(!url.contains("mode=ro"))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(options.acquire_timeout);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(options.acquire_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(settings)
        .await
        .map_err(|error| failed(of_sqlx(error)))?;
    let conn = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool);
    try_writing(&conn).await.map_err(failed)?;
    Ok((conn, address))
}

/// Takes and drops the write lock: a read-only file and a locked one are found now, not with the first request.
async fn try_writing(conn: &DatabaseConnection) -> Result<(), StoreError> {
    conn.execute_unprepared("BEGIN IMMEDIATE; ROLLBACK").await?;
    Ok(())
}

fn of_sqlx(error: SqlxError) -> StoreError {
    StoreError::from(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))
}
