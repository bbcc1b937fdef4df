use futures::future::join_all;
use serde_json::{Value, json};
use tests::bridge::{Answer, Api, Bridge, asked};

use crate::stable;

on_both!(
    the_same_call_gives_the_same_answer,
    another_body_is_refused_with_what_differs,
    a_key_belongs_to_one_call,
    twenty_calls_at_once_make_one_request,
    twenty_calls_at_once_with_a_key_make_one_request,
    a_repeated_call_is_answered_whatever_has_changed_since,
);

async fn send(api: &Api, key: Option<&str>, body: &Value) -> Answer {
    let call = api.call(reqwest::Method::POST, "/v1/requests").json(body);
    Answer::of(match key {
        Some(key) => call.header("Idempotency-Key", key),
        None => call,
    })
    .await
}

async fn requests(api: &Api) -> usize {
    api.get("/v1/requests").await.body["items"]
        .as_array()
        .unwrap()
        .len()
}

async fn the_same_call_gives_the_same_answer(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let body = asked("R1", "application-access");
    let first = send(&api, Some("k-1"), &body).await;
    for key in [None, Some("k-1"), Some("k-2")] {
        let again = send(&api, key, &body).await;
        assert_eq!(
            (again.status, again.header("location")),
            (202, first.header("location")),
            "{key:?}"
        );
        assert_eq!(again.body, first.body);
    }
    assert_eq!(requests(&api).await, 1);
    api.post(&format!("/v1/requests/{}/cancel", first.id()), &json!({}))
        .await;
    let later = send(&api, Some("k-1"), &body).await;
    assert_eq!((later.status, later.header("etag")), (202, "\"2\""));
    assert_eq!(
        later.body["state"], "cancelled",
        "the body shows where the request stands now"
    );
}

async fn another_body_is_refused_with_what_differs(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let mut body = asked("R1", "application-access");
    send(&api, None, &body).await;
    body["item"] = json!("Payroll editor");
    body["attributes"]["role"] = json!("Z_FI_ADMIN");
    body.as_object_mut().unwrap().remove("justification");
    let refused = send(&api, None, &body).await;
    assert_eq!(refused.status, 409);
    insta::allow_duplicates!(insta::assert_json_snapshot!(
        "another_body",
        stable(&refused.body)
    ));
    assert_eq!(requests(&api).await, 1);
}

async fn a_key_belongs_to_one_call(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    send(&api, Some("k-1"), &asked("R1", "application-access")).await;
    let refused = send(&api, Some("k-1"), &asked("R2", "application-access")).await;
    assert_eq!(refused.status, 409);
    insta::allow_duplicates!(insta::assert_json_snapshot!(
        "key_used_before",
        stable(&refused.body)
    ));
    assert_eq!(
        requests(&api).await,
        1,
        "nothing of the refused call is stored"
    );
    assert_eq!(
        send(&api, Some("k-2"), &asked("R2", "application-access"))
            .await
            .status,
        202
    );
    let other_source = bridge.api("hr").await;
    assert_eq!(
        send(
            &other_source,
            Some("k-1"),
            &asked("R2", "application-access")
        )
        .await
        .status,
        202
    );
}

async fn twenty_at_once(bridge: &Bridge, key: Option<&str>) {
    let api = bridge.api("idm").await;
    let body = asked("R1", "application-access");
    let answers = join_all((0..20).map(|_| send(&api, key, &body))).await;
    for answer in &answers {
        assert_eq!(answer.status, 202, "{}", answer.body);
        assert_eq!(answer.id(), answers[0].id());
    }
    assert_eq!(requests(&api).await, 1);
    assert_eq!(
        bridge.bells("create-ticket@main").await.len(),
        1,
        "one job, one bell"
    );
}

async fn twenty_calls_at_once_make_one_request(bridge: &Bridge) {
    twenty_at_once(bridge, None).await;
}

async fn twenty_calls_at_once_with_a_key_make_one_request(bridge: &Bridge) {
    twenty_at_once(bridge, Some("k-1")).await;
}

async fn a_repeated_call_is_answered_whatever_has_changed_since(bridge: &Bridge) {
    use shared::clock::Clock as _;
    use shared::store::audit::Actor;
    use shared::store::switches;

    let api = bridge.api("idm").await;
    let mut body = asked("R1", "application-access");
    body["valid_until"] = json!("2026-03-03T00:00:00Z");
    let first = send(&api, None, &body).await;
    assert_eq!(first.status, 202);
    let now = bridge.clock.advance(std::time::Duration::from_hours(48));
    let operator = Actor::Operator("root".into());
    switches::set(
        bridge.store().conn(),
        "route:access",
        false,
        None,
        &operator,
        now,
    )
    .await
    .unwrap();
    assert_eq!(bridge.clock.now(), now);
    let again = send(&api, None, &body).await;
    assert_eq!((again.status, again.id()), (202, first.id()));
    let batch = api
        .post("/v1/requests:batch", &json!({ "items": [body] }))
        .await;
    assert_eq!(batch.body["items"][0]["id"], json!(first.id()));
    body["external_id"] = json!("R2");
    assert_eq!(
        send(&api, None, &body).await.status,
        422,
        "a new request with these dates is refused"
    );
}
