//! Limits of an instance are obeyed by every worker, use up no attempt, and leave other instances alone (T22, T23, T25).

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use shared::budget::Standing;
use shared::clock::Clock as _;
use shared::job::JobState;
use shared::request::RequestState;
use simulator::{CallFilter, Canned, Hibernate, RateLimit};
use tests::databases::Flavour;
use tests::running::Running;

on_both!(
    a_rate_limit_is_obeyed_by_all_workers,
    one_instance_does_not_hold_up_another,
);

#[tokio::test]
async fn an_hour_that_is_spent_is_counted_and_one_that_is_over_is_not_shown() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let it = Running::start(Flavour::Sqlite).await;
    it.main
        .set_knobs(|knobs| knobs.rate_limit = Some(RateLimit { per_hour: 1 }));
    it.opened("R0", "access").await;
    let began = it.bridge.clock.now();
    let standings = it.worker.budget.standings();
    let silent = |it: &&Standing| it.throttled.is_some();
    let silence = standings.iter().find(silent).unwrap().throttled.clone();
    let seconds = (silence.unwrap().until - began).num_seconds();
    assert!(seconds > 60, "{seconds}");
    let shows = |line: &str| {
        let text = metrics.render();
        assert!(text.contains(line), "{line} is not in\n{text}");
    };
    let left = r#"ticketbridge_budget_left{connection="main"}"#;
    let throttled = r#"ticketbridge_throttled_seconds_total{connection="main"}"#;
    shows(&format!("{left} 0"));
    for passed in [20, 40, 60] {
        it.advance(Duration::from_secs(20));
        worker::heartbeat::tick(&it.worker).await.unwrap();
        shows(&format!("{throttled} {passed}"));
    }
    it.advance(Duration::from_hours(1));
    worker::heartbeat::tick(&it.worker).await.unwrap();
    shows(&format!("{throttled} {seconds}"));
    shows(&format!("{left} NaN"));
}

/// The longest `Retry-After` that a header can carry, and one that only just has a date.
#[tokio::test]
async fn a_wait_beyond_reason_is_cut_to_a_day() {
    let it = Running::start(Flavour::Sqlite).await;
    for asked in ["18446744073709551615", "9000000000000", "864000"] {
        it.main.set_knobs(|knobs| {
            knobs.canned = Some(Canned {
                status: 429,
                content_type: None,
                headers: [("Retry-After".to_owned(), asked.to_owned())].into(),
                body: String::new(),
            });
        });
        let id = it.opened(asked, "access").await;
        let job = it.job(id, "create_ticket.v1").await;
        assert_eq!((job.state, job.attempts), (JobState::Due, 0), "{asked}");
        let circuit = it.circuits().await.remove(0);
        assert_eq!(circuit.class, "rate_limited", "{asked}");
        let wait = circuit.until - it.bridge.clock.now();
        assert_eq!(wait.num_hours(), 24, "{asked}");
        it.main.set_knobs(|knobs| knobs.canned = None);
        it.advance(Duration::from_hours(24) + Duration::from_secs(5));
        it.settle().await;
        assert!(it.ticket(id).await.exists, "{asked}");
        assert!(it.circuits().await.is_empty(), "{asked}");
    }
}

async fn a_rate_limit_is_obeyed_by_all_workers(it: &Running) {
    let second = it.another_worker().await;
    it.opened("R0", "access").await;
    it.main
        .set_knobs(|knobs| knobs.rate_limit = Some(RateLimit { per_hour: 0 }));
    let held = it.opened("R2", "access").await;
    let job = it.job(held, "create_ticket.v1").await;
    assert_eq!(
        (job.state, job.attempts),
        (JobState::Due, 0),
        "{:?}",
        it.attempts(held).await
    );
    assert_eq!(job.last_error_class.as_deref(), Some("rate_limited"));
    let circuit = it.circuits().await.remove(0);
    assert_eq!(
        (circuit.connection.as_str(), circuit.class.as_str()),
        ("main", "rate_limited")
    );
    let wait = circuit.until - circuit.opened_at;
    assert!(
        wait.num_minutes() > 30,
        "Retry-After runs to the end of the hour: {wait}"
    );

    let calls = it.main.count(&CallFilter::default());
    let third = it.ask("R3", "task").await;
    for bell in it.bells().await {
        worker::ring(&second, bell).await;
    }
    assert_eq!(
        it.main.count(&CallFilter::default()),
        calls,
        "another worker, another queue, and no call"
    );
    assert_eq!(it.job(third, "create_ticket.v1").await.attempts, 0);
    assert!(
        it.attempts(third).await.is_empty(),
        "whoever was turned away made no attempt"
    );

    it.main.set_knobs(|knobs| knobs.rate_limit = None);
    it.pass(Duration::from_mins(62), Duration::from_mins(1))
        .await;
    for id in [held, third] {
        assert_eq!(
            it.request(id).await.state,
            RequestState::Open,
            "{:?}",
            it.attempts(id).await
        );
    }
    assert!(it.circuits().await.is_empty());
}

async fn one_instance_does_not_hold_up_another(it: &Running) {
    it.main
        .set_knobs(|knobs| knobs.rate_limit = Some(RateLimit { per_hour: 0 }));
    let held = it.opened("R1", "access").await;
    let free = it.opened("R2", "elsewhere").await;
    assert_eq!(it.request(held).await.state, RequestState::Accepted);
    assert_eq!(it.request(free).await.state, RequestState::Open);
    assert_eq!(
        it.other
            .rows("incident", "correlation_display=TicketBridge")
            .len(),
        1
    );
    assert_eq!(it.ticket(free).await.connection, "other");
}

#[tokio::test]
async fn an_instance_that_is_full_or_away_is_left_alone_for_longer_each_time() {
    let it = Running::start(Flavour::Sqlite).await;
    let full = json!({"canned": {"status": 429, "content_type": "text/html", "body": ""}});
    it.fault("POST", "incident", 4, &full);
    let id = it.opened("R1", "access").await;
    let mut gaps = Vec::new();
    let mut calls = it.calls("table.create", "incident");
    assert_eq!(calls, 1);
    for second in 1..=120 {
        it.advance(Duration::from_secs(1));
        it.settle().await;
        if it.calls("table.create", "incident") > calls {
            calls += 1;
            gaps.push(second);
        }
    }
    assert_eq!(calls, 5, "{gaps:?}");
    assert!(
        gaps[0] >= 5 && gaps[1] - gaps[0] >= 10 && gaps[2] - gaps[1] >= 20,
        "{gaps:?}"
    );
    assert_eq!(it.request(id).await.state, RequestState::Open);
    assert_eq!(
        it.job(id, "create_ticket.v1").await.attempts,
        1,
        "only the one that went through counts"
    );
    assert!(it.circuits().await.is_empty());
}

#[tokio::test]
async fn an_outage_of_hours_denies_nothing() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.ask("R1", "access").await;
    it.main.set_knobs(|knobs| {
        knobs.hibernate = Some(Hibernate {
            html: 20,
            bad_gateway: 60,
        });
    });
    it.pass(Duration::from_hours(5), Duration::from_secs(30))
        .await;
    assert_eq!(
        it.request(id).await.state,
        RequestState::Accepted,
        "{:?}",
        it.attempts(id).await.last()
    );
    assert_eq!(it.job(id, "create_ticket.v1").await.attempts, 0);
    it.main.set_knobs(|knobs| knobs.hibernate = None);
    it.pass(Duration::from_mins(10), Duration::from_secs(30))
        .await;
    assert_eq!(it.request(id).await.state, RequestState::Open);
    assert_eq!(it.records("incident").len(), 1);
}

#[tokio::test]
async fn nobody_there_is_an_outage_too() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.ask("R1", "access").await;
    let nowhere = it
        .worker_with(
            &format!("base_url = \"{}\"", it.main.base_url()),
            "base_url = \"http://127.0.0.1:9\"",
        )
        .await;
    for bell in it.bells().await {
        worker::ring(&nowhere, bell).await;
    }
    let job = it.job(id, "create_ticket.v1").await;
    assert_eq!(
        (job.state, job.attempts, job.last_error_class.as_deref()),
        (JobState::Due, 0, Some("connect"))
    );
    assert_eq!(it.circuits().await[0].class, "connect");
    it.pass(Duration::from_secs(15), Duration::from_secs(3))
        .await;
    assert_eq!(it.request(id).await.state, RequestState::Open);
    assert_eq!(it.calls("table.create", "incident"), 1);
}

#[tokio::test]
async fn a_retry_after_of_a_full_instance_is_obeyed() {
    let it = Running::start(Flavour::Sqlite).await;
    let busy = json!({"canned": {"status": 503, "content_type": "text/html", "body": "", "headers": {"Retry-After": "90"}}});
    it.fault("POST", "incident", 1, &busy);
    let id = it.opened("R1", "access").await;
    it.pass(Duration::from_secs(85), Duration::from_secs(5))
        .await;
    assert_eq!(it.calls("table.create", "incident"), 1);
    it.pass(Duration::from_mins(4), Duration::from_secs(5))
        .await;
    assert_eq!(
        it.request(id).await.state,
        RequestState::Open,
        "{:?}",
        it.attempts(id).await
    );
}

#[tokio::test]
async fn every_call_of_a_run_is_on_record() {
    let it = Running::start(Flavour::Sqlite).await;
    it.fault(
        "POST",
        "incident",
        1,
        &json!({"post_commits_then_500": 1.0}),
    );
    let id = it.opened("R1", "access").await;
    it.advance(Duration::from_secs(3));
    it.settle().await;
    let story: Vec<Value> = it
        .attempts(id)
        .await
        .iter()
        .filter(|attempt| attempt.calls.iter().any(|call| call.path.contains("incident")))
        .map(|attempt| {
            let calls: Vec<Value> = attempt.calls.iter().map(|call| json!([call.method, call.status, call.class])).collect();
            json!({"number": attempt.number, "outcome": attempt.outcome, "class": attempt.class, "calls": calls})
        })
        .collect();
    assert_eq!(
        json!(story),
        json!([
            {"number": 1, "outcome": "retry", "class": "maybe", "calls": [["POST", 500, "maybe"]]},
            {"number": 2, "outcome": "done", "class": null, "calls": [["GET", 200, "ok"]]},
        ])
    );
}
