use serde_json::json;
use shared::clock::Clock as _;
use shared::job::JobState;
use shared::store::jobs;
use tests::bridge::Bridge;
use uuid::Uuid;

use crate::stable;

on_both!(
    what_was_never_claimed_is_never_sent,
    what_a_worker_has_is_cancelled_by_an_update,
    cancelling_is_told_once_and_stays,
);

async fn stored(bridge: &Bridge, id: Uuid) -> Vec<(String, JobState)> {
    let all = jobs::of_request(bridge.store().conn(), id).await.unwrap();
    let mut all: Vec<_> = all.into_iter().map(|job| (job.kind, job.state)).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

async fn what_was_never_claimed_is_never_sent(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let id = api.create("R1", "application-access").await;
    let comment = json!({"status": "comment", "comment": "Never mind."});
    api.post(&format!("/v1/requests/{id}/status"), &comment)
        .await;
    let answer = api
        .post(
            &format!("/v1/requests/{id}/cancel"),
            &json!({"reason": "The project was stopped."}),
        )
        .await;
    assert_eq!(
        (answer.status, &answer.body["state"]),
        (200, &json!("cancelled"))
    );
    assert_eq!(answer.body["reason"], "The project was stopped.");
    assert_eq!(
        stored(bridge, id).await,
        [
            ("create_ticket.v1".to_owned(), JobState::Cancelled),
            (
                "update_servicenow_status.v1".to_owned(),
                JobState::Cancelled
            )
        ]
    );
    let bells = bridge.bells("create-ticket@main").await;
    let claimed = jobs::claim(bridge.store().conn(), &bells, "worker", bridge.clock.now())
        .await
        .unwrap();
    assert_eq!(
        claimed,
        [],
        "the bell that was rung before leads to nothing"
    );
}

async fn what_a_worker_has_is_cancelled_by_an_update(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let id = api.create("R1", "application-access").await;
    let bells = bridge.bells("create-ticket@main").await;
    let claimed = jobs::claim(bridge.store().conn(), &bells, "worker", bridge.clock.now())
        .await
        .unwrap();
    assert_eq!(claimed.len(), 1);
    let answer = api
        .post(
            &format!("/v1/requests/{id}/cancel"),
            &json!({"actor": "sam.sample"}),
        )
        .await;
    assert_eq!(
        (&answer.body["state"], &answer.body["reason"]),
        (&json!("cancelled"), &json!("Withdrawn by idm."))
    );
    assert_eq!(
        stored(bridge, id).await,
        [
            ("create_ticket.v1".to_owned(), JobState::Running),
            ("update_servicenow_status.v1".to_owned(), JobState::Rung)
        ]
    );
    assert_eq!(bridge.bells("update-status@main").await.len(), 1);
}

async fn cancelling_is_told_once_and_stays(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let id = api.create("R1", "application-access").await;
    let path = format!("/v1/requests/{id}/cancel");
    let first = api.post(&path, &json!({})).await;
    let again = api.post(&path, &json!({"reason": "another"})).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    let events = api.get("/v1/events").await.body;
    assert_eq!(events["items"].as_array().unwrap().len(), 2);
    let bad = api.post(&path, &json!({"reasons": "x", "actor": 7})).await;
    assert_eq!(bad.status, 422);
    insta::allow_duplicates!(insta::assert_json_snapshot!(
        "bad_cancellation",
        stable(&bad.body)
    ));
}
