//! Both sides say something: the owner's value is kept, the other is on record (T11).

use std::time::Duration;

use serde_json::json;
use shared::request::RequestState;
use simulator::{AgentAction, CallFilter};
use tests::databases::Flavour;
use tests::running::Running;

on_both!(
    a_source_that_decides_wins_once_and_then_asks_a_human,
    a_value_that_means_several_states_is_no_conflict,
);

fn patches(it: &Running) -> usize {
    it.main.count(&CallFilter {
        method: Some("PATCH".into()),
        table: Some("incident".into()),
        ..CallFilter::default()
    })
}

/// Incidents have one value for "denied" and "cancelled". A denial whose answer was lost is read back as what was written.
async fn a_value_that_means_several_states_is_no_conflict(it: &Running) {
    let id = it.opened("R1", "owned").await;
    it.advance(Duration::from_secs(30));
    it.fault(
        "PATCH",
        "incident",
        1,
        &json!({"connection_drop": {"when": "after_commit"}}),
    );
    it.say(id, "denied", json!({"reason": "No budget."})).await;
    it.settle().await;
    it.poll("incident").await;
    it.pass(Duration::from_mins(2), Duration::from_secs(10))
        .await;
    let request = it.request(id).await;
    assert_eq!(request.state, RequestState::Denied);
    assert_eq!(request.attention, None);
    assert_eq!(it.records("incident")[0]["state"], "8");
    assert_eq!(patches(it), 1, "it is not written twice");
}

async fn a_source_that_decides_wins_once_and_then_asks_a_human(it: &Running) {
    let id = it.opened("R1", "owned").await;
    let number = it.number(id).await;
    it.say(id, "in_progress", json!({})).await;
    it.settle().await;
    let written = patches(it);

    it.advance(Duration::from_secs(30));
    it.agent(
        &number,
        &AgentAction::Hold {
            reason: None,
            comment: None,
        },
    );
    it.look().await;
    let request = it.request(id).await;
    assert_eq!(
        request.state,
        RequestState::InProgress,
        "the owner's value is kept"
    );
    let attention = request.attention.unwrap();
    assert!(
        attention.starts_with("Conflict: the owner says in_progress, the other side says on_hold"),
        "{attention}"
    );
    assert_eq!(
        it.records("incident")[0]["state"],
        "2",
        "it was written once more"
    );
    assert_eq!(patches(it), written + 1);
    let loser = it.audit(id).await.into_iter().rfind(|entry| {
        entry.action == "ticket.conflict"
            && entry
                .reason
                .as_ref()
                .is_some_and(|why| why.contains("mastery source"))
    });
    let loser = loser.expect("the loser's value is on record");
    assert_eq!(
        (loser.actor.as_str(), loser.to.as_deref()),
        ("servicenow:nina.agent", Some("on_hold"))
    );

    it.advance(Duration::from_secs(30));
    it.agent(
        &number,
        &AgentAction::Hold {
            reason: None,
            comment: None,
        },
    );
    it.pass(Duration::from_mins(10), Duration::from_secs(30))
        .await;
    assert_eq!(
        it.records("incident")[0]["state"],
        "3",
        "nobody fights an agent who insists"
    );
    assert_eq!(patches(it), written + 1);
    assert_eq!(it.request(id).await.state, RequestState::InProgress);

    it.say(id, "fulfilled", json!({"reason": "Done."})).await;
    it.settle().await;
    assert_eq!(
        it.records("incident")[0]["state"],
        "6",
        "news of the source is written as ever"
    );
    assert_eq!(
        it.request(id).await.attention,
        None,
        "the owner has moved on"
    );
}

#[tokio::test]
async fn other_work_on_a_ticket_is_no_conflict() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "owned").await;
    let number = it.number(id).await;
    let written = patches(&it);
    for action in [
        AgentAction::Assign {
            to: Some("tomas.agent".into()),
            group: None,
        },
        AgentAction::WorkNote {
            text: "Looked at it.".into(),
        },
        AgentAction::Comment {
            text: "Nearly there.".into(),
        },
    ] {
        it.advance(Duration::from_secs(30));
        it.agent(&number, &action);
        it.look().await;
    }
    let request = it.request(id).await;
    assert_eq!(
        (request.state, request.attention),
        (RequestState::Open, None)
    );
    assert_eq!(
        it.ticket(id).await.assigned_to.as_deref(),
        Some("Tomas Agent")
    );
    assert_eq!(patches(&it), written);
}
