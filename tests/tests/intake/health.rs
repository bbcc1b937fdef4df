use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use reqwest::Method;
use scheduler::Scheduler;
use scheduler::gauges::Gauges;
use serde_json::json;
use shared::clock::Clock as _;
use shared::queue::{RedisBroker, RedisOptions};
use shared::store::{cadences, circuits};
use tests::bridge::{Answer, Bridge};
use tests::databases::Flavour;
use tokio_util::sync::CancellationToken;

on_both!(
    a_bridge_that_can_work_says_so,
    a_connection_that_is_held_back_is_named_until_when,
);

async fn a_bridge_that_can_work_says_so(bridge: &Bridge) {
    let stranger = bridge.stranger();
    assert_eq!(stranger.get("/healthz").await.body, json!({"status": "ok"}));
    let ready = stranger.get("/readyz").await;
    assert_eq!(ready.status, 200);
    insta::allow_duplicates!(insta::assert_json_snapshot!("ready", ready.body));
}

#[tokio::test]
async fn the_figures_of_a_dashboard_are_there() {
    let bridge = Bridge::start(Flavour::Sqlite).await;
    shared::telemetry::Metrics::install().unwrap();
    let api = bridge.api("idm").await;
    api.create("R1", "application-access").await;
    api.post("/v1/requests", &json!({})).await;
    Gauges::default().tick(&bridge.scheduler).await.unwrap();
    let answer = Answer::of(bridge.stranger().call(Method::GET, "/metrics")).await;
    assert!(answer.header("content-type").starts_with("text/plain"));
    let text = answer.body.as_str().unwrap();
    for line in [
        r#"ticketbridge_jobs{lane="create-ticket@main",state="rung"} 1"#,
        r#"ticketbridge_jobs{lane="create-ticket@main",state="dead"} 0"#,
        r#"ticketbridge_queue_depth{lane="create-ticket@main"} 1"#,
        r#"ticketbridge_connection_held_until_seconds{connection="main"} 0"#,
        r#"ticketbridge_requests_total{source="idm",result="accepted"} 1"#,
        "ticketbridge_heartbeat_age_seconds 0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

async fn a_connection_that_is_held_back_is_named_until_when(bridge: &Bridge) {
    let (conn, now) = (bridge.store().conn(), bridge.clock.now());
    for (name, class, seconds) in [("main", "busy", 8), ("main/sc_task", "forbidden", 300)] {
        let until = now + Duration::from_secs(seconds);
        circuits::open(conn, name, class, "It is as it is.", until, now)
            .await
            .unwrap();
    }
    let stranger = bridge.stranger();
    let ready = stranger.get("/readyz").await;
    assert_eq!(ready.status, 200, "requests can be taken in all the same");
    insta::allow_duplicates!(insta::assert_json_snapshot!("degraded", ready.body));
    for name in ["main", "main/sc_task"] {
        circuits::close(conn, name, now).await.unwrap();
    }
    assert_eq!(stranger.get("/readyz").await.body["status"], "ready");
}

/// A scheduler on the database of another, whose Redis is away.
async fn without_redis(bridge: &Bridge) -> Scheduler {
    let options = RedisOptions {
        url: "redis://127.0.0.1:1/0".into(),
        prefix: "tb-test".to_owned(),
        response_timeout: Duration::from_secs(1),
        sentinel: None,
    };
    Scheduler::new(
        bridge.store().clone(),
        Arc::new(RedisBroker::connect(options).await.unwrap()),
        Arc::clone(&bridge.scheduler.routes),
        Arc::clone(&bridge.scheduler.settings),
        bridge.clock.clone(),
        CancellationToken::new(),
    )
}

#[tokio::test]
async fn figures_of_the_database_go_on_while_redis_is_away() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let shown = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let bridge = Bridge::start(Flavour::Sqlite).await;
    bridge
        .api("idm")
        .await
        .create("R1", "application-access")
        .await;
    let scheduler = without_redis(&bridge).await;
    let mut gauges = Gauges::default();
    let (conn, now) = (bridge.store().conn(), bridge.clock.now());
    let until = now + Duration::from_mins(5);
    circuits::open(conn, "main/incident", "forbidden", "No access.", until, now)
        .await
        .unwrap();
    let error = gauges.tick(&scheduler).await.unwrap_err().to_string();
    assert!(error.contains("cannot be reached"), "{error}");
    let text = shown.render();
    let table = r#"ticketbridge_connection_held_until_seconds{connection="main",table="incident"}"#;
    for line in [
        r#"ticketbridge_jobs{lane="create-ticket@main",state="rung"} 1"#.to_owned(),
        r#"ticketbridge_connection_held_until_seconds{connection="main"} 0"#.to_owned(),
        format!("{table} {}", until.timestamp()),
        "ticketbridge_heartbeat_age_seconds 0".to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("ticketbridge_queue_depth{"), "{text}");
    // What is held no more is not shown for ever.
    circuits::close(conn, "main/incident", now).await.unwrap();
    gauges.tick(&scheduler).await.unwrap_err();
    let text = shown.render();
    assert!(text.contains(&format!("{table} 0")), "{text}");
}

#[tokio::test]
async fn the_age_of_what_is_read_again_and_again_is_shown() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let shown = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let bridge = Bridge::start(Flavour::Sqlite).await;
    scheduler::cadence::settle(&bridge.scheduler).await.unwrap();
    let conn = bridge.store().conn();
    let name = "changes:main:incident";
    cadences::finished(conn, name, bridge.clock.now())
        .await
        .unwrap();
    bridge.clock.advance(Duration::from_secs(90));
    Gauges::default().tick(&bridge.scheduler).await.unwrap();
    let line = format!("ticketbridge_cadence_age_seconds{{cadence=\"{name}\"}}");
    let text = shown.render();
    assert!(text.contains(&format!("{line} 90")), "{text}");
    cadences::set_paused(conn, name, true).await.unwrap();
    Gauges::default().tick(&bridge.scheduler).await.unwrap();
    let text = shown.render();
    assert!(text.contains(&format!("{line} 0")), "{text}");
}
