//! Where the database is and how many connections to it we hold.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::StoreError;

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `sqlite://path/to/file.db`, `sqlite::memory:` or `postgres://user:password@host:5432/database`.
    pub url: SecretString,
    /// Size of the PostgreSQL pool. SQLite has one connection whatever this says: it has one writer.
    pub max_connections: u32,
    /// How long a call waits for a connection, and on SQLite for the write lock of the file.
    pub acquire_timeout: Duration,
}

/// The parsed form of the URL.
pub(super) enum Target {
    Postgres(Url),
    Sqlite(String),
}

impl StoreOptions {
    /// The SQLite file; `None` for PostgreSQL and for a database in memory.
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        let url = self.url.expose_secret();
        let path = url
            .strip_prefix("sqlite://")
            .or_else(|| url.strip_prefix("sqlite:"))?;
        let path = path.split('?').next().unwrap_or_default();
        (path != ":memory:" && !path.is_empty()).then(|| PathBuf::from(path))
    }

    pub(super) fn target(&self) -> Result<Target, StoreError> {
        let text = self.url.expose_secret();
        if text.starts_with("sqlite:") {
            return Ok(Target::Sqlite(text.to_owned()));
        }
        let url =
            Url::parse(text).map_err(|error| StoreError::BadUrl(format!("is no URL ({error})")))?;
        match url.scheme() {
            "postgres" | "postgresql" if url.host_str().is_none_or(str::is_empty) => {
                Err(StoreError::BadUrl("names no host".to_owned()))
            }
            "postgres" | "postgresql" => Ok(Target::Postgres(url)),
            _ => Err(StoreError::BadUrl(
                "names a database that is neither PostgreSQL nor SQLite".to_owned(),
            )),
        }
    }
}

/// The address as people may see it: no password, no parameters.
pub(super) fn address_of(url: &Url) -> String {
    let user = if url.username().is_empty() {
        String::new()
    } else {
        format!("{}@", url.username())
    };
    let port = url.port().unwrap_or(5432);
    format!(
        "postgres://{user}{}:{port}{}",
        url.host_str().unwrap_or_default(),
        url.path()
    )
}
