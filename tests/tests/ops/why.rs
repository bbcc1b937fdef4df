//! "Why is this ticket not updated?": each cause in words, with what comes next.

use std::time::Duration;

use serde_json::{Value, json};
use shared::operator::Role;
use tests::bridge::Api;
use tests::running::Running;
use uuid::Uuid;

use super::dead_creates;

on_both!(
    a_ticket_that_is_up_to_date,
    a_ticket_that_waits_for_a_worker,
    a_connection_that_is_held_back,
    a_job_that_is_tried_again_later,
    a_job_that_is_dead,
    a_request_that_has_ended,
);

async fn why(api: &Api, id: Uuid) -> Value {
    let answer = api.get(&format!("/v1/ops/requests/{id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

fn told(body: &Value) -> (&str, &str) {
    (
        body["why"]["tone"].as_str().unwrap(),
        body["why"]["what"].as_str().unwrap(),
    )
}

async fn a_ticket_that_is_up_to_date(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let id = it.opened("W-1", "access").await;
    it.look().await;
    let body = why(&vera, id).await;
    let number = it.number(id).await;
    assert_eq!(
        told(&body),
        ("ok", format!("{number} is up to date.").as_str())
    );
    assert!(body["read_next_at"].is_string(), "{body}");
    assert!(
        body["link"]
            .as_str()
            .unwrap()
            .contains("/nav_to.do?uri=incident.do%3Fsys_id=")
    );
    assert_eq!(body["runs"][0]["calls"][0]["class"], "ok");
    assert_eq!(body["trail"][0]["action"], "request.accepted");
}

async fn a_ticket_that_waits_for_a_worker(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let id = it.ask("W-1", "access").await;
    assert_eq!(
        told(&why(&vera, id).await),
        ("wait", "Making the ticket waits for a worker.")
    );
}

async fn a_connection_that_is_held_back(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let full = json!({"canned": {"status": 429, "content_type": "text/html", "body": ""}});
    it.fault("POST", "incident", 1, &full);
    let id = it.opened("W-1", "access").await;
    let body = why(&vera, id).await;
    let (tone, what) = told(&body);
    assert_eq!(tone, "wait");
    assert!(
        what.starts_with("Making the ticket waits, because “main” is held back until "),
        "{what}"
    );
    let overview = vera.get("/v1/ops/overview").await.body;
    let main = overview["connections"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == "main")
        .unwrap();
    assert_eq!(main["circuits"][0]["name"], "main", "{main}");
    assert!(
        main["forecast"].as_str().unwrap().starts_with("1 job"),
        "{main}"
    );
}

async fn a_job_that_is_tried_again_later(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    it.fault(
        "POST",
        "incident",
        1,
        &json!({"post_commits_then_500": 1.0}),
    );
    let id = it.opened("W-1", "access").await;
    let body = why(&vera, id).await;
    let (tone, what) = told(&body);
    assert_eq!(tone, "wait", "{what}");
    assert!(
        what.starts_with("Making the ticket is tried again at "),
        "{what}"
    );
    it.pass(Duration::from_mins(2), Duration::from_secs(5))
        .await;
    assert_eq!(told(&why(&vera, id).await).0, "ok");
}

async fn a_job_that_is_dead(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let job = it.dead_updates(1).await[0];
    let found = vera.get(&format!("/v1/ops/jobs/{job}")).await.body;
    let id = found["request_id"].as_str().unwrap().parse().unwrap();
    let body = why(&vera, id).await;
    assert_eq!(
        told(&body),
        ("act", "Somebody should look at this request.")
    );
    assert!(
        body["why"]["why"]
            .as_str()
            .unwrap()
            .starts_with("Ticket not updated:")
    );
    assert!(
        body["why"]["next"]
            .as_str()
            .unwrap()
            .contains("its last job is dead")
    );
}

async fn a_request_that_has_ended(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let id = dead_creates(it, 1).await[0];
    it.settle().await;
    assert_eq!(
        told(&why(&vera, id).await),
        ("info", "The request has ended: denied.")
    );
}
