//! The database gone, locked, full, read-only: each with words that say what to do, and nothing lost.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sea_orm::ConnectionTrait;
use secrecy::{ExposeSecret, SecretString};
use shared::store::{SqliteGuard, Store, StoreError, StoreOptions, jobs};
use tests::databases::{Flavour, fresh};
use uuid::Uuid;

use crate::{create_job, start};

fn options(url: &str) -> StoreOptions {
    StoreOptions {
        url: SecretString::from(url),
        max_connections: 4,
        acquire_timeout: Duration::from_millis(300),
    }
}

async fn fails(url: &str) -> StoreError {
    Store::connect(&options(url))
        .await
        .map(|store| store.address().to_owned())
        .expect_err("it must not open")
}

#[tokio::test]
async fn a_url_that_does_not_read_is_told_without_itself() {
    for url in [
        "hunter2",
        "mysql://me:hunter2@db/x",
        "postgres://me:hunter2@/x",
        "postgres://me:hunter2@db:port/x",
        "sqlite://a.db?odd=hunter2",
    ] {
        let error = fails(url).await;
        assert!(matches!(error, StoreError::BadUrl(_)), "{url}: {error:?}");
        let words = format!("{error} {error:?}");
        assert!(words.contains("database.url"), "{words}");
        assert!(!words.contains("hunter2"), "{words}");
    }
}

#[tokio::test]
async fn a_wrong_port_is_unavailable_and_shows_no_password() {
    // Bound and given back: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = fails(&format!(
        "postgres://me:hunter2@127.0.0.1:{port}/bridge?sslmode=disable"
    ))
    .await;
    assert!(error.is_transient(), "{error:?}");
    let words = format!("{error}");
    assert!(
        words.starts_with(&format!(
            "cannot open the database postgres://me@127.0.0.1:{port}/bridge: "
        )),
        "{words}"
    );
    assert!(words.contains("refused"), "{words}");
    assert!(!format!("{error:?} {words}").contains("hunter2"));
}

#[tokio::test]
async fn a_missing_postgres_database_is_told_with_what_to_do() {
    let db = fresh(Flavour::Postgres).await;
    let url = db.options.url.expose_secret().to_owned();
    let error = fails(&format!("{url}_which_is_not_there")).await;
    let words = error.to_string();
    assert!(
        words.contains("create the database that database.url names"),
        "{words}"
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_postgres_that_goes_away_comes_back_by_itself() {
    let db = fresh(Flavour::Postgres).await;
    let before = jobs::insert(db.store.conn(), &create_job(Uuid::from_u128(1)), start())
        .await
        .unwrap()
        .unwrap();
    let other = db.reopen().await;
    let tx = db.store.begin().await.unwrap();
    jobs::insert(&tx, &create_job(Uuid::from_u128(2)), start())
        .await
        .unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    other.conn().execute_unprepared(kill).await.unwrap();

    let lost = jobs::insert(&tx, &create_job(Uuid::from_u128(3)), start())
        .await
        .unwrap_err();
    assert!(
        matches!(lost, StoreError::Unavailable(_)) && lost.is_transient(),
        "{lost:?}"
    );
    assert!(
        lost.to_string().contains("the next call tries again"),
        "{lost}"
    );
    drop(tx);
    // At most one failure for each connection the pool held.
    let mut failures = 0;
    while let Err(error) = db.store.ping().await {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        failures += 1;
        assert!(
            failures <= db.options.max_connections,
            "the pool does not recover"
        );
    }
    assert!(
        jobs::find(db.store.conn(), before.id)
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        jobs::of_request(db.store.conn(), Uuid::from_u128(2))
            .await
            .unwrap()
            .is_empty(),
        "it was never committed"
    );
}

#[tokio::test]
async fn a_pool_without_a_free_connection_is_unavailable() {
    for flavour in Flavour::ALL {
        let db = fresh(flavour).await;
        let small = StoreOptions {
            max_connections: 1,
            acquire_timeout: Duration::from_secs(1),
            ..db.options.clone()
        };
        let store = Store::connect(&small).await.unwrap();
        let tx = store.begin().await.unwrap();
        let error = store.ping().await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        tx.commit().await.unwrap();
        store.ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_deadlock_is_told_as_a_race() {
    let db = fresh(Flavour::Postgres).await;
    for number in [1, 2] {
        jobs::insert(
            db.store.conn(),
            &create_job(Uuid::from_u128(number)),
            start(),
        )
        .await
        .unwrap();
    }
    let lock = async |tx: &shared::store::Tx, number: u128| {
        let sql = format!(
            "UPDATE jobs SET priority = 1 WHERE request_id = '{}'",
            Uuid::from_u128(number)
        );
        tx.execute_unprepared(&sql).await.map_err(StoreError::from)
    };
    let (one, two) = (
        db.store.begin().await.unwrap(),
        db.store.begin().await.unwrap(),
    );
    lock(&one, 1).await.unwrap();
    lock(&two, 2).await.unwrap();
    let (first, second) = tokio::join!(lock(&one, 2), async {
        let result = lock(&two, 1).await;
        drop(two);
        result
    });
    let losers: Vec<_> = [first, second]
        .into_iter()
        .filter_map(Result::err)
        .collect();
    assert_eq!(losers.len(), 1, "{losers:?}");
    assert!(
        matches!(losers[0], StoreError::Raced(_)) && losers[0].is_transient(),
        "{losers:?}"
    );
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("not/there");
    let error = fails(&format!("sqlite://{}/bridge.db", missing.display())).await;
    assert!(
        matches!(&error, StoreError::NoFolder(path) if *path == missing),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("create it or change database.url"),
        "{error}"
    );
}

#[tokio::test]
async fn a_folder_in_place_of_the_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let error = fails(&format!("sqlite://{}", folder.path().display())).await;
    let words = error.to_string();
    assert!(
        words.contains(&folder.path().display().to_string()),
        "{words}"
    );
    assert!(!error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letter.txt");
    std::fs::write(
        &file,
        "Dear reader, this is a letter and no database at all. ".repeat(50),
    )
    .unwrap();
    let error = fails(&format!("sqlite://{}", file.display())).await;
    let words = error.to_string();
    assert!(
        words.contains("letter.txt") && words.contains("no SQLite database"),
        "{words}"
    );
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .starts_with("Dear reader"),
        "and left alone"
    );
}

#[tokio::test]
async fn a_read_only_file_is_told_at_start() {
    let db = fresh(Flavour::Sqlite).await;
    let file = db.file().unwrap();
    db.store.close().await.unwrap();
    let mut rights = std::fs::metadata(&file).unwrap().permissions();
    rights.set_readonly(true);
    std::fs::set_permissions(&file, rights).unwrap();
    for url in [
        format!("sqlite://{}", file.display()),
        format!("sqlite://{}?mode=ro", file.display()),
    ] {
        let error = fails(&url).await;
        let words = error.to_string();
        assert!(words.contains(&file.display().to_string()), "{words}");
        assert!(
            words.contains("read-only; give this user write permission"),
            "{words}"
        );
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_loses_nothing() {
    let db = fresh(Flavour::Sqlite).await;
    let conn = db.store.conn();
    let before = jobs::insert(conn, &create_job(Uuid::from_u128(1)), start())
        .await
        .unwrap()
        .unwrap();
    // A limit on the pages of the file is what a full disk looks like to SQLite.
    conn.execute_unprepared("PRAGMA max_page_count = 1")
        .await
        .unwrap();
    let mut number = 2;
    let full = loop {
        match jobs::insert(conn, &create_job(Uuid::from_u128(number)), start()).await {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(full, StoreError::Full) && full.is_transient(),
        "{full:?}"
    );
    assert!(full.to_string().contains("free some space"), "{full}");
    conn.execute_unprepared("PRAGMA max_page_count = 1000000")
        .await
        .unwrap();
    assert!(jobs::find(conn, before.id).await.unwrap().is_some());
    jobs::insert(conn, &create_job(Uuid::from_u128(number)), start())
        .await
        .unwrap()
        .expect("it goes on");
}

#[tokio::test]
async fn a_file_locked_by_another_process_is_told() {
    let db = fresh(Flavour::Sqlite).await;
    let patient = StoreOptions {
        acquire_timeout: Duration::from_millis(50),
        ..db.options.clone()
    };
    let second = Store::connect(&patient).await.unwrap();
    let holding = db.store.begin().await.unwrap();
    let error = second.begin().await.map(drop).unwrap_err();
    assert!(
        matches!(error, StoreError::Locked) && error.is_transient(),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("locked by another process"),
        "{error}"
    );
    let at_start = Store::connect(&patient).await.map(drop).unwrap_err();
    assert!(
        at_start.to_string().contains("locked by another process"),
        "{at_start}"
    );
    holding.commit().await.unwrap();
    second.begin().await.unwrap().commit().await.unwrap();
}

#[test]
fn a_second_up_on_the_same_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bridge.db");
    let first = SqliteGuard::acquire(&file).unwrap();
    let error = SqliteGuard::acquire(&file).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    let words = error.to_string();
    assert!(
        words.contains("bridge.db`") && words.contains("bridge.db.lock`"),
        "{words}"
    );
    assert!(
        words.contains("stop it, or set database.url to another file"),
        "{words}"
    );
    SqliteGuard::acquire(&folder.path().join("other.db")).expect("another file is free");
    drop(first);
    SqliteGuard::acquire(&file).expect("it is free again");
    let nowhere = SqliteGuard::acquire(&folder.path().join("not/there.db")).unwrap_err();
    assert!(matches!(nowhere, StoreError::Lock { .. }), "{nowhere:?}");
}

#[tokio::test]
async fn sqlite_is_set_up_to_lose_nothing() {
    let db = fresh(Flavour::Sqlite).await;
    let pragma = async |name: &str| {
        let statement =
            sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, format!("PRAGMA {name}"));
        let row = db
            .store
            .conn()
            .query_one_raw(statement)
            .await
            .unwrap()
            .unwrap();
        row.try_get_by_index::<String>(0)
            .or_else(|_| {
                row.try_get_by_index::<i64>(0)
                    .map(|number| number.to_string())
            })
            .unwrap()
    };
    assert_eq!(pragma("journal_mode").await, "wal");
    assert_eq!(pragma("synchronous").await, "2", "FULL");
    assert_eq!(pragma("foreign_keys").await, "1");
    assert_eq!(
        db.store.address(),
        format!("`{}`", db.file().unwrap().display())
    );
}

#[tokio::test]
async fn a_database_in_memory_keeps_its_rows() {
    let store = Store::connect(&options("sqlite::memory:")).await.unwrap();
    store.migrate().await.unwrap();
    let job = jobs::insert(store.conn(), &create_job(Uuid::from_u128(1)), start())
        .await
        .unwrap()
        .unwrap();
    assert!(jobs::find(store.conn(), job.id).await.unwrap().is_some());
    assert_eq!(options("sqlite::memory:").sqlite_file(), None);
}

/// What was logged, in bytes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_line_of_any_level_holds_the_password() {
    let db = fresh(Flavour::Postgres).await;
    let mut url = url::Url::parse(db.options.url.expose_secret()).unwrap();
    url.set_password(Some("hunter2")).unwrap();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let store = Store::connect(&StoreOptions {
        url: SecretString::from(url.as_str()),
        ..db.options.clone()
    })
    .await
    .unwrap();
    jobs::insert(store.conn(), &create_job(Uuid::from_u128(1)), start())
        .await
        .unwrap();
    let tx = store.begin().await.unwrap();
    tx.commit().await.unwrap();
    tracing::info!("{} {store:?}", store.address());
    fails(&format!("{url}_which_is_not_there")).await;
    drop(guard);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("INSERT INTO jobs") && log.contains(store.address()),
        "it logs: {log}"
    );
    assert!(!log.contains("hunter2"), "{log}");
}
