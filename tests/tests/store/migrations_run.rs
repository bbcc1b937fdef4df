//! Migrations go up and down over sample data.

use migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Statement};
use shared::alert::{AlertName, Told};
use shared::drift::{Tally, Window};
use shared::operator::Role;
use shared::request::RequestState;
use shared::store::alerts::messages::{self, NewMessage};
use shared::store::audit::{self, Actor};
use shared::store::credentials::{self, Seen};
use shared::store::requests::{self, Change};
use shared::store::{
    StoreError, alerts, attempts, cadences, choice_lists, circuits, connection_checks, cursors,
    drift, idempotency, jobs, lane_limits, minutes, new_id, notes, operations, operators, people,
    processes, sources, state_maps, switches, table_facts, tickets,
};
use shared::ticket::TicketKind;
use std::time::Duration;
use tests::databases::{Flavour, TestDatabase, empty, fresh};
use uuid::Uuid;

use crate::{create_job, start, stored_request, together};

on_both!(
    all_the_way_down_and_up_over_sample_data,
    each_step_down_and_up_over_sample_data,
    runs_and_audit_trail_survive_months_and_the_way_back,
    a_migrated_database_is_ready
);

/// A row, or more, in every table.
async fn fill(db: &TestDatabase) {
    fill_requests(db).await;
    fill_the_rest(db).await;
    fill_operators(db).await;
    for table in tables(&db.store).await {
        let rows = count(db, &format!("SELECT COUNT(*) FROM {table}")).await;
        assert!(rows > 0, "{table} has no sample row");
    }
}

/// A request with all that hangs on it.
async fn fill_requests(db: &TestDatabase) {
    let (conn, now) = (db.store.conn(), start());
    let request = stored_request(db, "R-1", true).await;
    let ticket = tickets::NewTicket {
        request_id: request.id,
        connection: "main".into(),
        kind: TicketKind::Table("incident".into()),
        sys_id: Some("aa".into()),
        correlation_id: "TB-1".into(),
    };
    tickets::insert(conn, &ticket, now).await.unwrap();
    let job = jobs::insert(conn, &create_job(request.id), now)
        .await
        .unwrap()
        .unwrap();
    let attempt = attempts::NewAttempt {
        job_id: job.id,
        request_id: Some(request.id),
        number: 1,
        token: 1,
        worker: "w1".into(),
        started_at: now,
        finished_at: now,
        outcome: "done".into(),
        class: None,
        http_status: Some(201),
        transaction_id: None,
        message: None,
        calls: Vec::new(),
    };
    attempts::insert(conn, &attempt).await.unwrap();
    let note = notes::Note {
        id: new_id(now),
        request_id: request.id,
        author: "requester.one".into(),
        text: "please".into(),
        visible: true,
        marker: "[tb:1]".into(),
        first_sent_at: None,
        last_sent_at: None,
        sent_at: None,
        created_at: now,
    };
    notes::insert(conn, &note).await.unwrap();
    let open = Change {
        state: Some(RequestState::Open),
        ..Change::default()
    };
    let actor = Actor::System("worker");
    requests::apply(conn, &request, &open, &actor, "request.moved", now)
        .await
        .unwrap();
    idempotency::remember(conn, "idm", "k", b"body", request.id, now)
        .await
        .unwrap();
}

/// What people who operate the bridge leave behind.
async fn fill_operators(db: &TestDatabase) {
    let (conn, now) = (db.store.conn(), start());
    let actor = Actor::Operator("vera".into());
    operators::create(conn, "vera", Role::Operator, None, &actor, now)
        .await
        .unwrap();
    let hash = sources::hash("tbo_one");
    operators::create_token(conn, "vera", "first", &hash, None, &actor, now)
        .await
        .unwrap();
    operators::open(
        conn,
        &hash,
        "vera",
        "192.0.2.1",
        now + Duration::from_hours(1),
        now,
    )
    .await
    .unwrap();
    operators::begin_sign_in(conn, &hash, "/console", now)
        .await
        .unwrap();
    operators::refuse(conn, &["name:vera".to_owned()], now)
        .await
        .unwrap();
    let operation = operations::NewOperation {
        action: jobs::JobAction::Retry,
        filter: jobs::JobFilter::default(),
        ids: Vec::new(),
        waits_for_circuit: false,
        per_minute: Some(60),
        reason: None,
        operator: "vera".into(),
        address: "192.0.2.1".into(),
        matched: 1,
    };
    operations::start(conn, &operation, now).await.unwrap();
    let later = now + Duration::from_mins(2);
    assert!(audit::seal(&db.store, later).await.unwrap() > 0);
    let tx = db.store.begin().await.unwrap();
    assert!(minutes::fold(&tx, later).await.unwrap().is_some());
    tx.commit().await.unwrap();
}

/// Read twice: the second reading takes the place of the first.
async fn fill_choices(db: &TestDatabase) {
    let (conn, now) = (db.store.conn(), start());
    let reading = choice_lists::Reading {
        connection: "main".into(),
        table: "incident".into(),
        read_at: now,
        problem: None,
        lists: Vec::new(),
    };
    choice_lists::put(conn, &reading).await.unwrap();
    choice_lists::put(conn, &reading).await.unwrap();
    assert_eq!(choice_lists::all(conn).await.unwrap(), [reading]);
}

/// What does not hang on a request.
async fn fill_the_rest(db: &TestDatabase) {
    let (conn, now) = (db.store.conn(), start());
    sources::create_token(conn, "idm", "first", &sources::hash("tb_one"), None, now)
        .await
        .unwrap();
    let cadence = cadences::CadenceSpec {
        name: "a".into(),
        kind: "changes".into(),
        connection: "main".into(),
        table: "incident".into(),
        every: Duration::from_secs(30),
    };
    cadences::ensure(conn, &cadence, now).await.unwrap();
    let cursor = cursors::Cursor {
        name: "a".into(),
        updated_on: "2026-03-02 09:00:00".into(),
        sys_id: "aa".into(),
        zone_checked_at: None,
        version: 0,
    };
    assert!(cursors::put(conn, None, &cursor).await.unwrap());
    let report = drift::Report {
        id: new_id(now),
        connection: "main".into(),
        table: "incident".into(),
        window: Window {
            from: "2026-02-02 09:00:00".into(),
            to: "2026-03-02 09:00:00".into(),
        },
        started_at: now,
        finished_at: None,
        expected: 1,
        found: 1,
        tally: Tally::default(),
        verdict: None,
        reason: None,
        findings: Vec::new(),
    };
    drift::put(conn, &report).await.unwrap();
    alerts::ensure(conn, now).await.unwrap();
    let message = NewMessage {
        alert: AlertName::DeadJobs,
        told: Told::Fired,
        destination: "oncall".into(),
        subject: "1 dead job".into(),
        body: serde_json::json!({"text": "1 dead job"}),
    };
    messages::insert_all(conn, &[message], now).await.unwrap();
    let process = processes::Process {
        id: "w1".into(),
        kind: "worker".into(),
        host: "host-1".into(),
        version: "0.1.0".into(),
        lanes: vec!["callback".into()],
        started_at: now,
    };
    processes::register(conn, &process, now, now).await.unwrap();
    circuits::open(conn, "main", "auth", "wrong secret", now, now)
        .await
        .unwrap();
    people::put(conn, "main", "person.one", "s1", "Person One", now)
        .await
        .unwrap();
    table_facts::set_honours(conn, "main", "incident", true)
        .await
        .unwrap();
    fill_choices(db).await;
    connection_checks::ask(conn, new_id(now), "main", "operator:vera", now)
        .await
        .unwrap();
    let seen = Seen {
        connection: "main",
        fingerprint: "f1",
        worked_at: Some(now),
        refused_at: None,
        refused: 0,
    };
    credentials::note(conn, &seen, now).await.unwrap();
    let actor = Actor::Operator("op.one".into());
    switches::set(conn, "route:sap", false, None, &actor, now)
        .await
        .unwrap();
    let limit = lane_limits::Change {
        lane: "callback",
        before: None,
        after: Some(2),
        reason: None,
    };
    assert!(
        lane_limits::change(conn, &limit, &actor, now)
            .await
            .unwrap()
    );
    state_maps::announce(conn, "sap", "f1", now).await.unwrap();
    let start_of_feed = "INSERT INTO feed_starts (source, place) VALUES ('idm', 1)";
    conn.execute_unprepared(start_of_feed).await.unwrap();
}

async fn count(db: &TestDatabase, sql: &str) -> i64 {
    let statement = Statement::from_string(db.store.conn().get_database_backend(), sql);
    db.store
        .conn()
        .query_one_raw(statement)
        .await
        .unwrap()
        .unwrap()
        .try_get_by_index(0)
        .unwrap()
}

/// Our tables, without those of the migrator and of SQLite.
async fn tables(store: &shared::store::Store) -> Vec<String> {
    let sql = if store.is_postgres() {
        "SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
         AND NOT relispartition ORDER BY 1"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1"
    };
    let rows = store
        .conn()
        .query_all_raw(Statement::from_string(
            store.conn().get_database_backend(),
            sql,
        ))
        .await
        .unwrap();
    let names = rows
        .into_iter()
        .map(|row| row.try_get::<String>("", "name").unwrap());
    names
        .filter(|name| name != "seaql_migrations" && !name.starts_with("sqlite_"))
        .collect()
}

/// Tables with their columns, indexes and sequences, in words of the database.
async fn schema(db: &TestDatabase) -> Vec<String> {
    let sql = if db.store.is_postgres() {
        "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') AS line \
         FROM information_schema.columns WHERE table_schema = 'public' \
         UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
         UNION ALL SELECT 'sequence ' || sequencename FROM pg_sequences ORDER BY 1"
    } else {
        "SELECT name || ' ' || coalesce(sql, '') AS line FROM sqlite_master WHERE name <> 'sqlite_sequence' ORDER BY 1"
    };
    let rows = db
        .store
        .conn()
        .query_all_raw(Statement::from_string(
            db.store.conn().get_database_backend(),
            sql,
        ))
        .await
        .unwrap();
    rows.into_iter()
        .map(|row| row.try_get("", "line").unwrap())
        .collect()
}

async fn all_the_way_down_and_up_over_sample_data(db: &TestDatabase) {
    let before = schema(db).await;
    fill(db).await;
    Migrator::down(db.store.conn(), None).await.unwrap();
    assert!(
        tables(&db.store).await.is_empty(),
        "nothing of ours is left"
    );
    let applied = db.store.migrate().await.unwrap();
    assert_eq!(applied.len(), Migrator::migrations().len());
    assert_eq!(schema(db).await, before);
    fill(db).await;
}

async fn each_step_down_and_up_over_sample_data(db: &TestDatabase) {
    fill(db).await;
    let steps = u32::try_from(Migrator::migrations().len()).unwrap();
    let mut shapes = vec![schema(db).await];
    for _ in 0..steps {
        Migrator::down(db.store.conn(), Some(1)).await.unwrap();
        shapes.push(schema(db).await);
    }
    assert!(tables(&db.store).await.is_empty());
    shapes.pop();
    while let Some(shape) = shapes.pop() {
        Migrator::up(db.store.conn(), Some(1)).await.unwrap();
        assert_eq!(schema(db).await, shape);
    }
    fill(db).await;
}

async fn runs_and_audit_trail_survive_months_and_the_way_back(db: &TestDatabase) {
    fill(db).await;
    let conn = db.store.conn();
    let id = requests::by_natural_key(conn, "idm", "R-1")
        .await
        .unwrap()
        .unwrap()
        .id;
    let told = async || {
        let runs = attempts::of_request(conn, id).await.unwrap();
        (runs, audit::of_request(conn, id).await.unwrap())
    };
    let before = told().await;
    assert_eq!((before.0.len(), before.1.len()), (1, 2));
    let mut last = before.1[1].id;
    // Down to plain tables and up again: first what lay in the default partition, then what has become one.
    for on in [true, false] {
        let steps = Migrator::migrations();
        let partitions = steps
            .iter()
            .position(|step| step.name().ends_with("partitions"));
        let back = u32::try_from(steps.len() - partitions.unwrap()).unwrap();
        Migrator::down(conn, Some(back)).await.unwrap();
        assert_eq!(told().await, before);
        Migrator::up(conn, None).await.unwrap();
        assert_eq!(told().await, before);
        let actor = Actor::Operator("op.one".into());
        switches::set(conn, "route:sap", on, None, &actor, start())
            .await
            .unwrap();
        let of_switch = audit::of_subject(conn, "switch", "route:sap")
            .await
            .unwrap();
        assert!(of_switch.last().unwrap().id > last, "an id is given once");
        last = of_switch.last().unwrap().id;
    }
    if db.store.is_postgres() {
        for table in ["attempts_before_2026_04", "audit_entries_before_2026_04"] {
            assert!(count(db, &format!("SELECT COUNT(*) FROM {table}")).await > 0);
        }
    }
}

async fn a_migrated_database_is_ready(db: &TestDatabase) {
    db.store.ensure_migrated().await.unwrap();
    assert!(db.store.pending_migrations().await.unwrap().is_empty());
    assert!(
        db.store.migrate().await.unwrap().is_empty(),
        "nothing is left to do"
    );
    let known = [
        "alert_messages",
        "alerts",
        "attempts",
        "audit_entries",
        "audit_seals",
        "cadences",
        "choice_lists",
        "circuits",
        "connection_checks",
        "credentials",
        "cursors",
        "drift_reports",
        "events",
        "feed_starts",
        "figures",
        "idempotency_keys",
        "jobs",
        "lane_limits",
        "login_refusals",
        "minutes",
        "notes",
        "operations",
        "operator_sessions",
        "operator_tokens",
        "operators",
        "people",
        "processes",
        "requests",
        "retention_walks",
        "sign_ins",
        "source_tokens",
        "sources",
        "state_maps",
        "switches",
        "table_facts",
        "tickets",
    ];
    assert_eq!(tables(&db.store).await, known);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_migration_is_told_with_the_command() {
    for flavour in Flavour::ALL {
        let db = empty(flavour).await;
        let names: Vec<_> = Migrator::migrations()
            .iter()
            .map(|step| step.name().to_owned())
            .collect();
        assert_eq!(db.store.pending_migrations().await.unwrap(), names);
        assert!(tables(&db.store).await.is_empty(), "asking changes nothing");
        let error = db.store.ensure_migrated().await.unwrap_err();
        assert!(matches!(&error, StoreError::NotMigrated(missing) if *missing == names));
        assert!(
            error.to_string().contains("run `ticketbridge migrate`"),
            "{error}"
        );
        assert!(!error.is_transient());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_database_is_refused() {
    for flavour in Flavour::ALL {
        let db = fresh(flavour).await;
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_newer', 1)";
        db.store.conn().execute_unprepared(newer).await.unwrap();
        for error in [
            db.store.ensure_migrated().await.unwrap_err(),
            db.store.migrate().await.unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::TooNew(_)), "{error:?}");
            let words = error.to_string();
            assert!(
                words.contains("newer version") && words.contains("m29991231_000001_newer"),
                "{words}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_migrate_one_after_the_other() {
    for flavour in Flavour::ALL {
        let db = empty(flavour).await;
        let applied = together(
            &db.store,
            3,
            |store, _| async move { store.migrate().await },
        )
        .await;
        let counts: Vec<_> = applied
            .iter()
            .map(Vec::len)
            .filter(|count| *count > 0)
            .collect();
        assert_eq!(
            counts,
            [Migrator::migrations().len()],
            "one applies all, the others find nothing to do"
        );
        db.store.ensure_migrated().await.unwrap();
    }
}

#[test]
fn ids_grow_with_time() {
    let mut ids: Vec<Uuid> = (0..100)
        .map(|second| new_id(start() + chrono::TimeDelta::seconds(second)))
        .collect();
    assert!(ids.is_sorted());
    ids.dedup();
    assert_eq!(ids.len(), 100);
    assert_eq!(ids[0].get_version_num(), 7);
    assert_ne!(new_id(start()), new_id(start()));
}
