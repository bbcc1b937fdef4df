use reqwest::Method;
use serde_json::json;
use tests::bridge::{Answer, Bridge};
use tests::databases::Flavour;

on_both!(a_bridge_that_can_work_says_so);

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
    scheduler::gauges::Gauges::default()
        .tick(&bridge.scheduler)
        .await
        .unwrap();
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
