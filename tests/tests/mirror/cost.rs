//! Polling costs by what changed, not by what is open (T7, T18).

use std::time::Duration;

use serde_json::json;
use shared::request::RequestState;
use simulator::{AgentAction, CallFilter};
use tests::bridge::asked;
use tests::databases::Flavour;
use tests::running::Running;
use uuid::Uuid;

/// Takes many requests in and makes their tickets.
async fn open_many(it: &Running, count: usize) -> Vec<Uuid> {
    let mut ids = Vec::new();
    let numbers: Vec<usize> = (0..count).collect();
    for some in numbers.chunks(250) {
        let items: Vec<_> = some
            .iter()
            .map(|number| asked(&format!("R{number}"), "access"))
            .collect();
        let answer = it
            .idm
            .post("/v1/requests:batch", &json!({ "items": items }))
            .await;
        assert!(answer.status < 300, "{} {}", answer.status, answer.body);
        let taken = answer.body["items"]
            .as_array()
            .expect("an answer for each item");
        ids.extend(taken.iter().map(|item| {
            item["id"]
                .as_str()
                .and_then(|id| id.parse::<Uuid>().ok())
                .expect("an id")
        }));
    }
    it.settle().await;
    ids
}

#[tokio::test]
async fn a_thousand_unchanged_tickets_cost_one_call_a_cycle() {
    let it = Running::start(Flavour::Sqlite).await;
    let ids = open_many(&it, 1000).await;
    assert_eq!(it.records("incident").len(), 1000);
    assert_eq!(
        it.calls("table.create", "incident"),
        1000,
        "1.0 calls a ticket"
    );
    // The first cycles still see the creations, and verify the time zone.
    it.pass(Duration::from_mins(6), Duration::from_secs(30))
        .await;
    it.main.clear_log();
    let cycles = 20;
    for _ in 0..cycles {
        it.pass(Duration::from_secs(30), Duration::from_secs(30))
            .await;
        assert!(it.calls("table.list", "incident") <= cycles);
    }
    assert_eq!(it.calls("table.list", "incident"), cycles);
    assert_eq!(
        it.main.count(&CallFilter {
            table: Some("incident".into()),
            ..CallFilter::default()
        }),
        cycles,
        "and no other call"
    );

    it.main.clear_log();
    it.agent(&it.number(ids[500]).await, &AgentAction::Resume);
    it.pass(Duration::from_secs(30), Duration::from_secs(30))
        .await;
    assert_eq!(it.calls("table.list", "incident"), 1);
    assert_eq!(it.request(ids[500]).await.state, RequestState::InProgress);
}

#[tokio::test]
async fn reconciling_reads_by_id_in_pages() {
    let it = Running::start(Flavour::Postgres).await;
    open_many(&it, 400).await;
    it.pass(Duration::from_mins(6), Duration::from_mins(1))
        .await;
    it.main.clear_log();
    it.reconcile("incident").await;
    let by_id: Vec<_> = it
        .main
        .calls(&CallFilter::kind_on("table.list", "incident"))
        .into_iter()
        .filter(|call| call.query.contains("sys_idIN"))
        .collect();
    assert_eq!(by_id.len(), 3, "400 tickets, 150 a page");
    assert!(
        by_id
            .iter()
            .all(|call| call.status == Some(200) && call.query.len() < 7000)
    );
}
