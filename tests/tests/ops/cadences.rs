//! What is read how often: run now, paused, resumed.

use std::time::Duration;

use serde_json::{Value, json};
use shared::operator::Role;
use tests::bridge::Api;
use tests::databases::Flavour;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn choice_lists_are_read_every_night_and_when_somebody_asks() {
    let it = Running::tuned(Flavour::Sqlite, "choices_hours = 24").await;
    it.show_choices();
    let reads = || it.calls("table.list", "sys_choice");
    it.look().await;
    let tables = reads();
    assert!(
        tables >= 4,
        "each table of a route, although no ticket is open: {tables}"
    );
    it.pass(Duration::from_hours(23), Duration::from_hours(1))
        .await;
    assert_eq!(reads(), tables);
    it.pass(Duration::from_hours(1), Duration::from_hours(1))
        .await;
    assert_eq!(reads(), 2 * tables);
    let mut omar = it.bridge.signed_in("omar", Role::Operator).await;
    let page = omar.get("/console/cadences").await.words();
    assert!(
        page.contains("incident of main compares choice lists with the state maps"),
        "{page}"
    );
    let asked = omar
        .post("/console/cadences/choices:main:incident/run", &[])
        .await;
    assert_eq!(asked.location, "/console/cadences?flash=asked");
    it.look().await;
    assert_eq!(reads(), 2 * tables + 1);
}
