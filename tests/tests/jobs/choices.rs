//! Reading choice lists: what the instance offers is kept as it is, and what cannot be told is never taken for agreement (N10).

use std::time::Duration;

use serde_json::json;
use shared::choices;
use shared::job::JobState;
use shared::store::audit;
use shared::store::choice_lists::Reading;
use shared::store::jobs;
use simulator::{AuthKind, FieldAcl, RowAcl};
use tests::databases::Flavour;
use tests::running::Running;

on_both!(
    a_stock_list_fits_the_built_in_maps,
    what_does_not_fit_is_told_once,
    an_account_without_rights_is_told_that_it_cannot_be_told,
    a_refused_log_in_is_not_settled_by_a_reading_of_choices,
);

/// Reads the lists of a table now.
async fn read(it: &Running, table: &str) -> Reading {
    it.read_choices(table).await.expect("it was read")
}

/// Calls that read choices.
fn calls(it: &Running) -> usize {
    it.calls("table.list", "sys_choice")
}

/// What does not fit the map of a route, as people read it.
fn found(it: &Running, route: &str, reading: &Reading) -> Vec<String> {
    let routes = &it.bridge.scheduler.routes;
    let map = &routes.by_name(route).unwrap().states;
    let findings = choices::compare(map, &reading.lists);
    findings.iter().map(ToString::to_string).collect()
}

/// Where each list stands, with how many values.
fn lists(reading: &Reading) -> Vec<(String, usize)> {
    let all = reading.lists.iter();
    all.map(|it| (format!("{}.{}", it.table, it.column), it.choices.len()))
        .collect()
}

async fn a_stock_list_fits_the_built_in_maps(it: &Running) {
    it.show_choices();
    for (table, route, places) in [
        ("incident", "access", ["task.approval", "incident.state"]),
        ("sc_task", "task", ["task.approval", "task.state"]),
        (
            "change_request",
            "change",
            ["task.approval", "change_request.state"],
        ),
        ("problem", "problem", ["task.approval", "problem.state"]),
    ] {
        let before = calls(it);
        let reading = read(it, table).await;
        assert_eq!(calls(it), before + 1, "one call a table");
        assert_eq!(reading.problem, None, "{table}");
        let read = lists(&reading).into_iter().map(|(place, _)| place);
        assert_eq!(read.collect::<Vec<_>>(), places);
        assert_eq!(found(it, route, &reading), [""; 0], "{table}");
    }
    let read = read(it, "incident").await;
    assert_eq!(lists(&read)[1], ("incident.state".to_owned(), 6));
    assert!(it.circuits().await.is_empty());
}

async fn what_does_not_fit_is_told_once(it: &Running) {
    it.show_choices();
    read(it, "incident").await;
    it.add_choice("incident", "state", "9", "Awaiting Parts");
    it.end_choice("incident", "state", "8");
    let reading = read(it, "incident").await;
    insta::assert_snapshot!(
        "what_does_not_fit",
        found(it, "access", &reading).join("\n")
    );
    read(it, "incident").await;
    let conn = it.bridge.store().conn();
    let told = audit::of_subject(conn, "table", "main/incident")
        .await
        .unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].action, "choices.drifted");
    let reason = told[0].reason.clone().unwrap();
    assert!(
        reason.contains("route access: the built-in states_in has no entry for"),
        "{reason}"
    );
    assert!(
        reason.contains("route owned: "),
        "each route has its map: {reason}"
    );
}

async fn an_account_without_rights_is_told_that_it_cannot_be_told(it: &Running) {
    // The default of the simulator: columns of choices are for admins.
    let refused = read(it, "incident").await;
    insta::assert_snapshot!(
        "an_account_without_rights",
        refused.problem.clone().unwrap()
    );
    assert_eq!(refused.lists, []);
    assert!(it.circuits().await.is_empty(), "nothing else suffers");
    let counts = jobs::counts(it.bridge.store().conn()).await.unwrap();
    let stuck = |state| matches!(state, JobState::Dead | JobState::Parked);
    assert!(counts.iter().all(|it| !stuck(it.state)), "{counts:?}");
    // Conditions are allowed, and one of the columns that are needed does not come.
    for column in ["value", "inactive"] {
        it.main.set_knobs(|knobs| {
            knobs.field_acl = vec![FieldAcl {
                table: "sys_choice".into(),
                field: column.into(),
                hidden: true,
                read_only: false,
                unless_role: None,
            }];
        });
        let blind = read(it, "incident").await;
        assert_eq!(blind.problem, refused.problem, "{column}");
        assert_eq!(blind.lists, []);
    }
    it.show_choices();
    let granted = read(it, "incident").await;
    assert_eq!((granted.problem, granted.lists.len()), (None, 2));
}

#[tokio::test]
async fn hidden_choices_are_not_taken_for_gone() {
    let it = Running::start(Flavour::Sqlite).await;
    it.show_choices();
    let hide = |query: &str| {
        let rule = RowAcl {
            table: "sys_choice".into(),
            query: query.into(),
            unless_role: None,
        };
        it.main.set_knobs(|knobs| knobs.row_acl = vec![rule]);
    };
    hide("value=7");
    let some = read(&it, "incident").await;
    assert_eq!(some.lists, []);
    let problem = some.problem.unwrap();
    assert!(
        problem.contains("more rows of these choice lists than it shows"),
        "{problem}"
    );
    hide("");
    let none = read(&it, "incident").await;
    assert!(none.problem.is_some());
    // Where the total is cut as well, an empty answer still proves nothing.
    it.main.set_knobs(|knobs| knobs.row_acl_after_limit = false);
    let empty = read(&it, "incident").await;
    let problem = empty.problem.unwrap();
    assert!(
        problem.contains("No choice of `state` can be seen"),
        "{problem}"
    );
}

#[tokio::test]
async fn more_than_a_page_is_read_to_its_end() {
    let it = Running::tuned(Flavour::Sqlite, "page_size = 4").await;
    it.show_choices();
    let unsure = read(&it, "incident").await.problem.unwrap();
    assert!(unsure.contains("take more than one page"), "{unsure}");
    it.opened("R-1", "access").await;
    it.poll("incident").await;
    let before = calls(&it);
    let whole = read(&it, "incident").await;
    assert_eq!(whole.problem, None);
    assert_eq!(lists(&whole)[1], ("incident.state".to_owned(), 6));
    assert!(calls(&it) > before + 3, "page by page");
    // An account whose times are read otherwise would miss what lies between two pages.
    let it = Running::tuned(Flavour::Sqlite, "page_size = 4").await;
    it.show_choices();
    it.opened("R-1", "access").await;
    it.main.set_knobs(|knobs| {
        let zone = "US/Pacific".to_owned();
        knobs
            .user_time_zone
            .insert("ticketbridge.integration".into(), zone);
    });
    assert_eq!(it.read_choices("incident").await, None);
    assert_eq!(it.circuits().await[0].class, "zone");
}

/// A log-in that is refused opens the circuit of the connection when a job needs it. The reading must neither open nor close it.
async fn a_refused_log_in_is_not_settled_by_a_reading_of_choices(it: &Running) {
    it.main
        .set_knobs(|knobs| knobs.access_policy = vec![AuthKind::Basic]);
    let refused = read(it, "incident").await;
    assert!(refused.problem.is_some());
    assert!(it.circuits().await.is_empty(), "it alone stops nobody");
    it.opened("R-1", "access").await;
    assert_eq!(it.circuits().await[0].class, "auth");
    // Its time has come: the reading goes first.
    it.advance(Duration::from_hours(2));
    read(it, "incident").await;
    assert_eq!(it.circuits().await[0].class, "auth", "it is as it was");
    it.main
        .set_knobs(|knobs| knobs.access_policy = vec![AuthKind::Basic, AuthKind::Bearer]);
    it.pass(Duration::from_hours(2), Duration::from_mins(5))
        .await;
    assert!(it.circuits().await.is_empty());
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_again() {
    let it = Running::start(Flavour::Sqlite).await;
    it.show_choices();
    let lost = json!({"connection_drop": {"when": "mid_body"}});
    it.fault("GET", "sys_choice", 1, &lost);
    assert_eq!(it.read_choices("incident").await, None);
    it.pass(Duration::from_mins(10), Duration::from_mins(1))
        .await;
    assert_eq!(read(&it, "incident").await.problem, None);
    assert_eq!(
        calls(&it),
        3,
        "once in vain, once by itself, once by this test"
    );
}
