//! Creates that can never succeed deny their request, with the reason, and it may be asked again (T16).

use std::time::Duration;

use serde_json::{Value, json};
use shared::job::JobState;
use shared::request::RequestState;
use tests::databases::Flavour;
use tests::running::Running;

on_both!(a_rule_of_the_instance_denies_the_request);

async fn a_rule_of_the_instance_denies_the_request(it: &Running) {
    it.main.set_knobs(|knobs| {
        knobs.business_rule_abort.push(simulator::AbortRule {
            table: "incident".into(),
            name: "No access requests here".into(),
            condition: String::new(),
        });
    });
    let id = it.opened("R1", "access").await;
    let request = it.request(id).await;
    assert_eq!(request.state, RequestState::Denied);
    let reason = request.reason.unwrap();
    assert!(
        reason.contains("aborted by Business Rule 'No access requests here"),
        "{reason}"
    );
    assert!(
        reason.ends_with("The request may be asked again."),
        "{reason}"
    );
    let job = it.job(id, "create_ticket.v1").await;
    assert_eq!((job.state, job.attempts), (JobState::Dead, 1));
    let told = it.receiver.heard().pop().unwrap().json();
    assert_eq!(told["type"], "request.denied");
    assert_eq!(told["data"]["may_ask_again"], true);
    assert_eq!(told["data"]["ticket"], Value::Null);
    assert!(
        it.circuits().await.is_empty(),
        "one refused record holds up nobody"
    );
}

#[tokio::test]
async fn each_final_refusal_says_what_to_do() {
    let error = |message: &str, detail: &str| {
        json!({"error": {"message": message, "detail": detail}, "status": "failure"}).to_string()
    };
    for (status, body, class) in [
        (
            403,
            error(
                "Operation Failed",
                "Data Policy Exception: The following fields are mandatory: Resolution code",
            ),
            "data_policy",
        ),
        (
            400,
            error(
                "Exception while reading request",
                "The payload is not valid JSON.",
            ),
            "invalid_request",
        ),
        (414, "<html>URI Too Long</html>".to_owned(), "too_long"),
    ] {
        let it = Running::start(Flavour::Sqlite).await;
        let kind = if body.starts_with('<') {
            "text/html"
        } else {
            "application/json"
        };
        it.fault(
            "POST",
            "incident",
            1,
            &json!({"canned": {"status": status, "content_type": kind, "body": body}}),
        );
        let id = it.opened("R1", "access").await;
        let request = it.request(id).await;
        assert_eq!(
            request.state,
            RequestState::Denied,
            "{status}: {:?}",
            it.attempts(id).await
        );
        assert_eq!(
            it.job(id, "create_ticket.v1")
                .await
                .last_error_class
                .as_deref(),
            Some(class),
            "{status}"
        );
        assert!(
            request
                .reason
                .unwrap()
                .starts_with("No ticket could be made: POST /api/now/table/incident"),
            "{status}"
        );
    }
}

#[tokio::test]
async fn an_error_that_never_goes_away_ends_after_the_last_attempt() {
    let it = Running::with(
        Flavour::Sqlite,
        "[retry]\nmax_attempts = 4\nlongest_wait_seconds = 60\n",
    )
    .await;
    let body = r#"{"error":{"message":"Operation Failed","detail":"Error during insert of incident (INC0010001)"},"status":"failure"}"#;
    it.fault(
        "POST",
        "incident",
        100,
        &json!({"canned": {"status": 403, "content_type": "application/json", "body": body}}),
    );
    let id = it.opened("R1", "access").await;
    it.pass(Duration::from_mins(30), Duration::from_secs(20))
        .await;
    let request = it.request(id).await;
    assert_eq!(
        request.state,
        RequestState::Denied,
        "{:?}",
        it.attempts(id).await
    );
    assert!(
        request
            .reason
            .as_ref()
            .unwrap()
            .contains("gave up after 4 attempts"),
        "{:?}",
        request.reason
    );
    let job = it.job(id, "create_ticket.v1").await;
    assert_eq!((job.state, job.attempts), (JobState::Dead, 4));
}

#[tokio::test]
async fn a_template_that_no_longer_renders_denies_the_request() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.ask("R1", "access").await;
    let strict = it
        .worker_with(
            "short_description = \"{{ item }} for {{ requested_for }}\"",
            "short_description = \"{{ attributes.cost_centre }}\"",
        )
        .await;
    for bell in it.bells().await {
        worker::ring(&strict, bell).await;
    }
    let reason = it.request(id).await.reason.unwrap();
    assert!(
        reason.contains("short_description: the template does not render"),
        "{reason}"
    );
    assert_eq!(it.calls("table.create", "incident"), 0);
}
