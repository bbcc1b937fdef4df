//! Lanes that are paused and resumed, and workers that are drained.

use serde_json::json;
use shared::operator::Role;
use shared::store::audit;
use tests::running::Running;

on_both!(
    a_paused_lane_takes_no_new_work,
    all_lanes_are_paused_together,
    a_second_press_is_told_what_has_changed,
    a_drained_worker_hears_of_it,
);

const LANE: &str = "/v1/ops/queues/create-ticket@main";

async fn a_paused_lane_takes_no_new_work(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    // Rung before the pause: its bell waits, and is not answered.
    let before = it.ask("P-1", "access").await;
    let paused = omar
        .post(
            &format!("{LANE}/pause"),
            &json!({"reason": "the instance is being upgraded"}),
        )
        .await;
    assert_eq!(paused.status, 200, "{}", paused.body);
    let lane = super::items(&paused.body)
        .iter()
        .find(|it| it["lane"] == "create-ticket@main")
        .unwrap();
    assert_eq!(
        (
            &lane["is_open"],
            &lane["paused"]["by"],
            &lane["paused"]["reason"]
        ),
        (
            &json!(false),
            &json!("operator:omar"),
            &json!("the instance is being upgraded")
        )
    );
    let after = it.ask("P-2", "access").await;
    it.settle().await;
    assert_eq!(it.records("incident").len(), 0);
    assert_eq!(it.calls("create", "incident"), 0);
    let why = omar.get(&format!("/v1/ops/requests/{after}")).await;
    assert!(
        why.body["why"]["what"]
            .as_str()
            .unwrap()
            .contains("the lane create-ticket@main is paused"),
        "{}",
        why.body["why"]
    );
    omar.post(&format!("{LANE}/resume"), &json!({})).await;
    it.pass(
        std::time::Duration::from_secs(12),
        std::time::Duration::from_secs(6),
    )
    .await;
    for id in [before, after] {
        assert!(it.ticket(id).await.exists);
    }
    assert_eq!(it.records("incident").len(), 2);
    let trail = audit::of_subject(
        it.bridge.store().conn(),
        "switch",
        "lane:create-ticket@main",
    )
    .await;
    let words: Vec<_> = trail
        .unwrap()
        .into_iter()
        .map(|row| (row.actor, row.to))
        .collect();
    assert_eq!(
        words,
        [
            ("operator:omar".to_owned(), Some("off".to_owned())),
            ("operator:omar".to_owned(), Some("on".to_owned()))
        ]
    );
}

async fn all_lanes_are_paused_together(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let all = omar.post("/v1/ops/queues/all/pause", &json!({})).await;
    assert!(
        super::items(&all.body)
            .iter()
            .all(|it| it["is_open"] == false)
    );
    assert_eq!(all.body["all_paused"]["by"], "operator:omar");
    let id = it.opened("P-1", "access").await;
    assert!(!it.ticket(id).await.exists);
    omar.post("/v1/ops/queues/all/resume", &json!({})).await;
    it.pass(
        std::time::Duration::from_secs(12),
        std::time::Duration::from_secs(6),
    )
    .await;
    assert!(it.ticket(id).await.exists);
}

async fn a_second_press_is_told_what_has_changed(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let resumed = omar.post(&format!("{LANE}/resume"), &json!({})).await;
    assert_eq!(resumed.status, 409, "it was never paused");
    omar.post(&format!("{LANE}/pause"), &json!({})).await;
    let again = omar.post(&format!("{LANE}/pause"), &json!({})).await;
    assert_eq!(again.status, 409);
    assert!(
        again.body["detail"]
            .as_str()
            .unwrap()
            .contains("paused already, by operator:omar")
    );
    let unknown = omar.post("/v1/ops/queues/nowhere/pause", &json!({})).await;
    insta::assert_json_snapshot!("a_lane_that_is_not_there", unknown.body);
    let bad = omar
        .post(&format!("{LANE}/pause"), &json!({"raison": "x"}))
        .await;
    assert_eq!(bad.status, 422, "{}", bad.body);
}

async fn a_drained_worker_hears_of_it(it: &Running) {
    let ada = it.bridge.operator("ada", Role::Admin).await;
    let workers = ada.get("/v1/ops/workers").await;
    let worker = super::items(&workers.body)[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(!worker::heartbeat::is_to_drain(&it.worker).await.unwrap());
    let path = format!("/v1/ops/workers/{worker}/drain");
    let drained = ada.post(&path, &json!({})).await;
    assert_eq!(drained.status, 200, "{}", drained.body);
    assert!(worker::heartbeat::is_to_drain(&it.worker).await.unwrap());
    assert_eq!(ada.post(&path, &json!({})).await.status, 409);
    assert_eq!(
        ada.post("/v1/ops/workers/nobody/drain", &json!({}))
            .await
            .status,
        404
    );
}
