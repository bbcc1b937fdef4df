//! How many jobs of a lane run at a time, changed while they run (real workers, an instance that takes its time).

use std::time::Duration;

use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::operator::Role;
use shared::process::Process;
use shared::store::{audit, processes};
use tests::bridge::Api;
use tests::running::Running;

on_both!(
    two_operators_at_once_are_told_who_was_faster,
    bad_numbers_and_unknown_lanes_are_refused,
    the_console_sets_it_and_takes_it_back,
);

const LANE: &str = "create-ticket@main";
const PATH: &str = "/v1/ops/queues/create-ticket@main/concurrency";
/// A test that waits longer than this fails; nothing sleeps for it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Workers look with each heart-beat; the instance bears many calls, so that only the lane limits them.
const QUICK: &str = "[worker]\nheartbeat_ms = 50\nlease_ms = 60000\nwrite_margin_ms = 1000\n";
/// Two connections bear 32 jobs at a time; the lanes of two connections, and callbacks, have 26 of them, four each those that create.
const POOL: &str = "[database]\nurl = \"postgres://nobody@localhost/none\"\nmax_connections = 2\n";

async fn lane(api: &Api, name: &str) -> Value {
    let queues = api.get("/v1/ops/queues").await.body;
    let found = super::items(&queues).iter().find(|it| it["lane"] == name);
    found.unwrap().clone()
}

async fn set(api: &Api, jobs: u32, expected: Value) -> tests::bridge::Answer {
    let body = json!({"jobs": jobs, "expected": expected, "reason": "a test"});
    api.put(PATH, &body).await
}

async fn figures(it: &Running) -> Vec<(String, Option<String>, Option<String>)> {
    let trail = audit::of_subject(it.bridge.store().conn(), "lane", LANE).await;
    let trail = trail.unwrap().into_iter();
    trail.map(|row| (row.actor, row.from, row.to)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn more_and_fewer_jobs_run_while_others_run_sqlite() {
    more_and_fewer_jobs_run_while_others_run(tests::databases::Flavour::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn more_and_fewer_jobs_run_while_others_run_postgres() {
    more_and_fewer_jobs_run_while_others_run(tests::databases::Flavour::Postgres).await;
}

async fn more_and_fewer_jobs_run_while_others_run(flavour: tests::databases::Flavour) {
    let it = Running::built(flavour, "max_in_flight = 32\n", QUICK).await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    assert_eq!(
        lane(&omar, LANE).await["concurrency"],
        json!({"jobs": 4, "configured": 4, "set": null, "by": null, "at": null, "reason": null})
    );
    // The instance works on each call until its clock is moved, and on any number of them.
    it.main.set_knobs(|knobs| {
        knobs.latency_ms = 1_000;
        knobs.semaphore = None;
    });
    for number in 0..24 {
        it.ask(&format!("C-{number}"), "access").await;
    }
    let mut process = Process::new();
    let worker = it.fresh_worker("worker-2");
    worker::start(&worker, &["create-ticket".to_owned()], &mut process)
        .await
        .unwrap();
    calls(&it, 4).await;

    // More: at once, beside those that run.
    assert_eq!(set(&omar, 7, Value::Null).await.status, 200);
    calls(&it, 7).await;
    assert_eq!(lane(&omar, LANE).await["running"], 7);

    // Fewer: those that run come to their end, and then no more than two begin.
    assert_eq!(set(&omar, 2, json!(7)).await.status, 200);
    heard(&it).await;
    assert_eq!(it.main.in_flight().0, 7, "nothing is cut");
    next(&it, 7, 2).await;
    next(&it, 9, 2).await;

    // Back to what is configured.
    let back = omar.delete(PATH, &json!({"expected": 2})).await;
    assert_eq!(back.status, 200, "{}", back.body);
    calls(&it, 4).await;
    let mut done = 9;
    while done < 24 {
        let running = usize::min(4, 24 - done);
        calls(&it, running).await;
        done += running;
        it.advance(Duration::from_millis(1_100));
        created(&it, done).await;
    }
    process.stop_token().cancel();
    process.run(std::future::pending(), PATIENCE).await.unwrap();
    assert_eq!(it.records("incident").len(), 24);
    let word = |from: &str, to: &str| {
        (
            "operator:omar".to_owned(),
            Some(from.to_owned()),
            Some(to.to_owned()),
        )
    };
    assert_eq!(
        figures(&it).await,
        [
            word("configured", "7"),
            word("7", "2"),
            word("2", "configured")
        ]
    );
}

/// Waits until so many calls are worked on, and no more.
async fn calls(it: &Running, count: usize) {
    let running = || usize::try_from(it.main.in_flight().0).unwrap();
    eventually(&format!("{count} calls at a time"), || running() == count).await;
}

async fn created(it: &Running, count: usize) {
    eventually(&format!("{count} tickets"), || {
        it.records("incident").len() == count
    })
    .await;
}

/// Lets the calls end that run, which makes `count` tickets in all, and waits for the next ones.
async fn next(it: &Running, count: usize, running: usize) {
    it.advance(Duration::from_millis(1_100));
    created(it, count).await;
    calls(it, running).await;
}

/// Waits for two heart-beats that begin after this: what the first one found is taken up when the second one comes.
async fn heard(it: &Running) {
    for _ in 0..2 {
        it.bridge.clock.advance(Duration::from_millis(1));
        let now = it.bridge.clock.now();
        let heard = tokio::time::timeout(PATIENCE, async {
            loop {
                let alive = processes::alive(it.bridge.store().conn(), now).await;
                let mut alive = alive.unwrap().into_iter();
                let worker = alive.find(|it| it.process.id == "worker-2").unwrap();
                if worker.heartbeat_at >= now {
                    return;
                }
            }
        });
        heard.await.expect("a heart-beat");
    }
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let held = tokio::time::timeout(PATIENCE, async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    });
    assert!(held.await.is_ok(), "{what}");
}

async fn two_operators_at_once_are_told_who_was_faster(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let ada = it.bridge.operator("ada", Role::Admin).await;
    let (one, other) = tokio::join!(set(&omar, 6, Value::Null), set(&ada, 9, Value::Null));
    let mut answers = [one, other];
    answers.sort_by_key(|it| it.status);
    assert_eq!(answers.each_ref().map(|it| it.status), [200, 409]);
    let won = lane(&omar, LANE).await["concurrency"].clone();
    let detail = answers[1].body["detail"].as_str().unwrap();
    assert!(
        detail.starts_with(&format!(
            "{LANE}: set to {} by {} at ",
            won["set"],
            won["by"].as_str().unwrap()
        )),
        "{detail}"
    );
    assert_eq!(figures(it).await.len(), 1, "whoever lost left no entry");
    // A page that is old by now changes nothing either.
    assert_eq!(set(&omar, 5, Value::Null).await.status, 409);
    let stale = omar.delete(PATH, &json!({"expected": 7})).await;
    assert_eq!(stale.status, 409);
    let same = set(&omar, 6, json!(6)).await;
    assert_eq!(same.status, 409, "{}", same.body);
    let taken = omar
        .delete(PATH, &json!({"expected": won["set"], "reason": "over"}))
        .await;
    assert_eq!(taken.status, 200, "{}", taken.body);
    let again = omar.delete(PATH, &json!({"expected": null})).await;
    assert_eq!(again.status, 409);
}

async fn bad_numbers_and_unknown_lanes_are_refused(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let refused = set(&vera, 6, Value::Null).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let mut told = Vec::new();
    for body in [
        json!({"jobs": 0, "expected": null}),
        json!({"jobs": 1025, "expected": null}),
        json!({"jobs": -1, "expected": null}),
        json!({"jobs": 2.5, "expected": null}),
        json!({"jobs": "four", "expected": "none"}),
        json!({}),
        json!({"jobs": 4, "expected": null, "job": 4}),
    ] {
        let answer = omar.put(PATH, &body).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        told.push(json!({"sent": body, "errors": answer.body["errors"]}));
    }
    insta::assert_json_snapshot!("figures_that_do_not_fit", told);
    let unknown = omar
        .put(
            "/v1/ops/queues/nowhere/concurrency",
            &json!({"jobs": 4, "expected": null}),
        )
        .await;
    assert_eq!(unknown.status, 404);
    insta::assert_json_snapshot!("no_figure_for_a_lane_that_is_not_there", unknown.body);
    assert!(figures(it).await.is_empty());
    assert_eq!(lane(&omar, LANE).await["concurrency"]["set"], Value::Null);
}

#[tokio::test]
async fn all_lanes_together_fit_into_the_pool_of_postgresql() {
    let it = Running::with(tests::databases::Flavour::Sqlite, POOL).await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let much = set(&omar, 11, Value::Null).await;
    assert_eq!(much.status, 422, "{}", much.body);
    insta::assert_json_snapshot!("more_than_the_pool_bears", much.body["errors"]);
    assert_eq!(set(&omar, 10, Value::Null).await.status, 200);
    // Fewer are let, however full it is.
    assert_eq!(set(&omar, 9, json!(10)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn different_lanes_at_once_stay_within_the_pool_sqlite() {
    different_lanes_at_once_stay_within_the_pool(tests::databases::Flavour::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn different_lanes_at_once_stay_within_the_pool_postgres() {
    different_lanes_at_once_stay_within_the_pool(tests::databases::Flavour::Postgres).await;
}

/// Room for 6 jobs more; each of two operators asks for all of it, for a lane of their own.
async fn different_lanes_at_once_stay_within_the_pool(flavour: tests::databases::Flavour) {
    let it = Running::with(flavour, POOL).await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let ada = it.bridge.operator("ada", Role::Admin).await;
    let paths = [LANE, "create-ticket@other"].map(|it| format!("/v1/ops/queues/{it}/concurrency"));
    for round in 1..=10 {
        let body = json!({"jobs": 10, "expected": null, "reason": "a test"});
        let (first, second) = tokio::join!(omar.put(&paths[0], &body), ada.put(&paths[1], &body));
        let mut answers = [(0, first), (1, second)];
        answers.sort_by_key(|(_, it)| it.status);
        let [(winner, won), (_, lost)] = &answers;
        assert_eq!((won.status, lost.status), (200, 422), "round {round}");
        let problem = lost.body["errors"][0]["problem"].as_str().unwrap();
        let who = [
            "create-ticket@main: set to 10 by operator:omar at ",
            "create-ticket@other: set to 10 by operator:ada at ",
        ];
        assert!(problem.contains(who[*winner]), "{problem}");
        let back = json!({"expected": 10, "reason": "again"});
        let back = omar.delete(&paths[*winner], &back).await;
        assert_eq!(back.status, 200, "{}", back.body);
    }
    // What was freed by one lane and taken by another is not to be had by going back to the configured figure.
    let body = |jobs: u32| json!({"jobs": jobs, "expected": null, "reason": "a test"});
    assert_eq!(omar.put(&paths[0], &body(1)).await.status, 200);
    assert_eq!(ada.put(&paths[1], &body(13)).await.status, 200);
    let back = json!({"expected": 1, "reason": "over"});
    let refused = omar.delete(&paths[0], &back).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    let problem = refused.body["errors"][0]["problem"].as_str().unwrap();
    assert!(
        problem.starts_with(
            "would be 4, which makes 35 jobs at a time with the 31 of the other lanes"
        ),
        "{problem}"
    );
    let back = json!({"expected": 13, "reason": "over"});
    assert_eq!(ada.delete(&paths[1], &back).await.status, 200);
}

async fn the_console_sets_it_and_takes_it_back(it: &Running) {
    let page = "/console/queues/create-ticket@main/concurrency";
    let mut vera = it.bridge.signed_in("vera", Role::Viewer).await;
    assert_eq!(vera.get(page).await.status, 403);
    let mut omar = it.bridge.signed_in("omar", Role::Operator).await;
    let asked = omar.get(page).await;
    assert_eq!(asked.status, 200);
    insta::assert_snapshot!("how_many_jobs_at_a_time", asked.words());
    let empty = omar.post(page, &[("jobs", "8"), ("do", "set")]).await;
    assert_eq!(empty.status, 422);
    assert!(empty.html.contains("value=\"8\""), "what was typed is kept");
    let wrong = omar
        .post(page, &[("jobs", "0"), ("reason", "x"), ("do", "set")])
        .await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.words().contains("send 1 to 1024"),
        "{}",
        wrong.words()
    );
    let fields = [("jobs", "8"), ("reason", "more semaphores"), ("do", "set")];
    let set = omar.post(page, &fields).await;
    assert_eq!(
        (set.status, set.location.as_str()),
        (303, "/console/queues?flash=set")
    );
    let stale = omar.post(page, &fields).await;
    assert_eq!(stale.status, 409, "the form did not know of it");
    let shown = omar.get("/console/queues").await.words();
    assert!(
        shown.contains("8 set by operator:omar; configured: 4"),
        "{shown}"
    );
    let back = [("expected", "8"), ("reason", "over"), ("do", "default")];
    assert_eq!(omar.post(page, &back).await.status, 303);
    let unknown = omar.get("/console/queues/nowhere/concurrency").await;
    assert_eq!(unknown.status, 404);
}
