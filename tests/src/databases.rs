//! A fresh, migrated database for each test: a SQLite file, or a PostgreSQL database copied from a template.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, PgConnection};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use secrecy::{ExposeSecret as _, SecretString};
use shared::store::{Store, StoreOptions};
use tempfile::TempDir;
use uuid::Uuid;

use crate::proxy::Proxy;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// A file in a folder of its own.
    Sqlite,
    /// A database on the server that `TICKETBRIDGE_TEST_POSTGRES_URL` names.
    Postgres,
}

impl Flavour {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

/// A database of one test, gone when dropped.
#[derive(Debug)]
pub struct TestDatabase {
    /// The store on it.
    pub store: Store,
    /// How to open it once more.
    pub options: StoreOptions,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder { _kept: TempDir },
    Server { name: String },
}

/// A database with all migrations applied.
pub async fn fresh(flavour: Flavour) -> TestDatabase {
    match flavour {
        Flavour::Sqlite => {
            let database = empty(flavour).await;
            database
                .store
                .migrate()
                .await
                .expect("a new SQLite file migrates");
            database
        }
        Flavour::Postgres => {
            let template = template().await;
            on_server(Some(&template)).await
        }
    }
}

/// A database without a table.
pub async fn empty(flavour: Flavour) -> TestDatabase {
    match flavour {
        Flavour::Sqlite => {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let options = options(format!(
                "sqlite://{}",
                folder.path().join("test.db").display()
            ));
            let store = Store::connect(&options)
                .await
                .expect("a new SQLite file opens");
            TestDatabase {
                store,
                options,
                place: Place::Folder { _kept: folder },
            }
        }
        Flavour::Postgres => on_server(None).await,
    }
}

/// A database that others are copied from: cheaper than to migrate each.
#[derive(Debug)]
pub struct Template(TestDatabase);

impl Template {
    /// A migrated one, with what `prepare` puts into it.
    pub async fn make(flavour: Flavour, prepare: impl AsyncFnOnce(&Store)) -> Self {
        let model = fresh(flavour).await;
        prepare(&model.store).await;
        // Nobody may be connected when it is copied, and the file must hold what the log of SQLite holds.
        model.store.close().await.expect("the pool closes");
        Self(model)
    }

    /// A copy.
    pub async fn copy(&self) -> TestDatabase {
        match &self.0.place {
            Place::Server { name } => on_server(Some(name)).await,
            Place::Folder { .. } => {
                let folder = folder_in_memory();
                let file = folder.path().join("test.db");
                let model = self.0.file().expect("it is a file");
                std::fs::copy(model, &file).expect("a file can be copied");
                let options = options(format!("sqlite://{}", file.display()));
                let store = Store::connect(&options)
                    .await
                    .expect("a copied SQLite file opens");
                TestDatabase {
                    store,
                    options,
                    place: Place::Folder { _kept: folder },
                }
            }
        }
    }
}

/// A folder in memory where the system has such: no test takes the power away, so nothing need reach a disk.
fn folder_in_memory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    folder.expect("a temporary folder can be made")
}

impl TestDatabase {
    /// Another pool on the same database.
    pub async fn reopen(&self) -> Store {
        Store::connect(&self.options)
            .await
            .expect("the database opens a second time")
    }

    /// A pool on the same PostgreSQL database that reaches it over a line which can be cut, and does not wait for it for long.
    ///
    /// # Panics
    /// On SQLite, which is reached over no line.
    pub async fn over_a_line(&self) -> (Store, Proxy) {
        let url = self.options.url.expose_secret();
        let mut url = url::Url::parse(url).expect("the database has a URL");
        let host = url.host_str().expect("a server has a host");
        let line = Proxy::to(format!("{host}:{}", url.port().unwrap_or(5432))).await;
        url.set_port(Some(line.address().port()))
            .expect("a server has a port");
        let options = StoreOptions {
            url: SecretString::from(url.to_string()),
            max_connections: 4,
            acquire_timeout: Duration::from_millis(500),
        };
        let store = Store::connect(&options)
            .await
            .expect("the line passes connections");
        (store, line)
    }

    /// The SQLite file; `None` on PostgreSQL.
    pub fn file(&self) -> Option<PathBuf> {
        self.options.sqlite_file()
    }
}

impl Drop for TestDatabase {
    /// Drops the PostgreSQL database, whoever is still connected. A thread of its own, because `drop` cannot wait for
    /// a future inside a runtime. A failure is only told: the test has its own outcome, and the server is a private one.
    fn drop(&mut self) {
        match &self.place {
            Place::Folder { .. } => {}
            Place::Server { name } => {
                let name = name.clone();
                let dropping = std::thread::spawn(move || {
                    tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .expect("a runtime starts")
                        .block_on(command(
                            &admin(),
                            format!("DROP DATABASE \"{name}\" WITH (FORCE)"),
                        ));
                });
                drop(dropping.join());
            }
        }
    }
}

fn options(url: String) -> StoreOptions {
    StoreOptions {
        url: SecretString::from(url),
        max_connections: 8,
        acquire_timeout: Duration::from_secs(10),
    }
}

async fn on_server(template: Option<&str>) -> TestDatabase {
    let admin = admin();
    let name = format!("test_{}", Uuid::now_v7().simple());
    let copied = template
        .map(|from| format!(" TEMPLATE \"{from}\""))
        .unwrap_or_default();
    command(&admin, format!("CREATE DATABASE \"{name}\"{copied}")).await;
    let options = options(url_of(&name));
    let store = Store::connect(&options)
        .await
        .expect("a new PostgreSQL database opens");
    TestDatabase {
        store,
        options,
        place: Place::Server { name },
    }
}

/// The name of the migrated database that others are copied from; made by whichever test process comes first.
async fn template() -> String {
    let admin = admin();
    let name = format!("template_{:016x}", fingerprint_of_migrations().await);
    let mut conn = PgConnection::connect_with(&admin)
        .await
        .expect("the PostgreSQL server of the tests answers");
    sqlx::query("SELECT pg_advisory_lock(7246)")
        .execute(&mut conn)
        .await
        .expect("the lock is granted");
    let there: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
        .bind(&name)
        .fetch_optional(&mut conn)
        .await
        .expect("databases can be listed");
    if there.is_none() {
        // Migrated under another name first: a process that is killed half way leaves no broken template.
        let raw = on_server(None).await;
        raw.store
            .migrate()
            .await
            .expect("a new PostgreSQL database migrates");
        raw.store.close().await.expect("the pool closes");
        let Place::Server { name: made } = &raw.place else {
            unreachable!("it was made on the server")
        };
        sqlx::query(AssertSqlSafe(format!(
            "CREATE DATABASE \"{name}\" TEMPLATE \"{made}\""
        )))
        .execute(&mut conn)
        .await
        .expect("the template can be copied");
    }
    conn.close()
        .await
        .expect("the connection closes, and the lock with it");
    name
}

async fn command(admin: &PgConnectOptions, statement: String) {
    let mut conn = PgConnection::connect_with(admin)
        .await
        .expect("the PostgreSQL server of the tests answers");
    sqlx::query(AssertSqlSafe(statement))
        .execute(&mut conn)
        .await
        .expect("the statement runs");
    conn.close().await.expect("the connection closes");
}

fn admin() -> PgConnectOptions {
    server_url()
        .parse()
        .expect("TICKETBRIDGE_TEST_POSTGRES_URL is a PostgreSQL URL")
}

fn url_of(database: &str) -> String {
    let mut url = url::Url::parse(&server_url()).expect("TICKETBRIDGE_TEST_POSTGRES_URL is a URL");
    url.set_path(database);
    url.into()
}

/// The server of the tests. `cargo xtask test` starts a private one and names it here.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the tests learn of their PostgreSQL server"
)]
pub(crate) fn server_url() -> String {
    std::env::var("TICKETBRIDGE_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!("TICKETBRIDGE_TEST_POSTGRES_URL is not set: run `cargo xtask test`, which starts a private PostgreSQL")
    })
}

/// FNV-1a over the tables that the migrations of this very program make: a test program that was built before a
/// migration was edited must not share its template with one that was built after.
async fn fingerprint_of_migrations() -> u64 {
    let scratch = Store::connect(&options("sqlite::memory:".to_owned()))
        .await
        .expect("a database in memory opens");
    scratch
        .migrate()
        .await
        .expect("a database in memory migrates");
    let statement = Statement::from_string(
        DbBackend::Sqlite,
        "SELECT name || COALESCE(sql, '') AS line FROM sqlite_master ORDER BY name",
    );
    let lines = scratch
        .conn()
        .query_all_raw(statement)
        .await
        .expect("the tables can be listed");
    lines
        .iter()
        .flat_map(|row| {
            let line: String = row.try_get("", "line").expect("a line is text");
            line.into_bytes()
        })
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}
