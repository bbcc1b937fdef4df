//! Comparing a table with the instance's own count: what was missed is read, what cannot be believed changes nothing (N5, N26).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use shared::clock::Clock as _;
use shared::drift::{Difference, Verdict};
use shared::request::RequestState;
use shared::store::audit;
use shared::store::cursors::{self, Cursor};
use shared::store::drift::{self, Report};
use simulator::{AgentAction, CallFilter, FieldAcl, QueryAcl, RowAcl};
use tests::bridge::asked;
use tests::databases::Flavour;
use tests::running::Running;
use uuid::Uuid;

on_both!(
    a_table_without_drift_costs_one_call,
    a_missed_change_is_read,
    a_deleted_ticket_is_flagged_and_told_once
);

/// Compares `incident` of `main` now; the report.
async fn check(it: &Running) -> Report {
    it.compare("incident").await;
    newest(it).await.expect("there is a report")
}

async fn newest(it: &Running) -> Option<Report> {
    let mut reports = drift::newest(it.bridge.store().conn(), Some("main"), 1)
        .await
        .unwrap();
    let report = reports.pop()?;
    assert!(report.tally.adds_up(), "{report:?}");
    Some(report)
}

/// Some tickets, polled, and old enough to be compared.
async fn some(it: &Running, count: usize) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(it.opened(&format!("R{number}"), "access").await);
    }
    it.pass(Duration::from_mins(6), Duration::from_mins(1))
        .await;
    ids
}

/// As if all polls of the last minutes had read and lost what they were told: the cursor stands behind them.
async fn lose_polls(it: &Running, time: Duration) {
    it.advance(time);
    let conn = it.bridge.store().conn();
    let before = cursors::get(conn, "changes:main:incident").await.unwrap();
    let after = Cursor {
        updated_on: it
            .bridge
            .clock
            .now()
            .format("%Y-%m-%d %H:%M:%S")
            .to_string(),
        ..before.clone().expect("it was polled")
    };
    assert!(cursors::put(conn, before.as_ref(), &after).await.unwrap());
}

fn differences(report: &Report) -> Vec<Difference> {
    report.findings.iter().map(|it| it.difference).collect()
}

fn counts(report: &Report) -> [i64; 5] {
    let tally = &report.tally;
    [
        tally.checked,
        tally.unchanged,
        tally.repaired,
        tally.flagged,
        tally.failed,
    ]
}

async fn a_table_without_drift_costs_one_call(it: &Running) {
    some(it, 5).await;
    it.main.clear_log();
    let report = check(it).await;
    assert_eq!(report.verdict, Some(Verdict::Clean), "{report:?}");
    assert_eq!((report.expected, report.found), (5, 5));
    assert_eq!(counts(&report), [5, 5, 0, 0, 0]);
    let calls = it.main.calls(&CallFilter::default());
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].path.ends_with("/stats/incident"), "{:?}", calls[0]);
}

async fn a_missed_change_is_read(it: &Running) {
    let ids = some(it, 5).await;
    it.agent(&it.number(ids[2]).await, &AgentAction::Resume);
    lose_polls(it, Duration::from_mins(10)).await;
    let report = check(it).await;
    assert_eq!(report.verdict, Some(Verdict::Drifted), "{report:?}");
    assert_eq!(counts(&report), [5, 4, 1, 0, 0]);
    assert_eq!(differences(&report), [Difference::Missed]);
    assert_eq!(report.findings[0].request_id, Some(ids[2]));
    assert_eq!(it.request(ids[2]).await.state, RequestState::InProgress);
    let again = check(it).await;
    assert_eq!(again.verdict, Some(Verdict::Clean), "{again:?}");
}

async fn a_deleted_ticket_is_flagged_and_told_once(it: &Running) {
    let ids = some(it, 5).await;
    let sys_id = it.ticket(ids[1]).await.sys_id.unwrap();
    it.main.delete("incident", &sys_id).unwrap();
    let report = check(it).await;
    assert_eq!(report.verdict, Some(Verdict::Drifted), "{report:?}");
    assert_eq!(counts(&report), [5, 4, 0, 1, 0]);
    assert_eq!(differences(&report), [Difference::Gone]);
    let attention = it.request(ids[1]).await.attention.unwrap();
    assert!(attention.starts_with("Not visible:"), "{attention}");
    let again = check(it).await;
    assert_eq!(
        again.verdict,
        Some(Verdict::Clean),
        "it is known: {again:?}"
    );
    let told = audit::of_subject(it.bridge.store().conn(), "table", "main/incident")
        .await
        .unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].action, "drift.found");
}

#[tokio::test]
async fn rows_that_are_not_ours_are_told_apart() {
    let it = Running::start(Flavour::Sqlite).await;
    let ids = some(&it, 3).await;
    let key = it.ticket(ids[0]).await.correlation_id;
    let row = |key: &str| {
        let columns = [
            ("short_description", "A copy"),
            ("correlation_display", "TicketBridge"),
            ("correlation_id", key),
        ];
        it.main.insert(None, "incident", &columns).unwrap();
    };
    row(&key);
    row("of-nobody");
    lose_polls(&it, Duration::from_mins(10)).await;
    let report = check(&it).await;
    assert_eq!(report.verdict, Some(Verdict::Drifted), "{report:?}");
    assert_eq!(counts(&report), [5, 3, 0, 2, 0]);
    assert_eq!((report.expected, report.found), (3, 5));
    let mut found = differences(&report);
    found.sort_by_key(|it| format!("{it:?}"));
    assert_eq!(found, [Difference::Double, Difference::Foreign]);
    let attention = it.request(ids[0]).await.attention.unwrap();
    assert!(attention.starts_with("Several tickets:"), "{attention}");
}

#[tokio::test]
async fn what_changes_right_now_is_no_drift() {
    let it = Running::start(Flavour::Sqlite).await;
    let ids = some(&it, 5).await;
    it.agent(&it.number(ids[0]).await, &AgentAction::Resume);
    it.main.clear_log();
    let report = check(&it).await;
    assert_eq!(report.verdict, Some(Verdict::Clean), "{report:?}");
    assert_eq!(counts(&report), [4, 4, 0, 0, 0]);
    assert_eq!(
        it.main.count(&CallFilter::default()),
        2,
        "the count, and what has just changed"
    );
    assert_eq!(
        it.request(ids[0]).await.state,
        RequestState::Open,
        "it is for the poll"
    );
}

#[tokio::test]
async fn hidden_rows_are_neither_flagged_nor_repaired() {
    let it = Running::start(Flavour::Sqlite).await;
    let ids = some(&it, 5).await;
    let sys_id = it.ticket(ids[0]).await.sys_id.unwrap();
    it.main.set_knobs(|knobs| {
        knobs.row_acl.push(RowAcl {
            table: "incident".into(),
            query: String::new(),
            unless_role: Some("admin".into()),
        });
    });
    let report = check(&it).await;
    assert_eq!(
        report.verdict,
        Some(Verdict::Clean),
        "they are counted: {report:?}"
    );
    it.main
        .update(None, "incident", &sys_id, &[("state", "2")])
        .unwrap();
    lose_polls(&it, Duration::from_mins(10)).await;
    let report = check(&it).await;
    assert!(
        matches!(report.verdict, Some(Verdict::Untrusted | Verdict::Partial)),
        "{report:?}"
    );
    assert_eq!((report.tally.repaired, report.tally.flagged), (0, 0));
    for id in &ids {
        assert_eq!(it.request(*id).await.attention, None);
    }
    assert!(it.circuits().await.is_empty(), "polling goes on");
}

#[tokio::test]
async fn an_instance_that_drops_conditions_is_not_believed() {
    let it = Running::start(Flavour::Sqlite).await;
    let ids = some(&it, 5).await;
    it.agent(&it.number(ids[0]).await, &AgentAction::Resume);
    lose_polls(&it, Duration::from_mins(10)).await;
    let hide = |field: &str| FieldAcl {
        table: "incident".into(),
        field: field.into(),
        hidden: true,
        read_only: false,
        unless_role: None,
    };
    let drop = |field: &str, forbid| QueryAcl {
        table: "incident".into(),
        field: field.into(),
        forbid,
    };
    for (name, field_acl, query_acl) in [
        (
            "the stamp is dropped",
            None,
            Some(drop("sys_updated_on", false)),
        ),
        (
            "the stamp is refused",
            None,
            Some(drop("sys_updated_on", true)),
        ),
        (
            "our name is hidden",
            Some(hide("correlation_display")),
            None,
        ),
        ("the stamp is hidden", Some(hide("sys_updated_on")), None),
    ] {
        it.main.set_knobs(|knobs| {
            knobs.field_acl.extend(field_acl);
            knobs.query_acl.extend(query_acl);
        });
        let report = check(&it).await;
        assert_eq!(
            report.verdict,
            Some(Verdict::Untrusted),
            "{name}: {report:?}"
        );
        assert_eq!(counts(&report), [0; 5], "{name}");
        assert!(report.reason.is_some(), "{name}");
        assert!(
            it.circuits().await.is_empty(),
            "{name}: polling is another matter"
        );
        it.main.set_knobs(|knobs| {
            knobs.field_acl.retain(|it| it.table != "incident");
            knobs.query_acl.clear();
        });
    }
    assert_eq!(it.request(ids[0]).await.state, RequestState::Open);
    assert_eq!(check(&it).await.tally.repaired, 1, "once it is mended");
}

#[tokio::test]
async fn a_table_that_is_suddenly_empty_flags_nobody() {
    let it = Running::start(Flavour::Sqlite).await;
    let ids = some(&it, 6).await;
    for id in &ids {
        let sys_id = it.ticket(*id).await.sys_id.unwrap();
        it.main.delete("incident", &sys_id).unwrap();
    }
    let report = check(&it).await;
    assert_eq!(report.verdict, Some(Verdict::Untrusted), "{report:?}");
    assert!(report.reason.unwrap().contains("counts 0 of our 6 tickets"));
    for id in &ids {
        assert_eq!(it.request(*id).await.attention, None);
    }
}

#[tokio::test]
async fn in_a_wrong_time_zone_nothing_is_compared() {
    let it = Running::start(Flavour::Sqlite).await;
    some(&it, 3).await;
    let zones = BTreeMap::from([(
        "ticketbridge.integration".to_owned(),
        "US/Pacific".to_owned(),
    )]);
    it.main.set_knobs(|knobs| knobs.user_time_zone = zones);
    // The zone is believed for a day.
    it.advance(Duration::from_hours(25));
    let before = newest(&it).await.map(|it| it.id);
    it.look().await;
    assert_eq!(newest(&it).await.map(|it| it.id), before);
    assert_eq!(it.circuits().await[0].class, "zone");
}

#[tokio::test]
async fn the_check_comes_with_its_cadence() {
    let it = Running::start(Flavour::Sqlite).await;
    some(&it, 2).await;
    let before = newest(&it).await.map(|it| it.id);
    it.pass(Duration::from_mins(65), Duration::from_mins(5))
        .await;
    let report = newest(&it).await.expect("an hour has passed");
    assert_ne!(Some(report.id), before);
    assert_eq!(report.verdict, Some(Verdict::Clean));
}

#[tokio::test]
async fn one_missed_change_among_many_is_found_by_halves() {
    let it = Running::start(Flavour::Sqlite).await;
    for some in 0..4 {
        let items: Vec<_> = (0..150)
            .map(|number| asked(&format!("R{some}-{number}"), "access"))
            .collect();
        let answer = it
            .idm
            .post("/v1/requests:batch", &json!({ "items": items }))
            .await;
        assert!(answer.status < 300, "{} {}", answer.status, answer.body);
        it.settle().await;
        it.advance(Duration::from_mins(20));
    }
    it.pass(Duration::from_mins(6), Duration::from_mins(1))
        .await;
    let number = it.records("incident")[300]["number"].clone();
    it.agent(&number, &AgentAction::Resume);
    lose_polls(&it, Duration::from_mins(10)).await;
    it.main.clear_log();
    let report = check(&it).await;
    assert_eq!(report.verdict, Some(Verdict::Drifted), "{report:?}");
    assert_eq!(counts(&report), [600, 599, 1, 0, 0]);
    assert_eq!(report.findings[0].number.as_deref(), Some(number.as_str()));
    let calls = it.main.count(&CallFilter::default());
    assert!(calls < 60, "{calls} calls for one change among 600");
}
