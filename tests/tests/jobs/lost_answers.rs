//! Answers that leave open whether a ticket was made (T21): a read comes before every second send.

use std::time::Duration;

use serde_json::{Value, json};
use shared::request::RequestState;
use shared::store::table_facts;
use simulator::DupSysId;
use tests::databases::Flavour;
use tests::running::Running;
use uuid::Uuid;

on_both!(
    a_commit_behind_a_500_is_found_and_not_repeated,
    a_worker_that_died_after_its_post_is_followed_by_one_that_looks,
    a_ticket_is_linked_although_its_request_was_withdrawn_meanwhile,
);

/// Everything that can stand between a POST and its clean answer, and whether the ticket was made.
fn spoilt() -> Vec<(&'static str, bool, Value)> {
    let canned = |status: u16, kind: &str, body: &str| json!({"canned": {"status": status, "content_type": kind, "body": body}});
    vec![
        (
            "500, committed",
            true,
            json!({"post_commits_then_500": 1.0}),
        ),
        (
            "cut before the work",
            false,
            json!({"connection_drop": {"when": "before"}}),
        ),
        (
            "cut after the commit",
            true,
            json!({"connection_drop": {"when": "after_commit"}}),
        ),
        (
            "cut in the body",
            true,
            json!({"connection_drop": {"when": "mid_body"}}),
        ),
        (
            "cut JSON",
            false,
            canned(
                201,
                "application/json",
                r#"{"result":{"sys_id":"6816f79cc0a8"#,
            ),
        ),
        ("202", false, canned(202, "text/plain", "")),
        (
            "hibernating",
            false,
            canned(
                200,
                "text/html",
                "<html><head><title>Instance Hibernating page</title></head><body>Your instance is hibernating</body></html>",
            ),
        ),
        (
            "some web page",
            false,
            canned(200, "text/html", "<html><body>Maintenance</body></html>"),
        ),
        (
            "500, not committed",
            false,
            canned(
                500,
                "application/json",
                r#"{"error":{"message":"Transaction cancelled: maximum execution time exceeded","detail":"x"},"status":"failure"}"#,
            ),
        ),
        (
            "502",
            false,
            canned(502, "text/html", "<html>Bad Gateway</html>"),
        ),
        (
            "503",
            false,
            canned(503, "text/html", "<html>Unavailable</html>"),
        ),
        ("empty 201", false, canned(201, "application/json", "")),
        (
            "error in 200",
            false,
            canned(
                200,
                "application/json",
                r#"{"result":{},"error":{"message":"x","detail":"y"},"status":"failure"}"#,
            ),
        ),
    ]
}

#[tokio::test]
async fn no_answer_makes_a_second_ticket_and_none_loses_the_first() {
    for (name, committed, set) in spoilt() {
        let it = Running::start(Flavour::Sqlite).await;
        it.fault("POST", "incident", 1, &set);
        let id = it.opened("R1", "access").await;
        assert_ne!(
            it.request(id).await.state,
            RequestState::Open,
            "{name}: the first answer was spoilt"
        );
        it.pass(Duration::from_mins(8), Duration::from_secs(5))
            .await;
        let request = it.request(id).await;
        assert_eq!(
            request.state,
            RequestState::Open,
            "{name}: {:?}",
            it.attempts(id).await
        );
        assert_eq!(it.records("incident").len(), 1, "{name}");
        assert_eq!(
            it.calls("table.create", "incident"),
            if committed { 1 } else { 2 },
            "{name}"
        );
        assert!(it.ticket(id).await.number.is_some(), "{name}");
        assert_eq!(request.attention, None, "{name}");
    }
}

#[tokio::test]
async fn the_same_on_a_table_that_honours_ids() {
    for (name, committed, set) in spoilt() {
        let it = Running::start(Flavour::Sqlite).await;
        it.opened("R0", "access").await;
        it.fault("POST", "incident", 1, &set);
        let id = it.opened("R1", "access").await;
        it.pass(Duration::from_mins(2), Duration::from_secs(5))
            .await;
        assert_eq!(
            it.request(id).await.state,
            RequestState::Open,
            "{name}: {:?}",
            it.attempts(id).await
        );
        assert_eq!(it.records("incident").len(), 2, "{name}");
        assert_eq!(
            it.calls("table.create", "incident"),
            if committed { 2 } else { 3 },
            "{name}"
        );
    }
}

#[tokio::test]
async fn while_an_answer_is_open_the_request_is_opening() {
    let it = Running::start(Flavour::Sqlite).await;
    it.fault(
        "POST",
        "incident",
        1,
        &json!({"post_commits_then_500": 1.0}),
    );
    let id = it.opened("R1", "access").await;
    assert_eq!(it.request(id).await.state, RequestState::Opening);
    assert!(it.ticket(id).await.maybe_sent_at.is_some());
    assert!(!it.ticket(id).await.exists);
}

async fn a_commit_behind_a_500_is_found_and_not_repeated(it: &Running) {
    it.fault(
        "POST",
        "incident",
        1,
        &json!({"post_commits_then_500": 1.0}),
    );
    let id = it.opened("R1", "access").await;
    it.advance(Duration::from_secs(3));
    it.settle().await;
    assert_eq!(
        it.request(id).await.state,
        RequestState::Open,
        "the first look is after two seconds"
    );
    assert_eq!(it.calls("table.create", "incident"), 1);
    assert_eq!(it.calls("table.get", "incident"), 1);
}

async fn a_worker_that_died_after_its_post_is_followed_by_one_that_looks(it: &Running) {
    let id = it.ask("R1", "access").await;
    let bell = it.bells().await.remove(0);
    let now = shared::clock::Clock::now(&*it.bridge.clock);
    let claimed =
        shared::store::jobs::claim(it.bridge.store().conn(), &[bell.job], "dead-worker", now)
            .await
            .unwrap();
    assert_eq!(claimed.len(), 1);
    made_by_the_dead(it, id).await;
    it.look().await;
    assert_eq!(
        it.request(id).await.state,
        RequestState::Open,
        "{:?}",
        it.attempts(id).await
    );
    assert_eq!(it.records("incident").len(), 1);
    assert_eq!(
        it.calls("table.create", "incident"),
        0,
        "it was found, not made"
    );
}

async fn made_by_the_dead(it: &Running, id: Uuid) {
    let sys_id = it.ticket(id).await.sys_id.unwrap();
    let key = id.to_string();
    let fields = [
        ("sys_id", sys_id.as_str()),
        ("correlation_id", key.as_str()),
        ("correlation_display", "TicketBridge"),
        ("short_description", "made by a worker that died"),
    ];
    it.main
        .insert(Some("ticketbridge.integration"), "incident", &fields)
        .unwrap();
}

async fn a_ticket_is_linked_although_its_request_was_withdrawn_meanwhile(it: &Running) {
    it.fault(
        "POST",
        "incident",
        1,
        &json!({"post_commits_then_500": 1.0}),
    );
    let id = it.opened("R1", "access").await;
    it.say(id, "withdrawn", json!({"reason": "No longer needed."}))
        .await;
    assert_eq!(it.request(id).await.state, RequestState::Cancelled);
    it.pass(Duration::from_mins(2), Duration::from_secs(5))
        .await;
    let records = it.records("incident");
    assert_eq!(records.len(), 1);
    assert!(it.ticket(id).await.exists, "the ticket is not left behind");
    assert_eq!(
        records[0]["state"],
        "8",
        "and it is cancelled: {:?}",
        it.attempts(id).await
    );
    assert_eq!(it.request(id).await.state, RequestState::Cancelled);
}

#[tokio::test]
async fn a_request_withdrawn_before_anything_arrived_gets_no_ticket() {
    let it = Running::start(Flavour::Sqlite).await;
    it.fault(
        "POST",
        "incident",
        1,
        &json!({"connection_drop": {"when": "before"}}),
    );
    let id = it.opened("R1", "access").await;
    it.say(id, "withdrawn", json!({"reason": "No longer needed."}))
        .await;
    it.pass(Duration::from_mins(10), Duration::from_secs(10))
        .await;
    assert_eq!(it.records("incident").len(), 0);
    assert_eq!(it.request(id).await.state, RequestState::Cancelled);
    assert!(it.live(id).await.is_empty());
}

#[tokio::test]
async fn where_ids_are_not_honoured_the_quiet_period_is_kept() {
    let it = Running::start(Flavour::Sqlite).await;
    it.main.set_knobs(|knobs| knobs.client_sys_id = false);
    it.opened("R0", "access").await;
    it.fault(
        "POST",
        "incident",
        1,
        &json!({"connection_drop": {"when": "before"}}),
    );
    let id = it.opened("R1", "access").await;
    assert_eq!(it.calls("table.create", "incident"), 2);
    it.pass(Duration::from_secs(145), Duration::from_secs(5))
        .await;
    assert_eq!(
        it.calls("table.create", "incident"),
        2,
        "quiet_seconds is 150"
    );
    it.pass(Duration::from_mins(1), Duration::from_secs(5))
        .await;
    assert_eq!(it.calls("table.create", "incident"), 3);
    assert_eq!(it.request(id).await.state, RequestState::Open);
    assert_eq!(it.records("incident").len(), 2);
}

#[tokio::test]
async fn where_ids_are_not_honoured_a_lost_ticket_is_found_by_its_key() {
    let it = Running::start(Flavour::Sqlite).await;
    it.main.set_knobs(|knobs| knobs.client_sys_id = false);
    it.fault(
        "POST",
        "incident",
        1,
        &json!({"connection_drop": {"when": "after_commit"}}),
    );
    let id = it.opened("R1", "access").await;
    it.pass(Duration::from_secs(10), Duration::from_secs(2))
        .await;
    assert_eq!(it.request(id).await.state, RequestState::Open);
    assert_eq!(
        it.ticket(id).await.sys_id.as_ref(),
        Some(&it.records("incident")[0]["sys_id"])
    );
    assert_eq!(it.calls("table.create", "incident"), 1);
    let facts = table_facts::get(it.bridge.store().conn(), "main", "incident")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(facts.honours_sys_id, Some(false));
}

#[tokio::test]
async fn of_several_tickets_with_one_key_the_oldest_is_used_and_somebody_is_told() {
    let it = Running::start(Flavour::Sqlite).await;
    it.main
        .set_knobs(|knobs| (knobs.client_sys_id, knobs.dup_sys_id) = (false, DupSysId::NewId));
    it.fault(
        "POST",
        "incident",
        1,
        &json!({"connection_drop": {"when": "after_commit"}}),
    );
    let id = it.opened("R1", "access").await;
    let key = id.to_string();
    it.advance(Duration::from_secs(1));
    let fields = [
        ("correlation_id", key.as_str()),
        ("correlation_display", "TicketBridge"),
        ("short_description", "a double"),
    ];
    it.main
        .insert(Some("ticketbridge.integration"), "incident", &fields)
        .unwrap();
    it.pass(Duration::from_secs(10), Duration::from_secs(2))
        .await;
    let records = it.records("incident");
    let oldest = records
        .iter()
        .min_by_key(|record| record["sys_created_on"].clone())
        .unwrap();
    assert_eq!(it.ticket(id).await.number.as_ref(), Some(&oldest["number"]));
    let attention = it.request(id).await.attention.unwrap();
    assert!(attention.starts_with("Several tickets:"), "{attention}");
    for record in &records {
        assert!(attention.contains(&record["number"]), "{attention}");
    }
}
