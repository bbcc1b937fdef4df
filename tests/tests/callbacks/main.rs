//! Callbacks: signed as Standard Webhooks, newest state first, on a schedule, and never silently lost.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use shared::event::RequestEvent;
use shared::job::JobState;
use shared::request::RequestState;
use shared::store::audit::Actor;
use shared::store::jobs;
use simulator::AgentAction;
use standardwebhooks::Webhook;
use tests::databases::Flavour;
use tests::running::Running;

const SECRET: &str = "whsec_ZmljdGlvbmFsLXNlY3JldC1mb3ItdGVzdHM=";
const KIND: &str = "deliver_callback.v1";

/// Makes two tests of a function over a running bridge: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use tests::databases::Flavour;
            use tests::running::Running;

            #[tokio::test]
            async fn sqlite() {
                super::$name(&Running::start(Flavour::Sqlite).await).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$name(&Running::start(Flavour::Postgres).await).await;
            }
        }
    )+};
}

on_both!(
    every_delivery_is_signed_for_an_independent_verifier,
    the_newest_state_wins,
    an_endpoint_that_is_gone_is_asked_once_and_somebody_is_told,
    a_dead_callback_that_is_retried_is_sent,
);

async fn every_delivery_is_signed_for_an_independent_verifier(it: &Running) {
    // The verifier looks at the machine's clock, and refuses what is older than five minutes.
    it.bridge.clock.set(SystemClock.now());
    let id = it.opened("R1", "access").await;
    it.agent(
        &it.number(id).await,
        &AgentAction::Resolve {
            code: None,
            notes: Some("Granted.".into()),
        },
    );
    it.reconcile("incident").await;
    let verifier = Webhook::new(SECRET).unwrap();
    let heard = it.receiver.heard();
    assert_eq!(it.receiver.types(), ["request.open", "request.fulfilled"]);
    for delivery in &heard {
        verifier.verify(&delivery.body, &delivery.headers).unwrap();
        assert_eq!(delivery.header("content-type"), "application/json");
        let event: RequestEvent = serde_json::from_slice(&delivery.body).unwrap();
        assert_eq!(event.data.id, id);
        let message = format!("msg_{}_{}", id.simple(), event.data.version);
        assert_eq!(
            delivery.header("webhook-id"),
            message,
            "the same for each delivery of this version"
        );
    }
    let now = it.bridge.clock.now().timestamp().to_string();
    assert_eq!(heard[1].header("webhook-timestamp"), now);
    let last = heard[1].json();
    assert_eq!(last["data"]["reason"], "Granted.");
    assert_eq!(last["data"]["ticket"]["number"], it.number(id).await);
    let mut forged = heard[1].clone();
    forged.body.push(b' ');
    assert!(verifier.verify(&forged.body, &forged.headers).is_err());
}

async fn the_newest_state_wins(it: &Running) {
    let id = it.opened("R1", "access").await;
    let number = it.number(id).await;
    it.receiver.plan(503, &[]);
    for action in [
        AgentAction::Resume,
        AgentAction::Hold {
            reason: None,
            comment: None,
        },
        AgentAction::Resolve {
            code: None,
            notes: None,
        },
    ] {
        it.advance(Duration::from_secs(1));
        it.agent(&number, &action);
        it.poll("incident").await;
    }
    it.pass(Duration::from_mins(10), Duration::from_secs(10))
        .await;
    let types = it.receiver.types();
    assert_eq!(types.first().map(String::as_str), Some("request.open"));
    assert_eq!(types.last().map(String::as_str), Some("request.fulfilled"));
    let versions: Vec<i64> = it
        .receiver
        .heard()
        .iter()
        .map(|it| it.json()["data"]["version"].as_i64().unwrap())
        .collect();
    assert!(versions.is_sorted(), "nothing old comes late: {versions:?}");
    assert_eq!(versions.last(), Some(&it.request(id).await.version));
    assert!(
        types.len() <= 4,
        "what was overtaken is not told: {types:?}"
    );
}

async fn an_endpoint_that_is_gone_is_asked_once_and_somebody_is_told(it: &Running) {
    it.receiver.plan(410, &[]);
    let id = it.opened("R1", "access").await;
    it.pass(Duration::from_hours(2), Duration::from_mins(10))
        .await;
    assert_eq!(it.receiver.heard().len(), 1, "410 means never again");
    let dead = it
        .jobs(id)
        .await
        .into_iter()
        .find(|job| job.state == JobState::Dead)
        .unwrap();
    assert_eq!(
        (dead.kind.as_str(), dead.last_error_class.as_deref()),
        (KIND, Some("gone"))
    );
    let request = it.request(id).await;
    assert_eq!(request.state, RequestState::Open, "the request goes on");
    let attention = request.attention.unwrap();
    assert!(
        attention.starts_with("Source not told:") && attention.contains("410 Gone"),
        "{attention}"
    );

    it.agent(&it.number(id).await, &AgentAction::Resume);
    it.poll("incident").await;
    assert_eq!(
        it.receiver.types().last().map(String::as_str),
        Some("request.in_progress"),
        "news are tried again"
    );
    assert_eq!(
        it.request(id).await.attention,
        None,
        "and a source that listens again is flagged no longer"
    );
}

async fn a_dead_callback_that_is_retried_is_sent(it: &Running) {
    it.receiver.plan(410, &[]);
    let id = it.opened("R1", "access").await;
    let all = it.jobs(id).await;
    let dead = all.iter().find(|job| job.state == JobState::Dead).unwrap();
    let tx = it.bridge.store().begin().await.unwrap();
    let actor = Actor::Operator("omar".to_owned());
    let revived = jobs::revive(&tx, dead.id, &actor, it.bridge.clock.now()).await;
    assert!(revived.unwrap());
    tx.commit().await.unwrap();
    it.settle().await;
    // The state, and then that the flag is gone.
    assert_eq!(it.receiver.heard().len(), 3);
    assert_eq!(it.request(id).await.attention, None);
}

#[tokio::test]
async fn deliveries_follow_their_schedule_and_then_end() {
    let it = Running::with(
        Flavour::Sqlite,
        "[callbacks]\nschedule_seconds = [5, 300, 1800]\n",
    )
    .await;
    for _ in 0..20 {
        it.receiver.plan(500, &[]);
    }
    let id = it.opened("R1", "access").await;
    let mut heard_at = vec![0];
    for second in (10..=3000).step_by(10) {
        it.advance(Duration::from_secs(10));
        it.settle().await;
        if it.receiver.heard().len() > heard_at.len() {
            heard_at.push(second);
        }
    }
    assert_eq!(heard_at.len(), 4, "{heard_at:?}");
    let gaps: Vec<u64> = heard_at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Up to a tenth of jitter, seen in steps of ten seconds.
    assert!(
        (5..=10).contains(&gaps[0])
            && (300..=340).contains(&gaps[1])
            && (1800..=2000).contains(&gaps[2]),
        "{gaps:?}"
    );
    let dead = it
        .jobs(id)
        .await
        .into_iter()
        .find(|job| job.state == JobState::Dead)
        .unwrap();
    assert_eq!(
        (dead.attempts, dead.last_error_class.as_deref()),
        (4, Some("callback_refused"))
    );
    assert!(
        it.request(id)
            .await
            .attention
            .unwrap()
            .contains("gave up after 4 attempts")
    );
    let ids: Vec<String> = it
        .receiver
        .heard()
        .iter()
        .map(|it| it.header("webhook-id").to_owned())
        .collect();
    assert!(
        ids.iter().all(|id| *id == ids[0]),
        "a repetition keeps its id: {ids:?}"
    );
}

#[tokio::test]
async fn the_last_attempt_is_counted_as_a_death() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let it = Running::with(Flavour::Sqlite, "[callbacks]\nschedule_seconds = [5]\n").await;
    it.receiver.plan(500, &[]);
    it.receiver.plan(500, &[]);
    let id = it.opened("R1", "access").await;
    it.pass(Duration::from_secs(10), Duration::from_secs(10))
        .await;
    let dead = it.jobs(id).await.into_iter();
    assert_eq!(dead.filter(|job| job.state == JobState::Dead).count(), 1);
    let shown = metrics.render();
    for line in [
        r#"ticketbridge_callbacks_total{source="idm",outcome="retry"} 1"#,
        r#"ticketbridge_callbacks_total{source="idm",outcome="dead"} 1"#,
        r#"ticketbridge_jobs_total{kind="deliver_callback.v1",outcome="retry"} 1"#,
        r#"ticketbridge_jobs_total{kind="deliver_callback.v1",outcome="dead"} 1"#,
        r#"ticketbridge_attempts_total{kind="deliver_callback.v1",class="callback_refused"} 2"#,
        r#"ticketbridge_attempts_total{kind="create_ticket.v1",class="ok"} 1"#,
        r#"ticketbridge_job_duration_seconds_count{kind="deliver_callback.v1",outcome="dead"} 1"#,
    ] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
    assert!(
        !shown.contains("ticketbridge_callback_age_seconds{"),
        "{shown}"
    );
}

#[tokio::test]
async fn how_old_news_are_when_they_are_heard_is_measured() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let it = Running::start(Flavour::Sqlite).await;
    it.receiver.plan(500, &[]);
    it.opened("R1", "access").await;
    it.pass(Duration::from_secs(10), Duration::from_secs(10))
        .await;
    let shown = metrics.render();
    for line in [
        r#"ticketbridge_callback_age_seconds_sum{source="idm"} 10"#,
        r#"ticketbridge_callback_age_seconds_count{source="idm"} 1"#,
        r#"ticketbridge_callbacks_total{source="idm",outcome="delivered"} 1"#,
    ] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
}

#[tokio::test]
async fn a_receiver_may_ask_for_time() {
    let it = Running::start(Flavour::Sqlite).await;
    it.receiver.plan(429, &[("Retry-After", "120")]);
    it.opened("R1", "access").await;
    it.pass(Duration::from_secs(110), Duration::from_secs(5))
        .await;
    assert_eq!(it.receiver.heard().len(), 1);
    it.pass(Duration::from_secs(20), Duration::from_secs(5))
        .await;
    assert_eq!(it.receiver.heard().len(), 2);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let it = Running::start(Flavour::Sqlite).await;
    it.receiver.plan(307, &[("Location", it.receiver.url())]);
    let id = it.opened("R1", "access").await;
    assert_eq!(it.receiver.heard().len(), 1);
    let job = it.job(id, KIND).await;
    assert!(
        job.last_error
            .unwrap()
            .contains("redirects are not followed")
    );
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_tried_again() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.ask("R1", "access").await;
    let deaf = it
        .worker_with(
            &format!("callback_url = \"{}\"", it.receiver.url()),
            "callback_url = \"http://127.0.0.1:9/hook?key=private\"",
        )
        .await;
    for _ in 0..2 {
        for bell in it.bells().await {
            worker::ring(&deaf, bell).await;
        }
    }
    let job = it.job(id, KIND).await;
    assert_eq!(
        (job.state, job.attempts, job.last_error_class.as_deref()),
        (JobState::Due, 1, Some("callback_unreachable"))
    );
    it.pass(Duration::from_secs(10), Duration::from_secs(2))
        .await;
    assert_eq!(it.receiver.types(), ["request.open"]);
}

#[tokio::test]
async fn the_delivery_log_shows_each_attempt_and_no_secret() {
    let it = Running::start(Flavour::Sqlite).await;
    it.receiver.plan(500, &[]);
    let id = it.opened("R1", "access").await;
    it.pass(Duration::from_secs(10), Duration::from_secs(2))
        .await;
    let log: Vec<_> = it
        .attempts(id)
        .await
        .into_iter()
        .filter(|attempt| {
            attempt
                .calls
                .iter()
                .any(|call| call.method == "POST" && call.path.starts_with("http"))
        })
        .collect();
    let told: Vec<_> = log
        .iter()
        .map(|attempt| {
            json!([
                attempt.number,
                attempt.outcome,
                attempt.http_status,
                attempt.class
            ])
        })
        .collect();
    assert_eq!(
        json!(told),
        json!([
            [1, "retry", 500, "callback_refused"],
            [2, "done", 204, null]
        ])
    );
    let written = format!("{log:?} {:?} {:?}", it.jobs(id).await, it.audit(id).await);
    for secret in [
        SECRET,
        "ZmljdGlvbmFs",
        "key=private",
        "hooks/tickets",
        "joon.park",
    ] {
        assert!(!written.contains(secret), "{secret} is nobody's business");
    }
}

#[tokio::test]
async fn a_source_without_an_address_hears_nothing_and_loses_nothing() {
    let it = Running::with(
        Flavour::Sqlite,
        "[sources.quiet]\n[[routes]]\nname = \"quiet\"\nsource = \"quiet\"\ncategory = \"quiet\"\nconnection = \"main\"\ntable = \"incident\"\n\
         [routes.fields]\nshort_description = \"{{ item }}\"\n",
    )
    .await;
    let quiet = it.bridge.api("quiet").await;
    let id = quiet.create("R1", "quiet").await;
    it.settle().await;
    assert_eq!(it.request(id).await.state, RequestState::Open);
    assert!(it.jobs(id).await.iter().all(|job| job.kind != KIND));
    let feed = quiet.get("/v1/events").await;
    assert!(
        feed.body.to_string().contains("request.open"),
        "{}",
        feed.body
    );
}
