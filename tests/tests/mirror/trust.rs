//! Answers that must not be believed park the reading, and the cursor stays where it is (T23; wire contract 2.3, 2.4, 2.9).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use shared::request::RequestState;
use shared::store::cursors;
use simulator::{AgentAction, FieldAcl, QueryAcl};
use tests::databases::Flavour;
use tests::running::Running;

on_both!(a_wrong_time_zone_refuses_to_poll_until_it_is_mended);

async fn cursor(it: &Running) -> Option<String> {
    let cursor = cursors::get(it.bridge.store().conn(), "changes:main:incident")
        .await
        .unwrap();
    cursor.map(|cursor| cursor.updated_on)
}

async fn a_wrong_time_zone_refuses_to_poll_until_it_is_mended(it: &Running) {
    let user = "ticketbridge.integration";
    let zones = BTreeMap::from([(user.to_owned(), "US/Pacific".to_owned())]);
    it.main.set_knobs(|knobs| knobs.user_time_zone = zones);
    let id = it.opened("R1", "access").await;
    it.agent(&it.number(id).await, &AgentAction::Resume);
    it.pass(Duration::from_mins(2), Duration::from_secs(30))
        .await;
    let circuit = it.circuits().await.remove(0);
    assert_eq!(
        (circuit.connection.as_str(), circuit.class.as_str()),
        ("main/incident", "zone")
    );
    assert!(
        circuit.reason.contains("time zone GMT"),
        "{}",
        circuit.reason
    );
    assert_eq!(cursor(it).await, None);
    it.main.set_knobs(|knobs| knobs.user_time_zone.clear());
    it.pass(Duration::from_mins(15), Duration::from_mins(1))
        .await;
    assert_eq!(it.request(id).await.state, RequestState::InProgress);
    assert!(it.circuits().await.is_empty());
}

#[tokio::test]
async fn a_condition_that_was_dropped_moves_no_cursor() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "access").await;
    it.pass(Duration::from_mins(6), Duration::from_mins(1))
        .await;
    let before = cursor(&it).await;
    it.main.set_knobs(|knobs| {
        knobs.query_acl.push(QueryAcl {
            table: "incident".into(),
            field: "sys_updated_on".into(),
            forbid: false,
        });
    });
    it.pass(Duration::from_mins(3), Duration::from_secs(30))
        .await;
    let circuit = it.circuits().await.remove(0);
    assert_eq!(
        (circuit.connection.as_str(), circuit.class.as_str()),
        ("main/incident", "untrustworthy")
    );
    assert_eq!(cursor(&it).await, before);
    it.agent(&it.number(id).await, &AgentAction::Resume);
    it.main.set_knobs(|knobs| knobs.query_acl.clear());
    it.pass(Duration::from_mins(20), Duration::from_mins(1))
        .await;
    assert_eq!(
        it.request(id).await.state,
        RequestState::InProgress,
        "nothing was missed"
    );
    assert!(cursor(&it).await > before);
}

#[tokio::test]
async fn a_column_that_cannot_be_checked_parks_with_its_name() {
    let it = Running::start(Flavour::Sqlite).await;
    it.opened("R1", "access").await;
    it.main.set_knobs(|knobs| {
        knobs.field_acl.push(FieldAcl {
            table: "incident".into(),
            field: "correlation_display".into(),
            hidden: true,
            read_only: false,
            unless_role: None,
        });
    });
    it.pass(Duration::from_mins(2), Duration::from_secs(30))
        .await;
    let circuit = it.circuits().await.remove(0);
    assert!(
        matches!(circuit.class.as_str(), "untrustworthy" | "forbidden_query"),
        "{circuit:?}"
    );
    assert!(
        circuit.reason.contains("correlation_display") || circuit.reason.contains("column"),
        "{}",
        circuit.reason
    );
}

#[tokio::test]
async fn a_spoilt_list_is_read_again_and_nothing_is_missed() {
    let page = |body: &str, kind: &str| json!({"canned": {"status": 200, "content_type": kind, "body": body}});
    for (name, set) in [
        (
            "cut",
            page(r#"{"result":[{"sys_id":"a"#, "application/json"),
        ),
        (
            "error behind rows",
            page(
                r#"{"result":[],"error":{"message":"Transaction cancelled: maximum execution time exceeded","detail":"x"},"status":"failure"}"#,
                "application/json",
            ),
        ),
        (
            "malformed",
            page(
                r#"{"result":[{"sys_id":"a"}"" ],"error":{}}"#,
                "application/json",
            ),
        ),
        ("a web page", page("<html>hello</html>", "text/html")),
        (
            "500",
            json!({"canned": {"status": 500, "content_type": "application/json", "body": "{}"}}),
        ),
        ("202", json!({"canned": {"status": 202, "body": ""}})),
        (
            "429",
            json!({"canned": {"status": 429, "content_type": "text/html", "body": ""}}),
        ),
        (
            "connection lost",
            json!({"connection_drop": {"when": "mid_body"}}),
        ),
    ] {
        let it = Running::start(Flavour::Sqlite).await;
        let id = it.opened("R1", "access").await;
        it.pass(Duration::from_mins(5), Duration::from_mins(1))
            .await;
        it.agent(&it.number(id).await, &AgentAction::Resume);
        it.fault("GET", "incident", 2, &set);
        it.pass(Duration::from_mins(3), Duration::from_secs(10))
            .await;
        assert_eq!(
            it.request(id).await.state,
            RequestState::InProgress,
            "{name}: {:?}",
            it.circuits().await
        );
        assert!(it.circuits().await.is_empty(), "{name}");
    }
}
