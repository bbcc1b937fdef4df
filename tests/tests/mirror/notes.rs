//! Comments reach the journal exactly once, alone, and are never shown to the wrong people (ARCHITECTURE.md, invariant 8).

use std::time::Duration;

use serde_json::json;
use shared::job::JobState;
use shared::request::RequestState;
use simulator::CallFilter;
use tests::databases::Flavour;
use tests::running::Running;

on_both!(
    a_comment_is_written_once,
    a_comment_whose_answer_was_lost_is_looked_up_before_it_is_sent_again,
    a_comment_reaches_a_ticket_that_a_poll_has_found,
);

fn entries(it: &Running, text: &str) -> Vec<simulator::RowMap> {
    it.main
        .rows("sys_journal_field", &format!("valueLIKE{text}"))
}

/// The answer to the create was lost, and a poll sees the ticket before the create looks for it.
async fn a_comment_reaches_a_ticket_that_a_poll_has_found(it: &Running) {
    for category in ["task", "owned"] {
        let table = if category == "task" {
            "sc_task"
        } else {
            "incident"
        };
        // Tables without a ticket are not read.
        it.opened(&format!("{category} before"), category).await;
        it.fault("POST", table, 1, &json!({"post_commits_then_500": 1.0}));
        let id = it.ask(category, category).await;
        let text = format!("Needed by Friday, {category}.");
        it.say(id, "comment", json!({"comment": text, "visible": true}))
            .await;
        it.settle().await;
        assert_eq!(it.request(id).await.state, RequestState::Opening);
        it.poll(table).await;
        assert!(it.ticket(id).await.exists);
        it.pass(Duration::from_mins(2), Duration::from_secs(10))
            .await;
        let request = it.request(id).await;
        assert_eq!(request.state, RequestState::Open);
        assert_eq!(request.attention, None);
        assert_eq!(entries(it, &text).len(), 1, "{:?}", it.attempts(id).await);
    }
}

async fn a_comment_is_written_once(it: &Running) {
    let id = it.opened("R1", "access").await;
    it.say(
        id,
        "comment",
        json!({"comment": "Needed by Friday.", "visible": true}),
    )
    .await;
    it.say(
        id,
        "comment",
        json!({"comment": "Cost centre 4711.", "visible": false}),
    )
    .await;
    it.settle().await;
    it.pass(Duration::from_mins(5), Duration::from_secs(30))
        .await;
    let (public, internal) = (
        entries(it, "Needed by Friday"),
        entries(it, "Cost centre 4711"),
    );
    assert_eq!(
        (public.len(), internal.len()),
        (1, 1),
        "{:?}",
        it.attempts(id).await
    );
    assert_eq!(public[0]["element"], "comments");
    assert_eq!(
        internal[0]["element"], "work_notes",
        "internal text never goes to the requester"
    );
    assert!(
        public[0]["value"].contains("[TicketBridge "),
        "it carries its marker: {}",
        public[0]["value"]
    );
    let patches = it.main.count(&CallFilter {
        method: Some("PATCH".into()),
        ..CallFilter::default()
    });
    assert_eq!(patches, 2, "each alone, and no state with them");
    assert_eq!(
        it.calls("table.list", "sys_journal_field"),
        0,
        "what was never sent is not looked for"
    );
}

async fn a_comment_whose_answer_was_lost_is_looked_up_before_it_is_sent_again(it: &Running) {
    for (number, when, patches) in [
        ("R1", "after_commit", 1),
        ("R2", "mid_body", 1),
        ("R3", "before", 2),
    ] {
        let id = it.opened(number, "access").await;
        it.main.clear_log();
        it.fault(
            "PATCH",
            "incident",
            1,
            &json!({"connection_drop": {"when": when}}),
        );
        it.say(
            id,
            "comment",
            json!({"comment": format!("Once only, {number}.")}),
        )
        .await;
        it.settle().await;
        it.pass(Duration::from_mins(3), Duration::from_secs(5))
            .await;
        assert_eq!(
            entries(it, &format!("Once only, {number}")).len(),
            1,
            "{when}: {:?}",
            it.attempts(id).await
        );
        let sent = it.main.count(&CallFilter {
            method: Some("PATCH".into()),
            ..CallFilter::default()
        });
        assert_eq!(sent, patches, "{when}");
        assert!(it.live(id).await.is_empty(), "{when}");
        assert_eq!(it.request(id).await.attention, None, "{when}");
    }
}

#[tokio::test]
async fn a_comment_that_nobody_can_look_up_is_not_sent_twice() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "access").await;
    it.fault(
        "PATCH",
        "incident",
        1,
        &json!({"connection_drop": {"when": "after_commit"}}),
    );
    it.say(id, "comment", json!({"comment": "Once only."}))
        .await;
    it.settle().await;
    // No entries, as for any account that is no administrator, and a record without its journal columns.
    let bare = json!({"canned": {"status": 200, "content_type": "application/json", "body": r#"{"result":{"sys_id":"a"}}"#}});
    it.fault("GET", "incident", 1, &bare);
    it.advance(Duration::from_secs(3));
    it.settle().await;
    it.pass(Duration::from_mins(3), Duration::from_secs(10))
        .await;
    assert_eq!(entries(&it, "Once only").len(), 1);
    assert_eq!(
        it.main.count(&CallFilter {
            method: Some("PATCH".into()),
            ..CallFilter::default()
        }),
        1
    );
    assert_eq!(
        it.job(id, "update_servicenow_status.v1").await.state,
        JobState::Done
    );
    assert!(
        it.request(id)
            .await
            .attention
            .unwrap()
            .starts_with("Comment unsure:")
    );
}

#[tokio::test]
async fn a_decision_of_the_source_is_noted_where_servicenow_decides() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "access").await;
    it.say(
        id,
        "approved",
        json!({"actor": "sam.sample", "reason": "Line manager agreed."}),
    )
    .await;
    it.settle().await;
    let noted = entries(&it, "Approved by sam.sample");
    assert_eq!(noted.len(), 1);
    assert_eq!(noted[0]["element"], "work_notes");
    assert_eq!(
        it.records("incident")[0]["state"],
        "1",
        "the ticket stays where it is"
    );
}
