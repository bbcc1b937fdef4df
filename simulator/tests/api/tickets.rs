//! The life of tickets, as people and rules shape it.

use std::time::Duration;

use serde_json::json;
use simulator::{AgentAction, RowMap};

use crate::client::Instance;

async fn opened(instance: &Instance, body: serde_json::Value) -> String {
    instance.post("incident", body).await.result()["sys_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn values<'r>(row: &'r RowMap, columns: &[&str]) -> Vec<&'r str> {
    columns
        .iter()
        .map(|column| row.get(*column).map_or("", String::as_str))
        .collect()
}

#[tokio::test]
async fn an_incident_lives_from_new_to_closed_and_back() {
    let instance = Instance::start().await;
    let id = opened(&instance, json!({"short_description": "x"})).await;
    let row = || {
        instance
            .sim
            .row("incident", &format!("sys_id={id}"))
            .unwrap()
    };
    let nina = |action: AgentAction| instance.sim.agent("nina.agent", &id, &action).unwrap();
    nina(AgentAction::Assign {
        to: Some("nina.agent".into()),
        group: Some("Service Desk".into()),
    });
    assert_eq!(
        values(&row(), &["state", "incident_state"]),
        ["2", "2"],
        "an assigned ticket is in progress"
    );
    nina(AgentAction::Hold {
        reason: Some("4".into()),
        comment: None,
    });
    assert_eq!(values(&row(), &["state", "hold_reason"]), ["3", "4"]);
    nina(AgentAction::Resume);
    assert_eq!(values(&row(), &["state", "hold_reason"]), ["2", ""]);
    instance.sim.advance(Duration::from_mins(1));
    nina(AgentAction::Resolve {
        code: None,
        notes: Some("Fixed".into()),
    });
    assert_eq!(
        values(&row(), &["state", "active", "resolved_at", "close_notes"]),
        ["6", "true", "2026-11-22 10:01:00", "Fixed"]
    );
    let reopened = instance
        .patch("incident", &id, json!({"incident_state": "2"}))
        .await
        .result();
    assert_eq!(
        (
            &reopened["state"],
            &reopened["reopen_count"],
            &reopened["resolved_at"]
        ),
        (&json!("2"), &json!("1"), &json!(""))
    );
    nina(AgentAction::Close { notes: None });
    let closed = row();
    assert_eq!(
        values(&closed, &["state", "active", "closed_at"]),
        ["7", "false", "2026-11-22 10:01:00"]
    );
    assert_eq!(
        closed["closed_by"],
        instance
            .sim
            .row("sys_user", "user_name=nina.agent")
            .unwrap()["sys_id"]
    );
}

#[tokio::test]
async fn the_callers_comment_ends_waiting_for_the_caller() {
    let instance = Instance::start().await;
    let fern = instance
        .sim
        .row("sys_user", "user_name=fern.example")
        .unwrap()["sys_id"]
        .clone();
    let id = opened(&instance, json!({"caller_id": fern})).await;
    let state = || {
        instance
            .sim
            .row("incident", &format!("sys_id={id}"))
            .unwrap()["state"]
            .clone()
    };
    let hold = AgentAction::Hold {
        reason: None,
        comment: Some("Which one?".into()),
    };
    instance.sim.agent("nina.agent", &id, &hold).unwrap();
    assert_eq!(state(), "3");
    instance
        .sim
        .agent(
            "nina.agent",
            &id,
            &AgentAction::Comment {
                text: "Hello?".into(),
            },
        )
        .unwrap();
    assert_eq!(state(), "3", "another's comment changes nothing");
    instance
        .sim
        .agent(
            "fern.example",
            &id,
            &AgentAction::Comment {
                text: "The blue one".into(),
            },
        )
        .unwrap();
    assert_eq!(state(), "2");
}

#[tokio::test]
async fn rejecting_and_cancelling_close_with_the_reason() {
    let instance = Instance::start().await;
    let id = opened(&instance, json!({})).await;
    instance
        .sim
        .agent(
            "nina.agent",
            &id,
            &AgentAction::Reject {
                comment: Some("Not entitled".into()),
            },
        )
        .unwrap();
    let row = instance
        .sim
        .row("incident", &format!("sys_id={id}"))
        .unwrap();
    assert_eq!(
        values(&row, &["state", "approval", "active", "close_notes"]),
        ["8", "rejected", "false", "Not entitled"]
    );
    let entry = instance
        .sim
        .row("sys_journal_field", &format!("element_id={id}"))
        .unwrap();
    assert_eq!(
        values(&entry, &["element", "value", "sys_created_by"]),
        ["comments", "Not entitled", "nina.agent"]
    );

    let request = instance.post("sc_request", json!({})).await.result();
    let (id, number) = (
        request["sys_id"].as_str().unwrap(),
        request["number"].as_str().unwrap(),
    );
    assert_eq!(
        (&request["request_state"], number),
        (&json!("requested"), "REQ0010001")
    );
    instance
        .sim
        .agent("tomas.agent", number, &AgentAction::Approve)
        .unwrap();
    instance
        .sim
        .agent("tomas.agent", number, &AgentAction::Cancel { notes: None })
        .unwrap();
    let row = instance
        .sim
        .row("sc_request", &format!("sys_id={id}"))
        .unwrap();
    assert_eq!(
        values(&row, &["approval", "request_state", "state", "active"]),
        ["approved", "closed_cancelled", "4", "false"]
    );
}

#[tokio::test]
async fn changes_refuse_illegal_jumps() {
    let instance = Instance::start().await;
    let id = instance
        .post("change_request", json!({"type": "standard"}))
        .await
        .result()["sys_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let jump = instance
        .patch("change_request", &id, json!({"state": "0"}))
        .await;
    assert!(
        jump.error()
            .1
            .as_str()
            .unwrap()
            .contains("Check State Transition")
    );
    assert_eq!(
        instance
            .patch("change_request", &id, json!({"state": "-2"}))
            .await
            .result()["state"],
        "-2"
    );
}

#[tokio::test]
async fn an_agent_can_fail_too() {
    let instance = Instance::start().await;
    let unknown = instance
        .sim
        .agent("nina.agent", "INC9999999", &AgentAction::Resume)
        .unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "the simulated instance refused: NoRecord"
    );
    let nobody = AgentAction::Assign {
        to: Some("nobody".into()),
        group: None,
    };
    assert!(
        instance
            .sim
            .agent("nina.agent", "INC0000001", &nobody)
            .is_err()
    );
}
