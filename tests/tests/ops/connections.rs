//! Connections: what is shown of them, checks that workers make, and waits that are ended.

use std::time::Duration;

use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::operator::Role;
use shared::request::RequestState;
use shared::store::{connection_checks, new_id};
use simulator::{AuthKind, CallFilter};
use tests::bridge::Api;
use tests::running::Running;

on_both!(
    a_connection_is_shown_as_it_answers_and_without_its_secrets,
    a_check_is_made_by_a_worker_and_one_at_a_time,
    a_check_that_nobody_makes_says_what_to_start,
    an_open_circuit_keeps_no_check_away_and_stays_as_it_is,
    a_wait_is_ended_by_an_operator,
    the_last_twenty_checks_are_kept,
    the_console_checks_and_tries_again,
);

const MAIN: &str = "/v1/ops/connections/main";

async fn shown(api: &Api) -> Value {
    let answer = api.get(MAIN).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

async fn a_connection_is_shown_as_it_answers_and_without_its_secrets(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    assert_eq!(shown(&vera).await["last_success_at"], Value::Null);
    it.opened("R-1", "access").await;
    let good = it.bridge.clock.now();
    it.advance(Duration::from_secs(5));
    it.opened("R-2", "missing").await;
    let all = vera.get("/v1/ops/connections").await.body;
    let text = all.to_string();
    assert!(
        !text.contains("demo-secret") && !text.contains("ticketbridge-demo\""),
        "{text}"
    );
    let names: Vec<&Value> = super::items(&all).iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["main", "other"]);
    let main = &super::items(&all)[0];
    assert_eq!(
        (&main["url"], &main["auth"], &main["max_in_flight"]),
        (
            &json!(it.main.base_url()),
            &json!("client_credentials"),
            &json!(4)
        )
    );
    let at = |value: &Value| {
        value
            .as_str()
            .unwrap()
            .parse::<chrono::DateTime<chrono::Utc>>()
    };
    assert_eq!(at(&main["last_success_at"]).unwrap(), good);
    let failures = main["failures"].as_array().unwrap();
    let classes: Vec<&Value> = failures.iter().map(|it| &it["class"]).collect();
    assert_eq!(classes, ["invalid_table"]);
    assert_eq!(failures[0]["http_status"], 400);
    assert_eq!(
        main["budget"]["circuits"][0]["name"],
        "main/u_no_such_table"
    );
    assert_eq!(main["serving"]["workers"], 1);
    assert_eq!(main["check"], Value::Null);
    let other = &super::items(&all)[1];
    assert_eq!(
        (&other["last_success_at"], &other["failures"]),
        (&Value::Null, &json!([]))
    );
}

async fn a_check_is_made_by_a_worker_and_one_at_a_time(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let refused = vera.post(&format!("{MAIN}/check"), &json!({})).await;
    assert_eq!(refused.status, 403);
    let asked = omar.post(&format!("{MAIN}/check"), &json!({})).await;
    assert_eq!(asked.status, 200, "{}", asked.body);
    assert_eq!(
        (
            &asked.body["check"]["state"],
            &asked.body["check"]["asked_by"],
            &asked.body["check"]["note"]
        ),
        (&json!("waiting"), &json!("operator:omar"), &Value::Null)
    );
    let second = omar.post(&format!("{MAIN}/check"), &json!({})).await;
    assert_eq!(second.status, 409);
    let detail = second.body["detail"].as_str().unwrap();
    assert!(detail.contains("by operator:omar"), "{detail}");
    it.settle().await;
    let made = shown(&vera).await["check"].clone();
    assert_eq!(made["worker"], "worker-1");
    let bad: Vec<&Value> = made["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["verdict"] == "bad")
        .map(|step| &step["part"])
        .collect();
    assert_eq!(bad, ["main/u_no_such_table"], "{made:#}");
    let calls = it.main.calls(&CallFilter::default());
    let is_harmless = |call: &simulator::CallRecord| {
        // The right to write is tried on a record that cannot exist.
        let finds_nothing = call.method == "PATCH" && call.status == Some(404);
        call.method == "GET" || call.kind == "token" || finds_nothing
    };
    assert!(calls.iter().all(is_harmless), "it changes nothing");
    let job = omar
        .get(&format!("/v1/ops/jobs/{}", made["id"].as_str().unwrap()))
        .await
        .body;
    assert_eq!(job["state"], "done");
    let recorded = job["runs"][0]["calls"].as_array().unwrap().len();
    let sent = calls.iter().filter(|call| call.kind != "token").count();
    assert_eq!(recorded, sent, "every call is on record");
    let trail = omar.get("/v1/ops/audit?action=connection.check").await.body;
    assert_eq!(super::items(&trail).len(), 1, "{trail}");
    let unknown = omar
        .post("/v1/ops/connections/mian/check", &json!({}))
        .await;
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.body["detail"]
            .as_str()
            .unwrap()
            .contains("There is: main, other")
    );
}

async fn a_check_that_nobody_makes_says_what_to_start(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    // The only worker falls silent.
    it.advance(Duration::from_secs(30));
    let asked = omar.post(&format!("{MAIN}/check"), &json!({})).await.body;
    let note = asked["check"]["note"].as_str().unwrap();
    assert!(
        note.contains("No worker that lives serves the lane ticket-status@main")
            && note.contains("`ticketbridge worker`"),
        "{note}"
    );
    omar.post("/v1/ops/queues/ticket-status@main/pause", &json!({}))
        .await;
    let paused = shown(&omar).await["check"]["note"].clone();
    assert!(
        paused
            .as_str()
            .unwrap()
            .contains("queues resume ticket-status@main"),
        "{paused}"
    );
    omar.post("/v1/ops/queues/ticket-status@main/resume", &json!({}))
        .await;
    it.settle().await;
    it.pass(Duration::from_secs(12), Duration::from_secs(6))
        .await;
    assert!(shown(&omar).await["check"]["ended_at"].is_string());
}

/// A request whose create is parked, because the instance refuses the log-in.
async fn refused(it: &Running) -> uuid::Uuid {
    it.main
        .set_knobs(|knobs| knobs.access_policy = vec![AuthKind::Basic]);
    let id = it.opened("R-1", "access").await;
    assert_eq!(it.circuits().await[0].connection, "main");
    id
}

fn mend(it: &Running) {
    it.main
        .set_knobs(|knobs| knobs.access_policy = vec![AuthKind::Basic, AuthKind::Bearer]);
}

async fn an_open_circuit_keeps_no_check_away_and_stays_as_it_is(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    refused(it).await;
    let before = it.circuits().await;
    omar.post(&format!("{MAIN}/check"), &json!({})).await;
    it.settle().await;
    let check = shown(&omar).await["check"].clone();
    assert_eq!(check["state"], "bad", "{check:#}");
    let failed = check["steps"].as_array().unwrap().iter();
    let failed: Vec<&Value> = failed.filter(|step| step["verdict"] == "bad").collect();
    assert_eq!(failed[0]["tried"], "account", "{check:#}");
    assert!(!failed[0]["fix"].as_str().unwrap().is_empty());
    assert_eq!(it.circuits().await, before, "no failure more");
    mend(it);
    it.advance(Duration::from_secs(1));
    omar.post(&format!("{MAIN}/check"), &json!({})).await;
    it.settle().await;
    let steps = shown(&omar).await["check"]["steps"].clone();
    let mut all = steps.as_array().unwrap().iter();
    let account = all.find(|step| step["tried"] == "account");
    assert_eq!(account.unwrap()["verdict"], "good", "{steps:#}");
    assert_eq!(it.circuits().await, before, "a check closes nothing");
}

async fn a_wait_is_ended_by_an_operator(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let path = format!("{MAIN}/circuit/close");
    let id = refused(it).await;
    let held = it.opened("R-2", "access").await;
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let body = json!({"reason": "the policy is corrected"});
    assert_eq!(vera.post(&path, &body).await.status, 403);
    assert_eq!(omar.post(&path, &json!({})).await.status, 422);
    // It is not mended yet: the next one goes first, and the circuit is open for longer.
    let before = it.circuits().await[0].clone();
    it.advance(Duration::from_secs(1));
    let tried = omar.post(&path, &body).await;
    assert_eq!(tried.status, 200, "{}", tried.body);
    it.settle().await;
    let after = it.circuits().await[0].clone();
    assert!(after.failures > before.failures && after.until > before.until);
    mend(it);
    it.advance(Duration::from_secs(1));
    omar.post(&path, &body).await;
    let stale = omar.post(&path, &body).await;
    assert_eq!(stale.status, 409);
    assert!(
        stale.body["detail"]
            .as_str()
            .unwrap()
            .contains("has been over since"),
        "{}",
        stale.body
    );
    it.settle().await;
    it.pass(Duration::from_secs(12), Duration::from_secs(6))
        .await;
    for id in [id, held] {
        assert_eq!(it.request(id).await.state, RequestState::Open);
    }
    assert!(it.circuits().await.is_empty());
    let stale = omar.post(&path, &body).await;
    assert!(
        stale.body["detail"]
            .as_str()
            .unwrap()
            .contains("Nothing holds main back"),
        "{}",
        stale.body
    );
    let trail = omar
        .get("/v1/ops/audit?action=circuit.wait_ended")
        .await
        .body;
    let reasons: Vec<&Value> = super::items(&trail)
        .iter()
        .map(|it| &it["reason"])
        .collect();
    assert_eq!(reasons, ["the policy is corrected"; 2]);
}

async fn the_last_twenty_checks_are_kept(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let conn = it.bridge.store().conn();
    for (connection, count) in [("main", 25), ("other", 3)] {
        for _ in 0..count {
            it.advance(Duration::from_millis(5));
            let now = it.bridge.clock.now();
            connection_checks::ask(conn, new_id(now), connection, "operator:omar", now)
                .await
                .unwrap();
        }
    }
    let newest = shown(&vera).await["checks"][0]["id"].clone();
    let removed = scheduler::retention::tick(&it.bridge.scheduler)
        .await
        .unwrap();
    assert_eq!(removed, 5);
    let main = shown(&vera).await;
    assert_eq!(main["checks"].as_array().unwrap().len(), 20);
    assert_eq!(main["checks"][0]["id"], newest);
    // Their jobs were never there.
    assert_eq!(main["check"]["state"], "given_up");
    let other = connection_checks::of_connection(conn, "other", 50).await;
    assert_eq!(other.unwrap().len(), 3);
}

async fn the_console_checks_and_tries_again(it: &Running) {
    refused(it).await;
    let mut omar = it.bridge.signed_in("omar", Role::Operator).await;
    let list = omar.get("/console/connections").await.words();
    assert!(list.contains("main until"), "{list}");
    omar.get("/console/connections/main").await;
    let asked = omar.post("/console/connections/main/check", &[]).await;
    assert_eq!(asked.location, "/console/connections/main?flash=check");
    let again = omar.post("/console/connections/main/check", &[]).await;
    assert_eq!(again.status, 409);
    it.settle().await;
    let page = omar.get("/console/connections/main").await.words();
    assert!(
        page.contains("failed ended") && page.contains("main account"),
        "{page}"
    );
    let question = omar.get("/console/connections/main/circuit").await;
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "[time]");
    settings.add_filter(r"transaction [0-9a-f]+", "transaction [id]");
    settings.bind(|| insta::assert_snapshot!("a_wait_is_to_be_ended", question.words()));
    let empty = omar
        .post("/console/connections/main/circuit", &[("reason", "")])
        .await;
    assert_eq!(empty.status, 422);
    mend(it);
    it.advance(Duration::from_secs(1));
    let fields = [("reason", "the policy is corrected")];
    let tried = omar
        .post("/console/connections/main/circuit", &fields)
        .await;
    assert_eq!(tried.location, "/console/connections/main?flash=retrying");
    it.settle().await;
    assert!(it.circuits().await.is_empty());
    let stale = omar
        .post("/console/connections/main/circuit", &fields)
        .await;
    assert_eq!(stale.status, 409);
}
