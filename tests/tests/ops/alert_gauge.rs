//! Which alerts fire, as Prometheus reads it from a scheduler.

use reqwest::Method;
use scheduler::gauges::Gauges;
use serde_json::json;
use shared::operator::Role;
use tests::bridge::Answer;
use tests::databases::Flavour;
use tests::running::Running;

use super::alert_messages::alerted;
use super::alert_rules::revive;

/// What `/metrics` says of the alert, after a look and a round of the gauges.
async fn shown(it: &Running, alert: &str) -> Option<String> {
    it.look_at_alerts().await;
    let mut gauges = Gauges::default();
    gauges.tick(&it.bridge.scheduler).await.unwrap();
    let answer = Answer::of(it.bridge.stranger().call(Method::GET, "/metrics")).await;
    assert_eq!(answer.status, 200);
    let name = format!("ticketbridge_alert_firing{{alert=\"{alert}\",");
    let text = answer.body.as_str().unwrap();
    let mut lines = text.lines().filter_map(|it| it.strip_prefix(&name));
    let found = lines.next().map(str::to_owned);
    assert_eq!(lines.next(), None, "one line for each alert");
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_one_while_it_fires_and_none_when_it_is_over() {
    shared::telemetry::Metrics::install().unwrap();
    let (it, _receiver) = alerted(Flavour::Sqlite, "").await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let none = Some("severity=\"warning\"} 0".to_owned());
    let one = Some("severity=\"warning\"} 1".to_owned());
    assert_eq!(shown(&it, "dead_jobs").await, none);
    let dead = it.dead_updates(2).await;
    assert_eq!(shown(&it, "dead_jobs").await, one);
    let other = shown(&it, "dead_jobs_in_lane").await;
    assert_eq!(
        other.unwrap(),
        "severity=\"critical\"} 0",
        "25 are not dead"
    );

    // A silence keeps the pager quiet, and so does the gauge.
    let silence = json!({"until": "2026-03-02T13:00:00Z", "reason": "we know"});
    let path = "/v1/ops/alerts/dead_jobs";
    let silenced = omar.post(&format!("{path}/silence"), &silence).await;
    assert_eq!(silenced.status, 200, "{}", silenced.body);
    assert_eq!(shown(&it, "dead_jobs").await, none);
    let resumed = omar.post(&format!("{path}/resume"), &json!({})).await;
    assert_eq!(resumed.status, 200, "{}", resumed.body);
    assert_eq!(shown(&it, "dead_jobs").await, one);

    revive(&it, &dead).await;
    assert_eq!(shown(&it, "dead_jobs").await, none);
}
