//! An instance whose readers see a write some time after it was made (wire contract 12.3): what is not there yet is not gone.

use std::time::Duration;

use serde_json::json;
use shared::request::RequestState;
use tests::databases::Flavour;
use tests::running::Running;

/// Longer than a first attempt takes, shorter than what is still believed to be lag.
const LAG_MS: u64 = 30_000;

#[tokio::test]
async fn a_ticket_that_a_replica_does_not_show_yet_is_written_later() {
    let it = Running::start(Flavour::Sqlite).await;
    it.main.set_knobs(|knobs| knobs.visible_delay_ms = LAG_MS);
    let id = it.opened("R1", "owned").await;
    it.say(id, "in_progress", json!({})).await;
    it.settle().await;
    it.pass(Duration::from_mins(3), Duration::from_secs(10))
        .await;
    assert_eq!(
        it.records("incident")[0]["state"],
        "2",
        "{:?}",
        it.attempts(id).await
    );
    assert_eq!(it.request(id).await.attention, None);
}

#[tokio::test]
async fn a_comment_whose_answer_was_lost_waits_for_the_replica() {
    let it = Running::start(Flavour::Sqlite).await;
    it.main.set_knobs(|knobs| knobs.visible_delay_ms = LAG_MS);
    let id = it.opened("R1", "access").await;
    it.fault(
        "PATCH",
        "incident",
        1,
        &json!({"connection_drop": {"when": "after_commit"}}),
    );
    it.say(id, "comment", json!({"comment": "Needed by Friday."}))
        .await;
    it.settle().await;
    it.pass(Duration::from_mins(5), Duration::from_secs(10))
        .await;
    let entries = it
        .main
        .rows("sys_journal_field", "valueLIKENeeded by Friday");
    assert_eq!(entries.len(), 1, "{:?}", it.attempts(id).await);
    assert_eq!(
        it.request(id).await.attention,
        None,
        "{:?}",
        it.attempts(id).await
    );
}

/// The first reconciliation of a table comes right after its first tickets.
#[tokio::test]
async fn tickets_that_a_replica_does_not_show_yet_are_no_alarm() {
    let it = Running::start(Flavour::Sqlite).await;
    it.main.set_knobs(|knobs| knobs.visible_delay_ms = LAG_MS);
    let mut ids = Vec::new();
    for number in ["R1", "R2", "R3"] {
        ids.push(it.opened(number, "access").await);
    }
    it.reconcile("incident").await;
    assert_eq!(it.circuits().await, [], "the table is not parked");
    for id in ids {
        assert_eq!(it.request(id).await.attention, None);
    }
}

/// A poll sees the ticket of a create whose answer was lost before the create has looked for it.
#[tokio::test]
async fn a_ticket_that_a_poll_finds_first_is_linked() {
    let it = Running::start(Flavour::Sqlite).await;
    it.opened("R0", "owned").await;
    it.fault(
        "POST",
        "incident",
        2,
        &json!({"connection_drop": {"when": "after_commit"}}),
    );
    let waits = it.opened("R1", "owned").await;
    let withdrawn = it.opened("R2", "access").await;
    assert_eq!(it.request(waits).await.state, RequestState::Opening);
    it.say(
        withdrawn,
        "withdrawn",
        json!({"reason": "The project was stopped."}),
    )
    .await;
    it.settle().await;
    it.poll("incident").await;
    it.pass(Duration::from_mins(5), Duration::from_secs(10))
        .await;
    let request = it.request(waits).await;
    assert_eq!(
        (request.state, request.attention),
        (RequestState::Open, None)
    );
    let key = format!("correlation_id={withdrawn}");
    let ticket = it.main.row("incident", &key).unwrap();
    assert_eq!(ticket["state"], "8", "{:?}", it.attempts(withdrawn).await);
    assert_eq!(it.records("incident").len(), 3);
}
