use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::job::JobState;
use shared::store::{audit, jobs, requests, tickets};
use shared::ticket::{TicketKind, chosen_sys_id};
use tests::bridge::{Answer, Bridge, asked};
use tests::databases::Flavour;
use tests::feed;
use uuid::Uuid;

use crate::stable;

on_both!(
    a_request_is_stored_with_all_that_belongs_to_it,
    an_order_is_planned_without_an_id_of_ours,
    everything_that_can_be_sent_comes_back,
    a_deep_lane_leaves_the_bell_to_the_relay,
    a_request_is_shown_with_its_story,
);

async fn a_request_is_stored_with_all_that_belongs_to_it(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let answer = api
        .post("/v1/requests", &asked("R1", "application-access"))
        .await;
    assert_eq!(answer.status, 202);
    let id = answer.id();
    assert_eq!(
        answer.header("location"),
        format!("{}/v1/requests/{id}", bridge.url())
    );
    assert_eq!(answer.header("etag"), "\"1\"");
    insta::allow_duplicates!(insta::assert_json_snapshot!(
        "accepted",
        stable(&answer.body)
    ));

    let conn = bridge.store().conn();
    let ticket = tickets::of_request(conn, id).await.unwrap().unwrap();
    assert_eq!(
        ticket.sys_id,
        Some(chosen_sys_id("TicketBridge", id, "incident"))
    );
    assert_eq!(ticket.correlation_id, id.to_string());
    assert!(!ticket.exists);
    let stored = jobs::of_request(conn, id).await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(
        (stored[0].kind.as_str(), stored[0].lane.as_str()),
        ("create_ticket.v1", "create-ticket@main")
    );
    assert_eq!(stored[0].state, JobState::Rung);
    assert_eq!(
        bridge.bells("create-ticket@main").await,
        [stored[0].id],
        "the bell is pushed right after the commit"
    );
    assert_eq!(audit::of_request(conn, id).await.unwrap().len(), 1);
    let told = feed::after(conn, "idm", None, 10).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1.kind, "request.accepted");
}

async fn an_order_is_planned_without_an_id_of_ours(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let id = api.create("R1", "hardware").await;
    let ticket = tickets::of_request(bridge.store().conn(), id)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(ticket.kind, TicketKind::CatalogItem(_)));
    assert_eq!(
        ticket.sys_id, None,
        "the instance chooses the ids of what an order makes"
    );
}

async fn everything_that_can_be_sent_comes_back(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let mut body = asked("Ä/1 ☃", "application-access");
    let more = json!({
        "source": "idm",
        "justification": "Line one\r\n\tline two",
        "priority": 1,
        "valid_from": "2026-03-02T10:00:00+01:00",
        "valid_until": "2030-01-31T12:00:00.123456789Z",
        "attributes": {"list": [1, 2.5, 1e16, null], "nested": {"ключ": true}, "empty": ""},
        "callback_url": "https://idm.example.com/hooks?a=b",
    });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let answer = api.post("/v1/requests", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let shown = api.get(&format!("/v1/requests/{}", answer.id())).await.body;
    body["valid_from"] = json!("2026-03-02T09:00:00Z");
    body["valid_until"] = json!("2030-01-31T12:00:00.123456Z");
    for (name, sent) in body.as_object().unwrap() {
        if name == "attributes" {
            assert_eq!(shown[name]["list"][2].as_f64(), Some(1e16));
            assert_eq!(shown[name]["nested"], sent["nested"]);
        } else {
            assert_eq!(&shown[name], sent, "{name}");
        }
    }
    assert_eq!(
        api.post("/v1/requests", &body).await.id(),
        answer.id(),
        "and sent again it is the same request"
    );
}

/// The window of a lane is 256 bells by default.
async fn a_deep_lane_leaves_the_bell_to_the_relay(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let items: Vec<Value> = (0..300)
        .map(|n| asked(&format!("R{n}"), "application-access"))
        .collect();
    let answer = api
        .post("/v1/requests:batch", &json!({ "items": items }))
        .await;
    assert_eq!(answer.body["accepted"], 300);
    assert_eq!(bridge.bells("create-ticket@main").await.len(), 256);
    let nudged = bridge.scheduler.relay_nudge.notified();
    let woken = tokio::time::timeout(Duration::from_secs(5), nudged).await;
    assert!(woken.is_ok(), "the relay is woken");
    scheduler::relay::tick(&bridge.scheduler).await.unwrap();
    assert_eq!(
        bridge.bells("create-ticket@main").await.len(),
        44,
        "the rest follows as soon as there is room"
    );
}

async fn a_request_is_shown_with_its_story(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let id = api.create("R1", "application-access").await;
    bridge.clock.advance(Duration::from_secs(1));
    let said = json!({"status": "comment", "comment": "Please call first.", "actor": "sam.sample"});
    assert_eq!(
        api.post(&format!("/v1/requests/{id}/status"), &said)
            .await
            .status,
        200
    );
    insert_attempt(bridge, id).await;
    let answer = api.get(&format!("/v1/requests/{id}")).await;
    assert_eq!((answer.status, answer.header("etag")), (200, "\"1\""));
    insta::allow_duplicates!(insta::assert_json_snapshot!("story", stable(&answer.body)));
}

async fn insert_attempt(bridge: &Bridge, id: Uuid) {
    use shared::store::attempts::{CallRecord, NewAttempt, insert};
    let conn = bridge.store().conn();
    let now: DateTime<Utc> = bridge.clock.now();
    let call = CallRecord {
        method: "POST".into(),
        path: "/api/now/table/incident".into(),
        status: Some(429),
        class: "rate_limited".into(),
        transaction_id: Some("4f1c".into()),
        duration_ms: 12,
    };
    let attempt = NewAttempt {
        job_id: jobs::of_request(conn, id).await.unwrap()[0].id,
        request_id: Some(id),
        number: 1,
        token: 1,
        worker: "test".into(),
        started_at: now,
        finished_at: now,
        outcome: "retry".into(),
        class: Some("rate_limited".into()),
        http_status: Some(429),
        transaction_id: Some("4f1c".into()),
        message: Some("the instance asks for a pause".into()),
        calls: vec![call],
    };
    insert(conn, &attempt).await.unwrap();
}

on_both!(
    nobody_sees_the_requests_of_another_source,
    a_callback_of_its_own_is_remembered
);

async fn nobody_sees_the_requests_of_another_source(bridge: &Bridge) {
    let (idm, hr) = (bridge.api("idm").await, bridge.api("hr").await);
    let id = idm.create("R1", "application-access").await;
    let unknown = hr.get(&format!("/v1/requests/{}", Uuid::now_v7())).await;
    let foreign = [
        hr.get(&format!("/v1/requests/{id}")).await,
        hr.post(
            &format!("/v1/requests/{id}/status"),
            &json!({"status": "comment", "comment": "x"}),
        )
        .await,
        hr.post(&format!("/v1/requests/{id}/cancel"), &json!({}))
            .await,
    ];
    for answer in foreign {
        assert_eq!(answer.status, 404);
        assert_eq!(
            stable(&answer.body),
            stable(&unknown.body),
            "a foreign request looks like none"
        );
    }
    assert_eq!(hr.get("/v1/requests").await.body["items"], json!([]));
    assert_eq!(hr.get("/v1/events").await.body["items"], json!([]));
    let same_external_id = hr.create("R1", "application-access").await;
    assert_ne!(same_external_id, id, "external ids are the sources' own");
}

async fn a_callback_of_its_own_is_remembered(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let mut body = asked("R1", "application-access");
    body["callback_url"] = json!("https://idm.example.com/hook");
    let id = Answer::of(api.call(reqwest::Method::POST, "/v1/requests").json(&body))
        .await
        .id();
    api.post(&format!("/v1/requests/{id}/cancel"), &json!({}))
        .await;
    let stored = jobs::of_request(bridge.store().conn(), id).await.unwrap();
    let mut kinds: Vec<String> = stored.into_iter().map(|job| job.kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["create_ticket.v1", "deliver_callback.v1"]);
    let request = requests::find(bridge.store().conn(), id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        request.asked.callback_url.as_deref(),
        Some("https://idm.example.com/hook")
    );
}

/// The trace id of the caller is stored with the job, and goes with it into the doorbell.
#[tokio::test]
async fn the_trace_of_the_caller_goes_on_with_the_job() {
    let bridge = Bridge::start(Flavour::Sqlite).await;
    let telemetry = shared::telemetry::init(&bridge.scheduler.settings.telemetry).unwrap();
    let api = bridge.api("idm").await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let call = api
        .call(reqwest::Method::POST, "/v1/requests")
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    let id = Answer::of(call.json(&asked("R1", "application-access")))
        .await
        .id();
    let job = &jobs::of_request(bridge.store().conn(), id).await.unwrap()[0];
    let stored = job.traceparent.as_deref().unwrap();
    assert_eq!(&stored[3..35], trace);
    assert_ne!(&stored[36..52], "00f067aa0ba902b7", "with a span of ours");
    telemetry.finish().await;
}
