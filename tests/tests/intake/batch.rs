use serde_json::{Value, json};
use tests::bridge::{Bridge, asked};

use crate::stable;

on_both!(
    what_fits_is_stored_and_the_rest_is_refused,
    a_batch_sent_again_stores_nothing_new,
    large_batches_are_stored_whole
);

async fn what_fits_is_stored_and_the_rest_is_refused(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    api.create("R0", "application-access").await;
    let mut other_body = asked("R0", "application-access");
    other_body["item"] = json!("Payroll editor");
    let mut same_key = asked("R1", "application-access");
    same_key["priority"] = json!(1);
    let items = json!([
        asked("R1", "application-access"),
        other_body,
        {"external_id": "R2", "priority": "high"},
        asked("R3", "no-such-category"),
        same_key,
        asked("R1", "application-access"),
        "R4",
        asked("R5", "mainframe-access"),
    ]);
    let answer = api
        .post("/v1/requests:batch", &json!({ "items": items }))
        .await;
    assert_eq!(answer.status, 200);
    insta::allow_duplicates!(insta::assert_json_snapshot!(
        "partial_success",
        stable(&answer.body)
    ));
    assert_eq!(answer.body["items"][0]["id"], answer.body["items"][5]["id"]);
    assert_eq!(
        api.get("/v1/requests").await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(bridge.bells("create-ticket@main").await.len(), 2);
}

async fn a_batch_sent_again_stores_nothing_new(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let items: Vec<Value> = (0..7)
        .map(|n| asked(&format!("R{n}"), "application-access"))
        .collect();
    let first = api
        .post("/v1/requests:batch", &json!({ "items": items }))
        .await;
    let again = api
        .post("/v1/requests:batch", &json!({ "items": items }))
        .await;
    assert_eq!(first.body["accepted"], 7);
    assert_eq!(again.body, first.body);
    assert_eq!(bridge.bells("create-ticket@main").await.len(), 7);
}

async fn large_batches_are_stored_whole(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let items: Vec<Value> = (0..500)
        .map(|n| asked(&format!("R{n}"), "application-access"))
        .collect();
    let answer = api
        .post("/v1/requests:batch", &json!({ "items": items }))
        .await;
    assert_eq!(
        (answer.status, &answer.body["accepted"]),
        (200, &json!(500))
    );
    let more: Vec<Value> = (0..501)
        .map(|n| asked(&format!("S{n}"), "application-access"))
        .collect();
    let refused = api
        .post("/v1/requests:batch", &json!({ "items": more }))
        .await;
    assert_eq!(refused.status, 422);
    insta::allow_duplicates!(insta::assert_json_snapshot!(
        "too_many_items",
        stable(&refused.body)
    ));
}
