//! What can go wrong with the database, in words that say what to do.

use std::path::PathBuf;

use sea_orm::{DbErr, RuntimeErr, SqlxError, SqlxPostgresError, SqlxSqliteError};

use crate::request::RequestState;

/// Why the store could not do what was asked. No message holds a password: addresses are shown without it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is gone or the pool had no connection in time. The pool reconnects by itself: try again later.
    #[error("the database cannot be reached; the next call tries again: {0}")]
    Unavailable(#[source] DbErr),
    /// Two transactions stood in each other's way and this one was rolled back: repeat it.
    #[error("the transaction met another one and was rolled back; repeat it: {0}")]
    Raced(#[source] DbErr),
    /// Another process holds the write lock of the SQLite file.
    #[error(
        "the SQLite file is locked by another process; stop that process, or use PostgreSQL when several are to share it"
    )]
    Locked,
    /// The SQLite file, or the folder that holds it, cannot be written.
    #[error(
        "the SQLite file is read-only; give this user write permission on the file and on its folder"
    )]
    ReadOnly,
    /// No room is left.
    #[error(
        "the disk that holds the database is full; free some space, nothing stored so far is lost"
    )]
    Full,
    /// The server answered and does not let us in.
    #[error("the database server refuses us; {advice}: {source}")]
    Refused {
        /// What to change.
        advice: &'static str,
        /// What it said.
        source: DbErr,
    },
    /// `database.url` does not read. The text is ours and holds no part of the URL.
    #[error(
        "database.url {0}; write `sqlite://path/to/file.db` or `postgres://user:password@host:5432/database`"
    )]
    BadUrl(String),
    /// The folder for the SQLite file is missing.
    #[error("the folder `{}` for the SQLite file does not exist; create it or change database.url", .0.display())]
    NoFolder(PathBuf),
    /// Opening failed.
    #[error("cannot open the database {address}: {source}")]
    Connect {
        /// Where, without password and parameters.
        address: String,
        /// Why.
        source: Box<StoreError>,
    },
    /// A second process wants to run everything on the same SQLite file.
    #[error(
        "`{}` is in use by another `ticketbridge up`, which holds `{}`; stop it, or set database.url to another file",
        file.display(),
        lock.display()
    )]
    InUse {
        /// The database.
        file: PathBuf,
        /// The lock file beside it.
        lock: PathBuf,
    },
    /// The lock file beside the SQLite file cannot be made or locked.
    #[error("cannot lock `{}`: {source}", lock.display())]
    Lock {
        /// The lock file.
        lock: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A row with the same key is there already.
    #[error("a row with the same key exists already: {constraint}")]
    Conflict {
        /// The constraint, in the words of the database.
        constraint: String,
    },
    /// A stored row does not read: written by a newer version, or damaged.
    #[error("a stored row does not read: {0}")]
    Corrupt(String),
    /// The request cannot make this move. Whoever asked read a state that was never legal to leave so.
    #[error("a request that is {from} cannot become {to}")]
    IllegalMove {
        /// Where it stands.
        from: RequestState,
        /// Where it was to go.
        to: RequestState,
    },
    /// Tables are missing.
    #[error("the database lacks {} of our migrations ({}); run `ticketbridge migrate`", .0.len(), .0.join(", "))]
    NotMigrated(Vec<String>),
    /// The database was migrated by a newer version of this program.
    #[error(
        "the database was migrated by a newer version of ticketbridge; install that version: {0}"
    )]
    TooNew(String),
    /// Anything else.
    #[error("the database refused a statement: {0}")]
    Db(#[source] DbErr),
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Raced(_) | Self::Locked | Self::Full => true,
            Self::Connect { source, .. } => source.is_transient(),
            _ => false,
        }
    }

    /// A stored word or JSON that this program cannot read.
    pub(super) fn corrupt(what: &str, why: impl std::fmt::Display) -> Self {
        Self::Corrupt(format!("{what}: {why}"))
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        let cause = match &error {
            DbErr::ConnectionAcquire(_) => return Self::Unavailable(error),
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => cause.clone(),
            DbErr::Type(what) | DbErr::Json(what) => return Self::Corrupt(what.clone()),
            _ => return Self::Db(error),
        };
        match &*cause {
            SqlxError::Io(_)
            | SqlxError::Tls(_)
            | SqlxError::Protocol(_)
            | SqlxError::PoolTimedOut
            | SqlxError::PoolClosed
            | SqlxError::WorkerCrashed => Self::Unavailable(error),
            SqlxError::ColumnDecode { .. } | SqlxError::Decode(_) => {
                Self::Corrupt(error.to_string())
            }
            SqlxError::Database(said) => {
                let code = said.code().unwrap_or_default();
                if said.is_unique_violation() {
                    Self::Conflict {
                        constraint: said.constraint().unwrap_or(said.message()).to_owned(),
                    }
                } else if said.try_downcast_ref::<SqlxPostgresError>().is_some() {
                    of_postgres(&code, error)
                } else if said.try_downcast_ref::<SqlxSqliteError>().is_some() {
                    of_sqlite(&code, error)
                } else {
                    Self::Db(error)
                }
            }
            _ => Self::Db(error),
        }
    }
}

/// Sorts SQLSTATE codes (PostgreSQL manual, appendix A).
fn of_postgres(code: &str, error: DbErr) -> StoreError {
    match code {
        "28P01" | "28000" => StoreError::Refused {
            advice: "check user and password in database.url",
            source: error,
        },
        "3D000" => StoreError::Refused {
            advice: "create the database that database.url names",
            source: error,
        },
        "42501" => StoreError::Refused {
            advice: "grant this user rights on the tables",
            source: error,
        },
        "40001" | "40P01" | "55P03" => StoreError::Raced(error),
        "53100" => StoreError::Full,
        // Shutdown, crash recovery, start-up, dropped database, too many connections, a standby after a fail-over.
        "57P01" | "57P02" | "57P03" | "57P04" | "53300" | "25006" => StoreError::Unavailable(error),
        _ if code.starts_with("08") => StoreError::Unavailable(error),
        _ => StoreError::Db(error),
    }
}

/// Sorts SQLite result codes; the low byte is the primary code (sqlite.org/rescode.html).
fn of_sqlite(code: &str, error: DbErr) -> StoreError {
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6) => StoreError::Locked,
        Ok(8) => StoreError::ReadOnly,
        Ok(13) => StoreError::Full,
        Ok(11 | 26) => StoreError::Corrupt("the file is damaged, or no SQLite database".to_owned()),
        _ => StoreError::Db(error),
    }
}
