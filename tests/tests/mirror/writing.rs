//! What the source says becomes the state of the ticket (T10, T11, T17).

use std::time::Duration;

use serde_json::json;
use shared::job::JobState;
use shared::request::RequestState;
use simulator::{AgentAction, CallFilter, FieldAcl};
use tests::databases::Flavour;
use tests::running::Running;
use uuid::Uuid;

on_both!(
    a_source_that_decides_is_followed_by_the_ticket,
    a_withdrawn_request_cancels_its_ticket,
    many_changes_cost_one_write,
    a_refused_jump_is_walked_step_by_step,
    a_ticket_that_is_seen_late_is_waited_for,
);

/// Readers see a write late, and the first refusal is cut in the middle of its body: neither says that the ticket is gone, or that
/// the configuration is broken.
async fn a_ticket_that_is_seen_late_is_waited_for(it: &Running) {
    it.main.set_knobs(|knobs| knobs.visible_delay_ms = 5_000);
    let id = it.opened("R1", "access").await;
    let half = json!({"connection_drop": {"when": "mid_body"}});
    it.fault("GET", "incident", 1, &half);
    it.say(
        id,
        "withdrawn",
        json!({"reason": "The project was stopped."}),
    )
    .await;
    it.settle().await;
    assert_eq!(it.circuits().await, []);
    it.pass(Duration::from_secs(4), Duration::from_secs(2))
        .await;
    assert_eq!(
        it.records("incident")[0]["state"],
        "1",
        "it is still unseen"
    );
    it.pass(Duration::from_secs(30), Duration::from_secs(2))
        .await;
    assert_eq!(it.records("incident")[0]["state"], "8");
    assert_eq!(it.request(id).await.attention, None);
}

async fn state(it: &Running, id: Uuid, table: &str) -> String {
    let sys_id = it.ticket(id).await.sys_id.unwrap();
    it.main.row(table, &format!("sys_id={sys_id}")).unwrap()["state"].clone()
}

fn patches(it: &Running, table: &str) -> usize {
    it.main.count(&CallFilter {
        method: Some("PATCH".into()),
        table: Some(table.into()),
        ..CallFilter::default()
    })
}

async fn a_source_that_decides_is_followed_by_the_ticket(it: &Running) {
    let id = it.opened("R1", "owned").await;
    for (word, value) in [
        ("in_progress", "2"),
        ("on_hold", "3"),
        ("in_progress", "2"),
        ("fulfilled", "6"),
    ] {
        it.say(
            id,
            word,
            json!({"reason": "Provisioned by the identity system."}),
        )
        .await;
        it.settle().await;
        assert_eq!(
            state(it, id, "incident").await,
            value,
            "{word}: {:?}",
            it.attempts(id).await
        );
    }
    let (request, ticket) = (it.request(id).await, it.ticket(id).await);
    assert_eq!(request.state, RequestState::Fulfilled);
    assert_eq!(
        ticket.close_notes.as_deref(),
        Some("Provisioned by the identity system.")
    );
    assert_eq!(ticket.written_version, Some(request.version));
    assert_eq!(request.attention, None);
}

async fn a_withdrawn_request_cancels_its_ticket(it: &Running) {
    let id = it.opened("R1", "access").await;
    it.say(id, "withdrawn", json!({"reason": "Moved to another team."}))
        .await;
    it.settle().await;
    assert_eq!(
        state(it, id, "incident").await,
        "8",
        "{:?}",
        it.attempts(id).await
    );
    let record = it.records("incident").remove(0);
    assert_eq!(record["close_notes"], "Moved to another team.");
    assert_eq!(it.request(id).await.state, RequestState::Cancelled);
}

async fn many_changes_cost_one_write(it: &Running) {
    let id = it.opened("R1", "owned").await;
    for word in [
        "in_progress",
        "on_hold",
        "in_progress",
        "on_hold",
        "fulfilled",
    ] {
        it.say(id, word, json!({"reason": "Because."})).await;
    }
    it.settle().await;
    assert_eq!(state(it, id, "incident").await, "6");
    assert_eq!(patches(it, "incident"), 1, "the newest state is written");
    it.say(id, "fulfilled", json!({})).await;
    it.settle().await;
    assert_eq!(
        patches(it, "incident"),
        1,
        "what is there already is not written"
    );
}

async fn a_refused_jump_is_walked_step_by_step(it: &Running) {
    let rule = json!({"business_rule_abort": [{"table": "incident", "name": "Work first"}]});
    let id = it.opened("R1", "owned").await;
    it.fault("PATCH", "incident", 1, &rule);
    it.say(id, "fulfilled", json!({"reason": "Done."})).await;
    it.settle().await;
    assert_eq!(
        state(it, id, "incident").await,
        "6",
        "{:?}",
        it.attempts(id).await
    );
    assert_eq!(
        patches(it, "incident"),
        3,
        "the jump, the step to 2, and the jump again"
    );
    assert_eq!(it.request(id).await.attention, None);
}

#[tokio::test]
async fn a_change_goes_through_its_whole_model() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "owned-change").await;
    it.fault(
        "PATCH",
        "change_request",
        1,
        &json!({"business_rule_abort": [{"table": "change_request", "name": "Not from New"}]}),
    );
    it.say(id, "fulfilled", json!({"reason": "Implemented."}))
        .await;
    it.settle().await;
    assert_eq!(
        state(&it, id, "change_request").await,
        "3",
        "{:?}",
        it.attempts(id).await
    );
    assert_eq!(
        patches(&it, "change_request"),
        7,
        "refused, then -4, -3, -2, -1, 0, and 3"
    );
}

#[tokio::test]
async fn where_no_way_is_known_somebody_is_told() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "owned").await;
    it.main.set_knobs(|knobs| {
        knobs.field_acl.push(FieldAcl {
            table: "incident".into(),
            field: "state".into(),
            hidden: false,
            read_only: true,
            unless_role: None,
        });
    });
    it.say(id, "in_progress", json!({})).await;
    it.settle().await;
    let job = it.job(id, "update_servicenow_status.v1").await;
    assert_eq!(
        (job.state, job.last_error_class.as_deref()),
        (JobState::Dead, Some("refused_jump")),
        "{:?}",
        it.attempts(id).await
    );
    let request = it.request(id).await;
    assert_eq!(
        request.state,
        RequestState::InProgress,
        "the request stays with its source"
    );
    let attention = request.attention.unwrap();
    assert!(
        attention.starts_with("Ticket not updated:")
            && attention.contains("paths_out of route `owned`"),
        "{attention}"
    );
    assert!(
        it.receiver.heard().pop().unwrap().json()["data"]["attention"]
            .as_str()
            .unwrap()
            .starts_with("Ticket not updated:"),
        "the source is warned"
    );

    it.main.set_knobs(|knobs| {
        knobs.field_acl.pop();
    });
    it.say(id, "on_hold", json!({})).await;
    it.settle().await;
    assert_eq!(state(&it, id, "incident").await, "3");
    assert_eq!(
        it.request(id).await.attention,
        None,
        "a write that went through takes the flag away"
    );
}

#[tokio::test]
async fn a_data_policy_names_what_is_missing() {
    let more = "[[routes]]\nname = \"bare\"\ncategory = \"bare\"\nconnection = \"main\"\ntable = \"incident\"\nmastery = \"source\"\n\
                [routes.fields]\nshort_description = \"{{ item }}\"\n[routes.states_out]\nfulfilled = { state = \"6\" }\n";
    let it = Running::with(Flavour::Sqlite, more).await;
    let id = it.opened("R1", "bare").await;
    it.say(id, "fulfilled", json!({})).await;
    it.settle().await;
    assert_eq!(state(&it, id, "incident").await, "1");
    let job = it.job(id, "update_servicenow_status.v1").await;
    assert_eq!(
        (job.state, job.last_error_class.as_deref()),
        (JobState::Dead, Some("data_policy"))
    );
    let attention = it.request(id).await.attention.unwrap();
    assert!(attention.contains("Resolution code"), "{attention}");
}

#[tokio::test]
async fn an_update_whose_answer_was_lost_is_written_again_in_absolute_values() {
    for set in [
        json!({"connection_drop": {"when": "before"}}),
        json!({"connection_drop": {"when": "after_commit"}}),
        json!({"canned": {"status": 502, "content_type": "text/html", "body": ""}}),
    ] {
        let it = Running::start(Flavour::Sqlite).await;
        let id = it.opened("R1", "owned").await;
        it.fault("PATCH", "incident", 1, &set);
        it.say(id, "in_progress", json!({})).await;
        it.settle().await;
        it.pass(Duration::from_secs(30), Duration::from_secs(3))
            .await;
        assert_eq!(state(&it, id, "incident").await, "2", "{set}");
        assert_eq!(
            it.job(id, "update_servicenow_status.v1").await.state,
            JobState::Done,
            "{set}"
        );
        assert_eq!(it.request(id).await.attention, None, "{set}");
    }
}

#[tokio::test]
async fn a_ticket_that_ended_in_servicenow_is_not_cancelled_over() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "access").await;
    it.agent(
        &it.number(id).await,
        &AgentAction::Resolve {
            code: None,
            notes: Some("Already done.".into()),
        },
    );
    it.say(id, "withdrawn", json!({"reason": "Too late."}))
        .await;
    it.settle().await;
    assert_eq!(state(&it, id, "incident").await, "6", "ServiceNow decides");
    let attention = it.request(id).await.attention.unwrap();
    assert!(
        attention.starts_with("Conflict:") && attention.contains("fulfilled (ServiceNow)"),
        "{attention}"
    );
    assert_eq!(patches(&it, "incident"), 0);
}

#[tokio::test]
async fn what_the_source_said_before_there_was_a_ticket_is_written_once_there_is() {
    let it = Running::start(Flavour::Sqlite).await;
    it.fault(
        "POST",
        "incident",
        1,
        &json!({"connection_drop": {"when": "after_commit"}}),
    );
    let id = it.opened("R1", "owned").await;
    it.say(id, "in_progress", json!({})).await;
    it.say(id, "comment", json!({"comment": "Please hurry."}))
        .await;
    it.settle().await;
    it.pass(Duration::from_mins(1), Duration::from_secs(5))
        .await;
    assert_eq!(
        state(&it, id, "incident").await,
        "2",
        "{:?}",
        it.attempts(id).await
    );
    assert_eq!(it.request(id).await.state, RequestState::InProgress);
    assert_eq!(
        it.main
            .rows("sys_journal_field", "valueLIKEPlease hurry")
            .len(),
        1
    );
}
