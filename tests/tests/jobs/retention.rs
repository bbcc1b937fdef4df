//! What has ended goes when its time is over, and nothing else goes with it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::Method;
use scheduler::retention::tick;
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::drift::{Tally, Verdict, Window};
use shared::job::JobState;
use shared::request::RequestState;
use shared::store::audit::{self, Actor};
use shared::store::drift::{self, Report};
use shared::store::retention::{MONTHLY, ensure_months};
use shared::store::{new_id, requests, switches, tickets};
use tests::bridge::{Answer, asked};
use tests::databases::Flavour;
use tests::running::Running;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

on_both!(
    what_has_ended_goes_when_its_days_are_over,
    a_source_that_was_away_for_too_long_is_told,
    what_nobody_has_read_is_missed_all_the_same,
    two_schedulers_remove_nothing_twice,
    with_the_defaults_requests_and_audit_trail_stay,
    reports_of_comparisons_go_but_for_the_newest_of_each_table
);

const DAY: Duration = Duration::from_hours(24);

/// Everything goes at some time.
const SHORT: &str = "[retention]\nrequests_days = 120\naudit_months = 13\n";

/// A request that has ended, its source knows.
async fn ended(it: &Running, external_id: &str) -> Uuid {
    let id = it.opened(external_id, "owned").await;
    it.say(id, "fulfilled", json!({})).await;
    it.settle().await;
    assert_eq!(it.request(id).await.state, RequestState::Fulfilled);
    assert!(it.live(id).await.is_empty());
    id
}

async fn removed(it: &Running) -> u64 {
    tick(&it.bridge.scheduler).await.unwrap()
}

async fn rows(it: &Running, from: &str) -> i64 {
    let conn = it.bridge.store().conn();
    let sql = format!("SELECT COUNT(*) FROM {from}");
    let counted = Statement::from_string(conn.get_database_backend(), sql);
    let row = conn.query_one_raw(counted).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

async fn audited(it: &Running, kind: &str) -> Vec<Value> {
    let entries = audit::of_subject(it.bridge.store().conn(), "retention", kind);
    let told = entries.await.unwrap().into_iter();
    told.map(|entry| entry.detail).collect()
}

async fn what_has_ended_goes_when_its_days_are_over(it: &Running) {
    let gone = ended(it, "R1").await;
    let open = it.opened("R2", "access").await;
    let parked = it.opened("R3", "missing").await;
    assert_eq!(it.live(parked).await[0].state, JobState::Parked);
    it.advance(DAY);
    let undelivered = it.opened("R4", "owned").await;
    it.receiver.plan(503, &[]);
    it.say(undelivered, "fulfilled", json!({})).await;
    it.settle().await;
    let waiting = it.live(undelivered).await;
    assert_eq!(waiting.len(), 1, "the callback is tried again later");
    let kept = async || {
        let mut kept = Vec::new();
        for id in [open, parked, undelivered] {
            let events = rows(it, &events_of(it, id)).await;
            kept.push((it.jobs(id).await.len(), it.attempts(id).await.len(), events));
        }
        kept
    };
    let before = kept().await;
    assert!(before.iter().all(|it| it.0 > 0 && it.2 > 0), "{before:?}");

    it.advance(88 * DAY);
    assert_eq!(removed(it).await, 0, "89 days are not more than 90");
    let dead = it.ask("R5", "access").await;
    kill(it, dead).await;
    it.advance(2 * DAY);
    assert!(removed(it).await > 0);
    assert!(it.jobs(gone).await.is_empty());
    assert_eq!(rows(it, &events_of(it, gone)).await, 0);
    assert!(!it.attempts(gone).await.is_empty(), "for months");
    assert_eq!(it.request(gone).await.state, RequestState::Fulfilled);
    assert_eq!(kept().await, before);
    assert_eq!(it.jobs(dead).await[0].state, JobState::Dead);
    assert!(!it.audit(gone).await.is_empty(), "the trail stays");
    let said = audited(it, "jobs").await;
    assert_eq!(said.len(), 1);
    let until: DateTime<Utc> = said[0]["until"].as_str().unwrap().parse().unwrap();
    assert_eq!(until, it.bridge.clock.now() - 90 * DAY);

    it.advance(90 * DAY);
    removed(it).await;
    assert!(it.jobs(dead).await.is_empty(), "its days are over");
    assert_eq!(kept().await, before, "whatever their age");
}

fn events_of(it: &Running, id: Uuid) -> String {
    if it.bridge.store().is_postgres() {
        format!("events WHERE request_id = '{id}'")
    } else {
        format!("events WHERE request_id = x'{}'", id.simple())
    }
}

/// The job of a request that was just taken in dies.
async fn kill(it: &Running, id: Uuid) {
    let conn = it.bridge.store().conn();
    let id = if it.bridge.store().is_postgres() {
        format!("'{id}'")
    } else {
        format!("x'{}'", id.simple())
    };
    let moment = it.bridge.clock.now().to_rfc3339();
    for change in [
        format!("UPDATE jobs SET state = 'dead', finished_at = '{moment}' WHERE request_id = {id}"),
        format!("UPDATE requests SET state = 'denied', closed_at = '{moment}' WHERE id = {id}"),
    ] {
        conn.execute_unprepared(&change).await.unwrap();
    }
}

async fn a_source_that_was_away_for_too_long_is_told(it: &Running) {
    ended(it, "R1").await;
    let early = cursor(&it.idm.get("/v1/events").await);
    ended(it, "R2").await;
    let late = cursor(&it.idm.get(&format!("/v1/events?after={early}")).await);
    it.advance(91 * DAY);
    let young = it.opened("R3", "access").await;
    assert!(removed(it).await > 0);

    let path = format!("/v1/events?after={early}");
    let told = it.idm.get(&path).await;
    assert_eq!(told.status, 410, "{}", told.body);
    assert_eq!(told.body["type"], "urn:ticketbridge:problem:events-removed");
    let newest = cursor(&told);
    let stream = Answer::of(
        it.idm
            .call(Method::GET, "/v1/events/stream")
            .header("Last-Event-ID", &early),
    );
    let stream = stream.await;
    assert_eq!((stream.status, cursor(&stream)), (410, newest.clone()));

    let about = |answer: &Answer| -> Vec<Value> {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let items = answer.body["items"].as_array().unwrap();
        items.iter().map(|it| it["data"]["id"].clone()).collect()
    };
    let caught_up = it.idm.get(&format!("/v1/events?after={newest}")).await;
    assert_eq!(about(&caught_up), [] as [Value; 0]);
    let on = it.idm.get(&format!("/v1/events?after={late}")).await;
    assert!(!about(&on).is_empty());
    assert!(about(&on).iter().all(|id| *id == young.to_string()));
    let all = it.idm.get("/v1/events").await;
    assert_eq!(about(&all), about(&on), "from the oldest that is kept");
}

async fn what_nobody_has_read_is_missed_all_the_same(it: &Running) {
    ended(it, "R1").await;
    let early = cursor(&it.idm.get("/v1/events").await);
    ended(it, "R2").await;
    it.advance(91 * DAY);
    assert!(removed(it).await > 0);
    assert_eq!(rows(it, "events").await, 0);
    let told = it.idm.get(&format!("/v1/events?after={early}")).await;
    assert_eq!(told.status, 410, "{}", told.body);
    let newest = cursor(&told);
    let id = it.opened("R3", "access").await;
    let news = it.idm.get(&format!("/v1/events?after={newest}")).await;
    assert_eq!(news.status, 200, "{}", news.body);
    assert_eq!(news.body["items"][0]["data"]["id"], id.to_string());
}

fn cursor(answer: &Answer) -> String {
    let cursor = answer.body["next_cursor"].as_str();
    cursor
        .unwrap_or_else(|| panic!("no cursor: {}", answer.body))
        .to_owned()
}

async fn two_schedulers_remove_nothing_twice(it: &Running) {
    ended(it, "R1").await;
    let old = it.jobs(it_id(it, "R1").await).await.remove(0);
    let copies = if it.bridge.store().is_postgres() {
        format!(
            "INSERT INTO jobs (id, kind, lane, payload, state, priority, due_at, created_at, updated_at, finished_at) \
             SELECT (left(id::text, 24) || lpad(to_hex(n), 12, '0'))::uuid, kind, lane, payload, state, priority, due_at, \
             created_at, updated_at, finished_at FROM jobs, generate_series(1, 7000) AS n WHERE id = '{}'",
            old.id
        )
    } else {
        format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 7000) \
             INSERT INTO jobs (id, kind, lane, payload, state, priority, due_at, created_at, updated_at, finished_at) \
             SELECT CAST(substr(id, 1, 10) || unhex(printf('%012x', n)) AS BLOB), kind, lane, payload, state, priority, due_at, \
             created_at, updated_at, finished_at FROM jobs, n WHERE id = x'{}'",
            old.id.simple()
        )
    };
    let conn = it.bridge.store().conn();
    conn.execute_unprepared(&copies).await.unwrap();
    it.advance(91 * DAY);
    let all = u64::try_from(rows(it, "jobs").await + rows(it, "events").await).unwrap();
    let other = it.bridge.another_scheduler().await;
    let mut sum = 0;
    for _ in 0..3 {
        let (one, two) = tokio::join!(tick(&it.bridge.scheduler), tick(&other));
        sum += one.unwrap() + two.unwrap();
    }
    assert_eq!(sum, all);
    assert_eq!(rows(it, "jobs").await, 0);
    let said: Vec<_> = audited(it, "jobs").await;
    let said: u64 = said.iter().filter_map(|it| it["rows"].as_u64()).sum();
    assert_eq!(said + u64::try_from(audited_events(it).await).unwrap(), all);
}

async fn audited_events(it: &Running) -> i64 {
    let said = audited(it, "events").await;
    said.iter().filter_map(|it| it["rows"].as_i64()).sum()
}

async fn it_id(it: &Running, external_id: &str) -> Uuid {
    let conn = it.bridge.store().conn();
    let found = requests::by_natural_key(conn, "idm", external_id).await;
    found.unwrap().unwrap().id
}

async fn with_the_defaults_requests_and_audit_trail_stay(it: &Running) {
    let id = ended(it, "R1").await;
    let trail = it.audit(id).await;
    it.advance(5 * 365 * DAY);
    assert!(removed(it).await > 0);
    assert!(it.attempts(id).await.is_empty());
    assert_eq!(it.audit(id).await, trail);
    assert_eq!(it.idm.get(&format!("/v1/requests/{id}")).await.status, 200);
}

#[tokio::test]
async fn requests_go_with_all_that_hangs_on_them() {
    for flavour in Flavour::ALL {
        let it = &Running::with(flavour, SHORT).await;
        let gone = ended(it, "R1").await;
        it.say(gone, "fulfilled", json!({})).await;
        let open = it.opened("R2", "access").await;
        let named = ended(it, "R3").await;
        it.advance(119 * DAY);
        let again = it
            .idm
            .call(Method::POST, "/v1/requests")
            .header("Idempotency-Key", "late")
            .json(&asked("R3", "owned"));
        assert_eq!(Answer::of(again).await.id(), named);
        let dead = it.ask("R4", "owned").await;
        kill(it, dead).await;
        it.advance(2 * DAY);
        removed(it).await;
        let conn = it.bridge.store().conn();
        assert_eq!(requests::find(conn, gone).await.unwrap(), None);
        assert_eq!(tickets::of_request(conn, gone).await.unwrap(), None);
        assert!(it.jobs(gone).await.is_empty() && it.attempts(gone).await.is_empty());
        assert!(
            !it.audit(gone).await.is_empty(),
            "the trail has its own time"
        );
        assert_eq!(it.request(open).await.state, RequestState::Open);
        assert_eq!(it.request(named).await.id, named, "a key names it");
        assert_eq!(audited(it, "requests").await[0]["rows"], 1);
        let anew = it.idm.post("/v1/requests", &asked("R1", "owned")).await;
        assert_eq!(anew.status, 202, "{}", anew.body);
        assert_ne!(anew.id(), gone, "nobody remembers the first");

        it.advance(29 * DAY);
        removed(it).await;
        assert_eq!(requests::find(conn, named).await.unwrap(), None);
        assert_eq!(it.request(dead).await.id, dead);
        it.advance(62 * DAY);
        removed(it).await;
        assert!(it.jobs(dead).await.is_empty(), "its days are over");
        it.advance(30 * DAY);
        removed(it).await;
        assert_eq!(requests::find(conn, dead).await.unwrap(), None);
        it.advance(400 * DAY);
        removed(it).await;
        assert!(it.audit(gone).await.is_empty(), "13 months are over");
        assert!(!it.audit(open).await.is_empty(), "it is open still");
        assert!(!it.attempts(open).await.is_empty());
    }
}

#[tokio::test]
async fn months_are_made_ahead_and_dropped() {
    let it = &Running::with(Flavour::Postgres, "[retention]\naudit_months = 13\n").await;
    removed(it).await;
    for month in ["2026_03", "2026_04", "2026_05"] {
        assert_eq!(rows(it, &format!("attempts_{month}")).await, 0);
    }
    let gone = ended(it, "R1").await;
    let open = it.opened("R2", "access").await;
    let runs = rows(it, "attempts_2026_03").await;
    let (of_gone, of_open) = (it.attempts(gone).await.len(), it.attempts(open).await.len());
    assert!(of_gone > 0 && of_open > 0);
    assert!(rows(it, "audit_entries_2026_03").await > 0);
    assert_eq!(rows(it, "attempts_default").await, 0);

    // Nobody has made the month in which this happens.
    it.advance(100 * DAY);
    let late = it.opened("R3", "access").await;
    assert_eq!(
        rows(it, "attempts_default").await,
        i64::try_from(it.attempts(late).await.len()).unwrap()
    );
    removed(it).await;
    assert_eq!(rows(it, "attempts_default").await, 0);
    assert!(rows(it, "attempts_2026_06").await > 0, "it has moved");
    assert!(!it.attempts(late).await.is_empty());

    it.advance(320 * DAY); // 2027-04-26
    removed(it).await;
    assert_eq!(rows(it, "attempts_2026_03").await, runs, "13 whole months");
    it.advance(5 * DAY);
    assert!(removed(it).await > 0);
    let months = "pg_class WHERE relname IN ('attempts_2026_03', 'audit_entries_2026_03')";
    assert_eq!(rows(it, months).await, 0);
    assert_eq!(it.attempts(open).await.len(), of_open, "it is open still");
    assert!(!it.audit(open).await.is_empty());
    assert!(it.attempts(gone).await.is_empty() && it.audit(gone).await.is_empty());
    let said = audited(it, "attempts").await;
    let dropped: Vec<_> = said
        .iter()
        .filter(|it| it["partition"] == "attempts_2026_03")
        .collect();
    assert_eq!(dropped.len(), 1);
    assert_eq!(dropped[0]["until"], "2026-04-01T00:00:00Z");
    assert_eq!(
        rows(it, "attempts_2027_07").await,
        0,
        "months go on being made"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_while_its_month_is_made_goes_there() {
    let it = &Running::start(Flavour::Postgres).await;
    let now = it.bridge.clock.now();
    let making = it.bridge.store().begin().await.unwrap();
    let [_, trail] = MONTHLY;
    ensure_months(&making, trail, now, 0).await.unwrap();
    let store = it.bridge.store().clone();
    let writing = TaskTracker::new().spawn(async move {
        let actor = Actor::Operator("dana.manager".to_owned());
        switches::set(store.conn(), "route:access", false, None, &actor, now).await
    });
    while rows(
        it,
        "pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database \
                    WHERE datname = current_database())",
    )
    .await
        == 0
    {
        tokio::task::yield_now().await;
    }
    making.commit().await.unwrap();
    writing.await.unwrap().unwrap();
    assert_eq!(rows(it, "audit_entries_default").await, 0);
    let written = "audit_entries_2026_03 WHERE action = 'switch.set'";
    assert_eq!(rows(it, written).await, 1);
}

async fn reports_of_comparisons_go_but_for_the_newest_of_each_table(it: &Running) {
    let conn = it.bridge.store().conn();
    let report = |table: &str| Report {
        id: new_id(it.bridge.clock.now()),
        connection: "main".into(),
        table: table.into(),
        window: Window {
            from: "2026-02-02 09:00:00".into(),
            to: "2026-03-02 09:00:00".into(),
        },
        started_at: it.bridge.clock.now(),
        finished_at: Some(it.bridge.clock.now()),
        expected: 0,
        found: 0,
        tally: Tally::default(),
        verdict: Some(Verdict::Clean),
        reason: None,
        findings: Vec::new(),
    };
    for table in ["incident", "incident", "sc_task"] {
        drift::put(conn, &report(table)).await.unwrap();
        it.advance(Duration::from_secs(1));
    }
    it.advance(89 * DAY);
    let young = report("incident");
    drift::put(conn, &young).await.unwrap();
    removed(it).await;
    assert_eq!(
        rows(it, "drift_reports").await,
        4,
        "89 days are not more than 90"
    );
    it.advance(2 * DAY);
    removed(it).await;
    let left = drift::newest(conn, None, 10).await.unwrap();
    let tables: Vec<_> = left.iter().map(|it| it.table.as_str()).collect();
    assert_eq!(tables, ["incident", "sc_task"]);
    assert_eq!(left[0].id, young.id);
    let said = audited(it, "drift_reports").await;
    assert_eq!(said[0]["rows"], 2);
}
