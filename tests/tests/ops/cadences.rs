//! What is read how often: run now, paused, resumed.

use std::time::Duration;

use serde_json::{Value, json};
use shared::operator::Role;
use tests::bridge::Api;
use tests::running::Running;

on_both!(
    a_cadence_runs_when_it_is_asked_to,
    a_paused_cadence_reads_nothing_until_it_is_resumed,
    the_console_does_the_same,
);

const NAME: &str = "changes:main:incident";
const PATH: &str = "/v1/ops/cadences/changes:main:incident";

async fn cadence(api: &Api) -> Value {
    let all = api.get("/v1/ops/cadences").await.body;
    let found = super::items(&all).iter().find(|it| it["name"] == NAME);
    found.unwrap().clone()
}

async fn a_cadence_runs_when_it_is_asked_to(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    it.opened("R-1", "access").await;
    it.look().await;
    let began = cadence(&omar).await["last_started_at"].clone();
    it.advance(Duration::from_secs(1));
    it.look().await;
    assert_eq!(
        cadence(&omar).await["last_started_at"],
        began,
        "its turn has not come"
    );
    let asked = omar.post(&format!("{PATH}/run"), &json!({})).await;
    assert_eq!(asked.status, 200, "{}", asked.body);
    it.look().await;
    assert_ne!(cadence(&omar).await["last_started_at"], began);
    let unknown = omar.post("/v1/ops/cadences/none/run", &json!({})).await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.body["detail"].as_str().unwrap().contains(NAME));
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    assert_eq!(
        vera.post(&format!("{PATH}/run"), &json!({})).await.status,
        403
    );
}

async fn a_paused_cadence_reads_nothing_until_it_is_resumed(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    it.look().await;
    omar.post(&format!("{PATH}/pause"), &json!({})).await;
    assert_eq!(cadence(&omar).await["paused"], true);
    let again = omar.post(&format!("{PATH}/pause"), &json!({})).await;
    assert_eq!(again.status, 409);
    assert_eq!(
        omar.post(&format!("{PATH}/run"), &json!({})).await.status,
        409
    );
    let began = cadence(&omar).await["last_started_at"].clone();
    it.pass(Duration::from_mins(2), Duration::from_secs(20))
        .await;
    assert_eq!(cadence(&omar).await["last_started_at"], began);
    omar.post(&format!("{PATH}/resume"), &json!({})).await;
    it.look().await;
    assert_ne!(cadence(&omar).await["last_started_at"], began);
    let trail = omar.get("/v1/ops/audit?subject_kind=cadence").await.body;
    let words: Vec<&Value> = super::items(&trail)
        .iter()
        .map(|it| &it["action"])
        .collect();
    assert_eq!(words, ["cadence.resumed", "cadence.paused"]);
}

async fn the_console_does_the_same(it: &Running) {
    it.look().await;
    let mut omar = it.bridge.signed_in("omar", Role::Operator).await;
    let page = omar.get("/console/cadences").await;
    assert!(
        page.words().contains("incident of main"),
        "{}",
        page.words()
    );
    let path = "/console/cadences/changes%3Amain%3Aincident";
    let paused = omar.post(&format!("{path}/pause"), &[]).await;
    assert_eq!(paused.location, "/console/cadences?flash=stilled");
    let page = omar.get(&paused.location).await;
    assert!(
        page.words().contains("not before it is resumed"),
        "{}",
        page.words()
    );
    let resumed = omar.post(&format!("{path}/resume"), &[]).await;
    assert_eq!(resumed.location, "/console/cadences?flash=resumed");
    let asked = omar.post(&format!("{path}/run"), &[]).await;
    assert_eq!(asked.location, "/console/cadences?flash=asked");
}
