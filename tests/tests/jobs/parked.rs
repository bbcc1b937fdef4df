//! Configuration that somebody has to mend: no attempt is used up, everybody is told, and it goes on by itself afterwards.

use std::time::Duration;

use serde_json::json;
use shared::job::JobState;
use shared::request::RequestState;
use shared::store::audit;
use simulator::{AuthKind, CallFilter};
use tests::databases::Flavour;
use tests::running::Running;

on_both!(a_refused_login_parks_and_goes_on_when_it_is_mended);

async fn a_refused_login_parks_and_goes_on_when_it_is_mended(it: &Running) {
    it.main
        .set_knobs(|knobs| knobs.access_policy = vec![AuthKind::Basic]);
    let first = it.opened("R1", "access").await;
    let job = it.job(first, "create_ticket.v1").await;
    assert_eq!((job.state, job.attempts), (JobState::Parked, 0));
    let circuits = it.circuits().await;
    assert_eq!(
        (circuits[0].connection.as_str(), circuits[0].class.as_str()),
        ("main", "auth")
    );
    let attention = it.request(first).await.attention.unwrap();
    assert!(
        attention.starts_with("Waiting for a configuration:"),
        "{attention}"
    );
    let entries = audit::of_subject(it.bridge.store().conn(), "connection", "main")
        .await
        .unwrap();
    assert_eq!(entries.last().unwrap().action, "circuit.opened");

    let calls = it.main.count(&CallFilter::default());
    let second = it.opened("R2", "task").await;
    assert_eq!(
        it.main.count(&CallFilter::default()),
        calls,
        "nobody calls while the circuit is open"
    );
    it.pass(Duration::from_mins(30), Duration::from_secs(15))
        .await;
    let tried = it.main.count(&CallFilter {
        kind: Some("table.create".into()),
        ..CallFilter::default()
    });
    assert!(
        tried < 12,
        "log-ins are tried rarely, or the account is locked: {tried}"
    );
    for id in [first, second] {
        assert_eq!(
            it.job(id, "create_ticket.v1").await.attempts,
            0,
            "no attempt was used up"
        );
    }

    it.main
        .set_knobs(|knobs| knobs.access_policy = vec![AuthKind::Basic, AuthKind::Bearer]);
    it.pass(Duration::from_mins(65), Duration::from_secs(30))
        .await;
    for id in [first, second] {
        let request = it.request(id).await;
        assert_eq!(
            request.state,
            RequestState::Open,
            "{:?}",
            it.attempts(id).await
        );
        assert_eq!(request.attention, None);
    }
    assert!(it.circuits().await.is_empty());
    assert_eq!(
        it.main
            .rows("task", "correlation_display=TicketBridge")
            .len(),
        2
    );
}

#[tokio::test]
async fn a_missing_table_parks_its_own_jobs_only() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "missing").await;
    assert_eq!(it.job(id, "create_ticket.v1").await.state, JobState::Parked);
    assert_eq!(it.circuits().await[0].connection, "main/u_no_such_table");
    let attention = it.request(id).await.attention.unwrap();
    assert!(attention.contains("Check the table name"), "{attention}");
    let other = it.opened("R2", "access").await;
    assert_eq!(
        it.request(other).await.state,
        RequestState::Open,
        "another table of the same connection works"
    );
    let calls = it.calls("table.create", "u_no_such_table");
    let second = it.opened("R3", "missing").await;
    assert_eq!(
        it.calls("table.create", "u_no_such_table"),
        calls,
        "{:?}",
        it.attempts(second).await
    );
    it.pass(Duration::from_mins(20), Duration::from_secs(30))
        .await;
    for id in [id, second] {
        assert_eq!(it.job(id, "create_ticket.v1").await.attempts, 0);
        assert_eq!(it.request(id).await.state, RequestState::Accepted);
    }
}

#[tokio::test]
async fn each_refusal_of_access_parks_with_its_advice() {
    let error = |message: &str, detail: Option<&str>| {
        json!({"error": {"message": message, "detail": detail}, "status": "failure"}).to_string()
    };
    for (status, body, circuit, class, advice) in [
        (
            403,
            error(
                "Operation Failed",
                Some("ACL Exception Insert Failed due to security constraints"),
            ),
            "main/incident",
            "forbidden_acl",
            "Give the integration account a role",
        ),
        (
            403,
            error(
                "Insufficient rights to query records",
                Some("Field(s) present in the query do not have permission to be read"),
            ),
            "main/incident",
            "forbidden_query",
            "correct the name or grant",
        ),
        (
            400,
            error("Invalid table incident", None),
            "main/incident",
            "invalid_table",
            "Check the table name",
        ),
        (
            404,
            error("Requested URI does not represent any resource", None),
            "main",
            "invalid_path",
            "check the base URL",
        ),
        (
            405,
            error("Method not supported", None),
            "main",
            "invalid_protocol",
            "check the base URL and any proxy",
        ),
        (302, String::new(), "main", "login_page", "single sign-on"),
    ] {
        let it = Running::start(Flavour::Sqlite).await;
        let mut canned =
            json!({"status": status, "content_type": "application/json", "body": body});
        if status == 302 {
            canned["headers"] = json!({"Location": "/login.do"});
        }
        it.fault("POST", "incident", 1, &json!({"canned": canned}));
        let id = it.opened("R1", "access").await;
        let job = it.job(id, "create_ticket.v1").await;
        assert_eq!(
            (job.state, job.attempts),
            (JobState::Parked, 0),
            "{status} {class}: {:?}",
            it.attempts(id).await
        );
        assert_eq!(job.last_error_class.as_deref(), Some(class), "{status}");
        assert_eq!(it.circuits().await[0].connection, circuit, "{class}");
        let attention = it.request(id).await.attention.unwrap();
        assert!(attention.contains(advice), "{class}: {attention}");
        it.pass(Duration::from_mins(3), Duration::from_secs(10))
            .await;
        assert_eq!(
            it.request(id).await.state,
            RequestState::Open,
            "{class}: it goes on by itself"
        );
        assert_eq!(it.request(id).await.attention, None, "{class}");
        assert!(it.circuits().await.is_empty(), "{class}");
        assert_eq!(it.records("incident").len(), 1, "{class}");
    }
}

#[tokio::test]
async fn a_stray_refusal_of_the_api_is_tried_once_more_before_it_parks() {
    let it = Running::start(Flavour::Sqlite).await;
    it.fault("POST", "incident", 1, &json!({"api_acl_denied": true}));
    let id = it.opened("R1", "access").await;
    it.pass(Duration::from_secs(10), Duration::from_secs(1))
        .await;
    assert_eq!(
        it.request(id).await.state,
        RequestState::Open,
        "{:?}",
        it.attempts(id).await
    );

    it.fault("POST", "incident", 2, &json!({"api_acl_denied": true}));
    let id = it.opened("R2", "access").await;
    it.pass(Duration::from_secs(10), Duration::from_secs(1))
        .await;
    assert_eq!(it.job(id, "create_ticket.v1").await.state, JobState::Parked);
    assert_eq!(it.circuits().await[0].connection, "main/incident");
}

#[tokio::test]
async fn a_route_that_left_the_configuration_parks_until_a_worker_starts_with_it() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.ask("R1", "access").await;
    let without = it
        .worker_with("name = \"access\"", "name = \"renamed\"")
        .await;
    for bell in it.bells().await {
        worker::ring(&without, bell).await;
    }
    let job = it.job(id, "create_ticket.v1").await;
    assert_eq!(
        (job.state, job.last_error_class.as_deref()),
        (JobState::Parked, Some("configuration"))
    );
    assert!(
        it.request(id)
            .await
            .attention
            .unwrap()
            .contains("route `access` has left the configuration")
    );
    let mut process = shared::process::Process::new();
    worker::start(
        &it.fresh_worker("worker-3"),
        &["create-ticket".to_owned()],
        &mut process,
    )
    .await
    .unwrap();
    let stop = process.stop_token();
    assert_eq!(
        it.job(id, "create_ticket.v1").await.state,
        JobState::Due,
        "a start gives parked jobs another try"
    );
    it.settle().await;
    stop.cancel();
    process
        .run(std::future::pending(), Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(it.request(id).await.state, RequestState::Open);
}

#[tokio::test]
async fn a_worker_that_starts_with_mended_credentials_goes_on_at_once() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.ask("R1", "access").await;
    let locked_out = it
        .worker_with(
            "client_secret = \"ticketbridge-demo-secret\"",
            "client_secret = \"old-secret-4711\"",
        )
        .await;
    for bell in it.bells().await {
        worker::ring(&locked_out, bell).await;
    }
    assert_eq!(it.circuits().await[0].class, "auth");
    let attention = it.request(id).await.attention.unwrap();
    assert!(
        attention.contains("check client id and secret") && !attention.contains("4711"),
        "{attention}"
    );
    let mut process = shared::process::Process::new();
    let mended = it.fresh_worker("worker-3");
    worker::start(&mended, &["create-ticket".to_owned()], &mut process)
        .await
        .unwrap();
    it.settle().await;
    process.stop_token().cancel();
    process
        .run(std::future::pending(), Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(it.request(id).await.state, RequestState::Open);
    assert_eq!(it.request(id).await.attention, None);
}
