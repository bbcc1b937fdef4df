//! Long runs of reading: page by page, without a gap (T7, T23; ARCHITECTURE.md, invariant 10).

use std::time::Duration;

use serde_json::json;
use shared::request::RequestState;
use shared::store::cursors;
use simulator::{AgentAction, CallFilter, Fault, RowAcl};
use tests::databases::Flavour;
use tests::running::Running;
use uuid::Uuid;

async fn opened(it: &Running, count: usize) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(it.opened(&format!("R{number}"), "access").await);
    }
    it.pass(Duration::from_mins(6), Duration::from_mins(1))
        .await;
    ids
}

#[tokio::test]
async fn many_changes_are_read_in_pages() {
    let it = Running::paged(Flavour::Sqlite, 5).await;
    let ids = opened(&it, 13).await;
    it.advance(Duration::from_secs(30));
    for id in &ids {
        it.agent(&it.number(*id).await, &AgentAction::Resume);
    }
    it.main.clear_log();
    it.look().await;
    for id in &ids {
        assert_eq!(it.request(*id).await.state, RequestState::InProgress);
    }
    assert_eq!(
        it.calls("table.list", "incident"),
        3,
        "13 changes, 5 a page"
    );
    let queries: Vec<_> = it
        .main
        .calls(&CallFilter::kind_on("table.list", "incident"))
        .into_iter()
        .map(|call| call.query)
        .collect();
    assert!(
        queries[1].contains("^NQ") && queries[1].contains("sys_id>"),
        "keyset, not offset: {}",
        queries[1]
    );
}

#[tokio::test]
async fn rows_of_one_second_are_not_skipped_and_pages_of_hidden_rows_are_stepped_over() {
    let it = Running::paged(Flavour::Postgres, 5).await;
    let ids = opened(&it, 16).await;
    it.advance(Duration::from_secs(30));
    for id in &ids {
        it.agent(&it.number(*id).await, &AgentAction::Resume);
    }
    let mut by_id: Vec<(String, Uuid)> = Vec::new();
    for id in &ids {
        by_id.push((it.ticket(*id).await.sys_id.unwrap(), *id));
    }
    by_id.sort();
    let hidden: Vec<&str> = by_id
        .iter()
        .take(7)
        .map(|(sys_id, _)| sys_id.as_str())
        .collect();
    it.main.set_knobs(|knobs| {
        knobs.row_acl.push(RowAcl {
            table: "incident".into(),
            query: format!("sys_idIN{}", hidden.join(",")),
            unless_role: Some("admin".into()),
        });
    });
    it.look().await;
    for (place, (_, id)) in by_id.iter().enumerate() {
        let state = it.request(*id).await.state;
        let wanted = if place < 7 {
            RequestState::Open
        } else {
            RequestState::InProgress
        };
        assert_eq!(state, wanted, "row {place}");
    }
}

#[tokio::test]
async fn a_change_that_becomes_visible_late_is_not_lost() {
    let it = Running::start(Flavour::Sqlite).await;
    let ids = opened(&it, 3).await;
    it.advance(Duration::from_secs(30));
    it.main.set_knobs(|knobs| knobs.visible_delay_ms = 90_000);
    it.agent(&it.number(ids[0]).await, &AgentAction::Resume);
    it.main.set_knobs(|knobs| knobs.visible_delay_ms = 0);
    for _ in 0..2 {
        it.look().await;
        it.advance(Duration::from_secs(30));
    }
    it.agent(&it.number(ids[1]).await, &AgentAction::Resume);
    it.pass(Duration::from_mins(3), Duration::from_secs(30))
        .await;
    assert_eq!(it.request(ids[1]).await.state, RequestState::InProgress);
    assert_eq!(
        it.request(ids[0]).await.state,
        RequestState::InProgress,
        "its stamp lies before the cursor, within the overlap"
    );
}

/// Between two pages of a run lies an hour, because the instance asked for quiet. Meanwhile a change becomes visible whose
/// stamp lies behind the page that was read.
#[tokio::test]
async fn a_change_behind_the_pages_of_a_long_run_is_not_lost() {
    let it = Running::paged(Flavour::Sqlite, 2).await;
    let ids = opened(&it, 5).await;
    it.advance(Duration::from_secs(30));
    it.main.set_knobs(|knobs| knobs.visible_delay_ms = 60_000);
    it.agent(&it.number(ids[0]).await, &AgentAction::Resume);
    it.main.set_knobs(|knobs| knobs.visible_delay_ms = 0);
    it.advance(Duration::from_secs(1));
    for id in &ids[1..4] {
        it.agent(&it.number(*id).await, &AgentAction::Resume);
    }
    let quiet = json!({"canned": {"status": 429, "headers": {"Retry-After": "3600"}}});
    let second_page = Fault {
        method: Some("GET".to_owned()),
        table: Some("incident".to_owned()),
        skip: 1,
        times: Some(1),
        set: quiet.as_object().unwrap().clone(),
        ..Fault::default()
    };
    it.main.add_fault(second_page).unwrap();
    it.poll("incident").await;
    it.advance(Duration::from_secs(3_605));
    it.agent(&it.number(ids[4]).await, &AgentAction::Resume);
    it.settle().await;
    it.poll("incident").await;
    for id in ids {
        assert_eq!(it.request(id).await.state, RequestState::InProgress);
    }
}

#[tokio::test]
async fn the_clocks_of_both_sides_may_differ() {
    for (name, ahead) in [
        ("the instance is behind", false),
        ("the instance is ahead", true),
    ] {
        let it = Running::start(Flavour::Sqlite).await;
        if ahead {
            it.main.advance(Duration::from_secs(90));
        } else {
            it.bridge.clock.advance(Duration::from_secs(90));
        }
        let id = it.opened("R1", "access").await;
        it.pass(Duration::from_mins(5), Duration::from_secs(30))
            .await;
        it.agent(&it.number(id).await, &AgentAction::Resume);
        it.pass(Duration::from_secs(30), Duration::from_secs(30))
            .await;
        assert_eq!(
            it.request(id).await.state,
            RequestState::InProgress,
            "{name}"
        );
        let conn = it.bridge.store().conn();
        let cursor = cursors::get(conn, "changes:main:incident")
            .await
            .unwrap()
            .unwrap();
        let server = it
            .main
            .clock()
            .now()
            .format("%Y-%m-%d %H:%M:%S")
            .to_string();
        assert!(
            cursor.updated_on <= server,
            "{name}: {} {server}",
            cursor.updated_on
        );
    }
}

#[tokio::test]
async fn a_date_header_that_is_wrong_does_not_make_it_blind() {
    for skew in [-90, 90] {
        let it = Running::start(Flavour::Sqlite).await;
        it.main.set_knobs(|knobs| knobs.clock_skew_s = skew);
        let id = it.opened("R1", "access").await;
        it.pass(Duration::from_mins(8), Duration::from_secs(30))
            .await;
        it.agent(&it.number(id).await, &AgentAction::Resume);
        it.pass(Duration::from_mins(1), Duration::from_secs(30))
            .await;
        assert_eq!(
            it.request(id).await.state,
            RequestState::InProgress,
            "{skew}"
        );
    }
}
