//! Catalog orders (T1, T6, T20): no idempotency on the wire, so a token inside the order, a mark before it goes out, and quiet.

use std::time::Duration;

use serde_json::json;
use shared::job::JobState;
use shared::request::RequestState;
use simulator::{AgentAction, CallFilter, Fault};
use tests::databases::Flavour;
use tests::running::Running;

on_both!(
    an_order_becomes_one_requested_item,
    an_order_whose_answer_was_lost_is_found_by_its_token,
);

fn orders(it: &Running) -> usize {
    it.main.rows("sc_request", "").len()
}

/// A fault on the next `times` orders.
fn spoil(it: &Running, times: u32, set: &serde_json::Value) {
    let fault = Fault {
        method: Some("POST".to_owned()),
        path: Some("/api/sn_sc".to_owned()),
        times: Some(times),
        set: set.as_object().unwrap().clone(),
        ..Fault::default()
    };
    it.main.add_fault(fault).unwrap();
}

async fn an_order_becomes_one_requested_item(it: &Running) {
    let before = orders(it);
    let id = it.ask_for("R1", "order", "fern.example").await;
    it.settle().await;
    let (request, ticket) = (it.request(id).await, it.ticket(id).await);
    assert_eq!(
        request.state,
        RequestState::Open,
        "{:?}",
        it.attempts(id).await
    );
    assert_eq!(orders(it), before + 1);
    let items = it.records("sc_req_item");
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["correlation_id"], id.to_string());
    assert_eq!(ticket.number.as_ref(), Some(&items[0]["number"]));
    assert_eq!(ticket.sys_id.as_ref(), Some(&items[0]["sys_id"]));
    assert_eq!(ticket.order_sys_id.as_ref(), Some(&items[0]["request"]));
    assert!(ticket.order_number.unwrap().starts_with("REQ"));
    let order = it
        .main
        .row("sc_request", &format!("sys_id={}", items[0]["request"]))
        .unwrap();
    let fern = it.main.row("sys_user", "user_name=fern.example").unwrap();
    assert_eq!(order["requested_for"], fern["sys_id"]);
}

async fn an_order_whose_answer_was_lost_is_found_by_its_token(it: &Running) {
    let before = orders(it);
    spoil(it, 1, &json!({"connection_drop": {"when": "after_commit"}}));
    let id = it.ask_for("R1", "order", "fern.example").await;
    it.settle().await;
    assert_eq!(it.request(id).await.state, RequestState::Opening);
    it.pass(Duration::from_mins(1), Duration::from_secs(2))
        .await;
    assert_eq!(
        it.request(id).await.state,
        RequestState::Open,
        "{:?}",
        it.attempts(id).await
    );
    assert_eq!(orders(it), before + 1, "there is no second order");
    assert_eq!(it.records("sc_req_item").len(), 1);
}

#[tokio::test]
async fn a_second_order_waits_for_the_quiet_period() {
    let it = Running::start(Flavour::Sqlite).await;
    let placed = |it: &Running| {
        it.main.count(&CallFilter {
            method: Some("POST".into()),
            path: Some("/api/sn_sc".into()),
            ..CallFilter::default()
        })
    };
    spoil(&it, 1, &json!({"connection_drop": {"when": "before"}}));
    let id = it.ask_for("R1", "order", "fern.example").await;
    it.settle().await;
    it.pass(Duration::from_secs(145), Duration::from_secs(5))
        .await;
    assert_eq!(placed(&it), 1, "quiet_seconds is 150");
    it.pass(Duration::from_mins(1), Duration::from_secs(5))
        .await;
    assert_eq!(placed(&it), 2);
    assert_eq!(
        it.request(id).await.state,
        RequestState::Open,
        "{:?}",
        it.attempts(id).await
    );
    assert_eq!(it.records("sc_req_item").len(), 1);
}

#[tokio::test]
async fn an_order_for_nobody_is_not_placed() {
    let it = Running::start(Flavour::Sqlite).await;
    let before = orders(&it);
    let id = it.ask_for("R1", "order", "nobody.at.all").await;
    it.settle().await;
    assert_eq!(it.request(id).await.state, RequestState::Denied);
    assert_eq!(orders(&it), before);
}

#[tokio::test]
async fn an_item_that_shows_late_is_waited_for_without_a_second_order() {
    let it = Running::start(Flavour::Sqlite).await;
    let before = orders(&it);
    it.main.set_knobs(|knobs| knobs.visible_delay_ms = 7_000);
    let id = it.ask_for("R1", "order", "fern.example").await;
    it.settle().await;
    assert_eq!(
        it.ticket(id)
            .await
            .order_number
            .map(|number| number.starts_with("REQ")),
        Some(true),
        "{:?}",
        it.attempts(id).await
    );
    it.pass(Duration::from_mins(1), Duration::from_secs(2))
        .await;
    assert_eq!(
        it.request(id).await.state,
        RequestState::Open,
        "{:?}",
        it.attempts(id).await
    );
    assert_eq!(orders(&it), before + 1);
}

#[tokio::test]
async fn a_refused_item_denies_the_request() {
    let it = Running::start(Flavour::Sqlite).await;
    let body = r#"{"error":{"message":"Mandatory Variables are required","detail":""},"status":"failure"}"#;
    spoil(
        &it,
        1,
        &json!({"canned": {"status": 400, "content_type": "application/json", "body": body}}),
    );
    let id = it.ask_for("R1", "order", "fern.example").await;
    it.settle().await;
    let request = it.request(id).await;
    assert_eq!(request.state, RequestState::Denied);
    assert!(
        request
            .reason
            .unwrap()
            .contains("Mandatory Variables are required")
    );
    assert_eq!(
        it.ticket(id).await.maybe_sent_at,
        None,
        "certainly nothing was ordered"
    );
}

#[tokio::test]
async fn an_order_without_a_token_is_never_repeated_blindly() {
    let it = Running::start(Flavour::Sqlite).await;
    let untraceable = it
        .worker_with("bridge_ref = \"{{ correlation_id }}\"", "")
        .await;
    spoil(&it, 1, &json!({"connection_drop": {"when": "before"}}));
    let id = it.ask_for("R1", "order", "fern.example").await;
    for _ in 0..120 {
        worker::heartbeat::tick(&untraceable).await.unwrap();
        it.bridge.settle().await;
        for bell in it.bells().await {
            worker::ring(&untraceable, bell).await;
        }
        it.advance(Duration::from_secs(3));
    }
    let job = it.job(id, "create_ticket.v1").await;
    assert_eq!(
        (job.state, job.last_error_class.as_deref()),
        (JobState::Parked, Some("unsearchable_order"))
    );
    assert!(
        it.request(id)
            .await
            .attention
            .unwrap()
            .contains("cannot be looked for")
    );
    assert!(it.records("sc_req_item").is_empty());
}

#[tokio::test]
async fn an_order_is_mirrored_like_any_ticket() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.ask_for("R1", "order", "fern.example").await;
    it.settle().await;
    let number = it.number(id).await;
    it.advance(Duration::from_secs(30));
    it.main
        .agent(
            "dana.manager",
            &number,
            &AgentAction::Reject {
                comment: Some("Not in this team.".into()),
            },
        )
        .unwrap();
    it.poll("sc_req_item").await;
    let request = it.request(id).await;
    assert_eq!(
        request.state,
        RequestState::Denied,
        "{:?}",
        it.ticket(id).await
    );
    assert_eq!(
        request.reason.as_deref(),
        Some("The approval was rejected in ServiceNow. Not in this team.")
    );
    assert_eq!(
        it.ticket(id).await.stage.as_deref(),
        Some("Request Cancelled"),
        "the stage is kept as text"
    );
}
