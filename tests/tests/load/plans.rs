//! A large past does not slow the present: with a million jobs in the database, no statement of the running system reads a
//! large table from end to end, or many rows of it for a few.
//!
//! Nothing is copied from the program: PostgreSQL itself (`auto_explain`) tells how it ran each statement that it was sent.

use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use shared::clock::Clock as _;
use shared::job::JobKind;
use shared::operator::Role;
use shared::store::jobs::Ending;
use shared::store::{Store, drift, jobs, minutes};
use simulator::AgentAction;
use tests::bridge::asked;
use tests::databases::{Flavour, TestDatabase, fresh};
use tests::looks::LOOKS;
use tests::past::{self, LARGE, Past};
use tests::running::Running;

mod explained;
mod seed;

use explained::Explained;

/// So that everything there is has something that is to be removed.
const KEEP_SHORT: &str = "[retention]\nrequests_days = 120\naudit_months = 13\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_walks_through_the_past() {
    let database = fresh(Flavour::Postgres).await;
    seed::a_large_past(database.store.conn()).await;
    let explained = explained::listen();
    explained::switch_on(database.store.conn()).await;
    let store = database.reopen().await;
    let it = Running::over(database, store, KEEP_SHORT).await;
    take_in_and_work(&it).await;
    ask_for_everything(&it).await;
    operate(&it).await;
    look_after(&it).await;
    fold_the_minutes(&it).await;
    remove_what_is_old(&it).await;
    let of_the_bridge = explained.plans().len();
    look_as_an_operator(&it).await;
    // The last plans may still be on their way.
    it.bridge.store().close().await.unwrap();
    let mut plans = explained.plans();
    let of_operators = plans.split_off(of_the_bridge);
    assert!(
        plans.len() > 60,
        "only {} statements were seen",
        plans.len()
    );
    for table in LARGE {
        let seen = plans.iter().any(|plan| plan.reads(table));
        assert!(seen, "nothing has looked into {table}");
    }
    assert!(
        of_operators.len() > 100,
        "only {} statements of operators were seen",
        of_operators.len()
    );
    let bad: Vec<_> = plans
        .iter()
        .filter_map(|plan| plan.problem(explained::MOST))
        .chain(
            of_operators
                .iter()
                .filter_map(|plan| plan.problem(explained::WINDOW)),
        )
        .collect();
    assert!(
        bad.is_empty(),
        "{} of {} and {}:\n{}",
        bad.len(),
        plans.len(),
        of_operators.len(),
        bad.join("\n\n")
    );
}

/// The statistics of a quiet night know of no job that is due; then the day begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_after_a_quiet_night_is_not_compared_with_each_bell() {
    let (_database, explained, store) = the_backlog_after_a_quiet_night().await;
    let conn = store.conn();
    let now = "2026-03-02T08:00:00Z".parse().unwrap();
    let room = [("create-ticket@main".to_owned(), 200)];
    let taken = jobs::take_due(conn, now, &room).await.unwrap();
    assert_eq!(taken.len(), 200);
    let ids: Vec<_> = taken.iter().map(|job| job.id).collect();
    let claimed = jobs::claim(conn, &ids, "worker-1", now).await.unwrap();
    assert_eq!(claimed.len(), 200);
    let again = jobs::take_due(conn, now, &room).await.unwrap();
    let lost = jobs::ring_again(
        conn,
        "create-ticket@main",
        now + TimeDelta::seconds(9),
        now,
        200,
    );
    assert_eq!(lost.await.unwrap().len(), again.len());
    jobs::lanes_waiting(conn, now).await.unwrap();
    store.close().await.unwrap();
    let plans = explained.plans();
    assert!(plans.iter().filter(|plan| plan.reads("jobs")).count() >= 4);
    let bad: Vec<_> = plans
        .iter()
        .filter_map(|plan| plan.problem(explained::MOST))
        .collect();
    assert!(bad.is_empty(), "{}", bad.join("\n\n"));
}

const BACKLOG: &str = "INSERT INTO jobs (id, kind, lane, connection, payload, state, priority, due_at, lease_token, worker_deaths, again, \
     created_at, updated_at, dedup_key) \
     SELECT gen_random_uuid(), 'create_ticket.v1', 'create-ticket@main', 'main', '{}', 'due', 2, timestamptz '2026-03-02', 0, 0, false, \
     timestamptz '2026-03-02', timestamptz '2026-03-02', 'create:new-' || n FROM generate_series(1, 4000) AS n";

/// The same morning; all of the backlog is under way, and no vacuum has been there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_run_is_not_looked_for_among_all_that_run() {
    let (_database, explained, store) = the_backlog_after_a_quiet_night().await;
    let conn = store.conn();
    let now = "2026-03-02T08:00:00Z".parse().unwrap();
    let room = [("create-ticket@main".to_owned(), 4_000)];
    let taken = jobs::take_due(conn, now, &room).await.unwrap();
    let ids: Vec<_> = taken.iter().map(|job| job.id).collect();
    let claimed = jobs::claim(conn, &ids, "worker-1", now).await.unwrap();
    assert_eq!(claimed.len(), 4_000);
    // From the sixth time on PostgreSQL may plan without a look at the values.
    for some in claimed.chunks(10).take(10) {
        let runs: Vec<_> = some.iter().map(|job| (job.id, &job.lease)).collect();
        let ended = jobs::finish_all(conn, &runs, &Ending::Done, now).await;
        assert_eq!(ended.unwrap(), 10);
    }
    store.close().await.unwrap();
    let plans = explained.plans();
    let ends: Vec<_> = plans
        .iter()
        .filter(|plan| plan.says("lease_token = token"))
        .collect();
    assert_eq!(ends.len(), 10);
    let bad: Vec<_> = ends.iter().filter_map(|plan| plan.problem(100.0)).collect();
    assert!(bad.is_empty(), "{}", bad.join("\n\n"));
}

async fn the_backlog_after_a_quiet_night() -> (TestDatabase, Explained, Store) {
    let database = fresh(Flavour::Postgres).await;
    past::fill(database.store.conn(), &Past::of(10_000), &[]).await;
    let explained = explained::listen();
    explained::switch_on(database.store.conn()).await;
    let store = database.reopen().await;
    store.conn().execute_unprepared(BACKLOG).await.unwrap();
    (database, explained, store)
}

/// The life of requests, from intake to callback.
async fn take_in_and_work(it: &Running) {
    let items: Vec<_> = (0..20)
        .map(|number| asked(&format!("B{number}"), "access"))
        .collect();
    it.idm
        .post("/v1/requests:batch", &json!({ "items": items }))
        .await;
    let keyed = it
        .idm
        .call(reqwest::Method::POST, "/v1/requests")
        .header("Idempotency-Key", "one")
        .json(&asked("K1", "access"));
    assert_eq!(tests::bridge::Answer::of(keyed).await.status, 202);
    for category in ["access", "owned", "task", "order", "personal", "missing"] {
        it.ask(category, category).await;
    }
    it.settle().await;
    let owned = it.opened("owned-2", "owned").await;
    it.say(
        owned,
        "approved",
        json!({"comment": "The site manager agrees."}),
    )
    .await;
    it.settle().await;
    it.say(owned, "fulfilled", json!({})).await;
    let cancelled = it.ask("cancelled", "access").await;
    it.idm
        .post(&format!("/v1/requests/{cancelled}/cancel"), &json!({}))
        .await;
    it.settle().await;
    for ticket in it.records("incident").iter().take(5) {
        it.agent(
            &ticket["number"],
            &AgentAction::Resolve {
                code: None,
                notes: Some("Done.".to_owned()),
            },
        );
    }
    it.pass(Duration::from_mins(2), Duration::from_secs(30))
        .await;
    it.poll("incident").await;
    it.reconcile("incident").await;
    it.compare("incident").await;
    it.show_choices();
    let choices = it.read_choices("incident").await;
    assert!(choices.is_some(), "the choice lists were read");
    let conn = it.bridge.store().conn();
    let reports = drift::newest(conn, Some("main"), 1).await.unwrap();
    assert_eq!(reports.len(), 1);
}

/// What identity systems and people ask for.
async fn ask_for_everything(it: &Running) {
    let one = it.idm.get("/v1/requests?limit=1").await.body["items"][0]["id"].clone();
    let one = one.as_str().unwrap().to_owned();
    for path in [
        "/v1/requests",
        "/v1/requests?limit=200",
        "/v1/requests?state=open",
        "/v1/requests?state=open,on_hold",
        "/v1/requests?state=opening",
        "/v1/requests?category=access",
        "/v1/requests?category=task",
        "/v1/requests?external_id=R-200000",
        "/v1/requests?requested_for=joon.park",
        "/v1/requests?requested_for=person-17",
        "/v1/requests?requested_for=nobody",
        "/v1/requests?attention=true",
        "/v1/requests?attention=false",
        "/v1/requests?created_after=2020-06-01T00:00:00Z&created_before=2020-06-02T00:00:00Z",
        "/v1/events",
        "/v1/events?limit=500",
        "/readyz",
        "/metrics",
    ] {
        let answer = it.idm.get(path).await;
        assert!(
            answer.status == 200,
            "{path}: {} {}",
            answer.status,
            answer.body
        );
        if let Some(next) = answer.body["next_cursor"].as_str() {
            let glue = if path.contains('?') { '&' } else { '?' };
            it.idm.get(&format!("{path}{glue}after={next}")).await;
        }
    }
    assert_eq!(it.idm.get(&format!("/v1/requests/{one}")).await.status, 200);
}

/// Every list, filter and page of the operators' API, and the first page that follows each.
async fn look_as_an_operator(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Admin).await;
    let newest = vera.get("/v1/ops/requests?limit=1").await.body["items"][0]["id"].clone();
    let one = newest.as_str().unwrap().to_owned();
    let dead = vera.get("/v1/ops/jobs?state=dead&limit=1").await.body["items"][0]["id"].clone();
    let dead = dead.as_str().unwrap();
    let paths = [
        format!("/v1/ops/requests/{one}"),
        format!("/v1/ops/jobs/{dead}"),
        format!("/v1/ops/jobs?request_id={one}"),
        format!("/v1/ops/search?q={one}"),
        format!("/v1/ops/audit?subject_kind=request&subject_id={one}"),
    ];
    let paths = paths.iter().map(String::as_str);
    for path in LOOKS.into_iter().chain(paths) {
        let answer = vera.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        if let Some(next) = answer.body["next_cursor"].as_str() {
            let glue = if path.contains('?') { '&' } else { '?' };
            let next = vera.get(&format!("{path}{glue}cursor={next}")).await;
            assert_eq!(next.status, 200, "{path}: {}", next.body);
        }
    }
}

/// What operators look at and ask for.
async fn operate(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let check = "/v1/ops/connections/main/check";
    assert_eq!(omar.post(check, &json!({})).await.status, 200);
    it.settle().await;
    for path in [
        "/v1/ops/connections",
        "/v1/ops/connections/main",
        "/v1/ops/routes",
        "/v1/ops/routes/access",
    ] {
        let answer = omar.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    let conn = it.bridge.store().conn();
    let classes = ["auth".to_owned()];
    jobs::hasten(conn, "elsewhere", &classes, it.bridge.clock.now())
        .await
        .unwrap();
}

/// What the processes do on their own.
async fn look_after(it: &Running) {
    let scheduler = &it.bridge.scheduler;
    let conn = it.bridge.store().conn();
    it.look().await;
    scheduler::sweeper::Sweeper::default()
        .tick(scheduler)
        .await
        .unwrap();
    scheduler::giveup::tick(scheduler).await.unwrap();
    scheduler::cadence::settle(scheduler).await.unwrap();
    scheduler::gauges::Gauges::default()
        .tick(scheduler)
        .await
        .unwrap();
    jobs::unpark(conn, "main", it.bridge.clock.now())
        .await
        .unwrap();
    let dead = it.bridge.store().begin().await.unwrap();
    let job = seed::a_dead_job();
    let operator = shared::store::audit::Actor::Operator("dana.manager".to_owned());
    assert!(
        jobs::revive(&dead, job, &operator, it.bridge.clock.now())
            .await
            .unwrap()
    );
    dead.rollback().await.unwrap();
    assert!(!jobs::is_live(conn, "no such key").await.unwrap());
    assert_eq!(
        JobKind::ALL.len(),
        7,
        "a new kind of job is driven here too"
    );
}

/// The minutes in which all this was done, again and again: from the sixth time on PostgreSQL may plan without a look at the values.
async fn fold_the_minutes(it: &Running) {
    let (store, clock) = (it.bridge.store(), &it.bridge.clock);
    let before = "INSERT INTO minutes (minute, folded_at, settled_at) \
                  VALUES ('2026-03-02 08:59Z', '2026-03-02 09:01Z', '2026-03-02 09:16Z')";
    store.conn().execute_unprepared(before).await.unwrap();
    let mut folded = 0;
    for _ in 0..3 {
        it.advance(Duration::from_mins(16));
        folded += scheduler::minutes::tick(&it.bridge.scheduler)
            .await
            .unwrap();
    }
    assert!(folded > 60, "only {folded} minutes");
    let from = "2026-03-02T09:00:00Z".parse().unwrap();
    let hour = minutes::read(store.conn(), 60, None, from, clock.now()).await;
    let figures = &hour.unwrap()[0].figures;
    assert!(figures.created > 40 && figures.done > 20, "{figures:?}");
}

/// Two months are dropped, the rest goes page by page; what belongs to open requests is stepped over.
async fn remove_what_is_old(it: &Running) {
    let mut removed = 0;
    for _ in 0..12 {
        removed += scheduler::retention::tick(&it.bridge.scheduler)
            .await
            .unwrap();
    }
    assert!(removed > 180_000, "only {removed} rows");
}
