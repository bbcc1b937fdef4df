//! The hand on the instance: `/_sim` and its twins in the library.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulator::CallFilter;

use crate::client::{Instance, Reply, send};

async fn sim(instance: &Instance, method: Method, path: &str, body: Value) -> Reply {
    let request = instance.bare(method, &format!("/_sim{path}"));
    send(if body.is_null() {
        request
    } else {
        request.json(&body)
    })
    .await
}

#[tokio::test]
async fn knobs_are_read_and_changed_in_part() {
    let instance = Instance::start().await;
    let before = sim(&instance, Method::GET, "/knobs", Value::Null)
        .await
        .json();
    assert_eq!(
        (&before["unknown_field"], &before["semaphore"]),
        (&json!("drop"), &json!({"permits": 4, "queue": 50}))
    );
    let after = sim(
        &instance,
        Method::PUT,
        "/knobs",
        json!({"unknown_field": "no_rows"}),
    )
    .await
    .json();
    assert_eq!(
        (&after["unknown_field"], &after["url_max"]),
        (&json!("no_rows"), &before["url_max"])
    );
    let refused = sim(&instance, Method::PUT, "/knobs", json!({"unknown_knob": 1})).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(
        refused.json()["error"]
            .as_str()
            .unwrap()
            .contains("unknown_knob")
    );
}

#[tokio::test]
async fn the_default_knobs_are_the_documented_ones() {
    let instance = Instance::start().await;
    let knobs = sim(&instance, Method::GET, "/knobs", Value::Null)
        .await
        .json();
    insta::assert_json_snapshot!(knobs);
}

#[tokio::test]
async fn faults_are_added_listed_and_cleared() {
    let instance = Instance::start().await;
    let fault = json!({"table": "incident", "times": 1, "set": {"canned": {"status": 504}}});
    assert_eq!(
        sim(&instance, Method::POST, "/faults", fault).await.json()[0]["times"],
        1
    );
    assert_eq!(
        instance.list("incident", "", &[]).await.status.as_u16(),
        504
    );
    assert_eq!(
        sim(&instance, Method::GET, "/faults", Value::Null)
            .await
            .json(),
        json!([])
    );
    let bad = sim(
        &instance,
        Method::POST,
        "/faults",
        json!({"set": {"canned": 3}}),
    )
    .await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        sim(&instance, Method::DELETE, "/faults", Value::Null)
            .await
            .status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn the_log_has_every_call_in_order() {
    let instance = Instance::start().await;
    instance.post("incident", json!({})).await;
    instance.list("problem", "active=true", &[]).await;
    send(instance.bare(Method::GET, "/api/now/table/incident")).await;
    let log = sim(&instance, Method::GET, "/log", Value::Null)
        .await
        .json();
    let kinds: Vec<&str> = log["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["table.create", "table.list", "table.list"]);
    let second = &log["calls"][1];
    assert_eq!(
        (&second["table"], &second["query"], &second["status"]),
        (
            &json!("problem"),
            &json!("sysparm_query=active=true"),
            &json!(200)
        )
    );
    assert_eq!(second["user"], "ticketbridge.integration");
    let denied = sim(
        &instance,
        Method::GET,
        "/log?status=401&count=true",
        Value::Null,
    )
    .await
    .json();
    assert_eq!(denied, json!({"count": 1}));
    assert_eq!(
        instance.sim.count(&CallFilter {
            after: Some(1),
            ..CallFilter::default()
        }),
        2
    );
    assert_eq!(
        sim(&instance, Method::GET, "/log?nonsense=1", Value::Null)
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
    sim(&instance, Method::DELETE, "/log", Value::Null).await;
    assert_eq!(instance.sim.count(&CallFilter::default()), 0);
}

#[tokio::test]
async fn agents_act_and_the_state_can_be_dumped() {
    let instance = Instance::start().await;
    let number = instance.post("incident", json!({})).await.result()["number"]
        .as_str()
        .unwrap()
        .to_owned();
    let order =
        json!({"as": "tomas.agent", "ticket": number, "action": "resolve", "notes": "Granted"});
    let done = sim(&instance, Method::POST, "/agent", order).await.json();
    assert_eq!(
        (&done["ticket"]["state"], &done["ticket"]["sys_updated_by"]),
        (&json!("6"), &json!("tomas.agent"))
    );
    let refused = sim(
        &instance,
        Method::POST,
        "/agent",
        json!({"ticket": number, "action": "dance"}),
    )
    .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let dump = sim(&instance, Method::GET, "/state/incident", Value::Null)
        .await
        .json();
    assert_eq!(dump["tables"]["incident"].as_array().unwrap().len(), 61);
    assert_eq!(instance.sim.dump()["incident"].len(), 61);
    let all = sim(&instance, Method::GET, "/state", Value::Null)
        .await
        .json();
    assert!(all["tables"]["problem"].as_array().unwrap().len() > 10);
    assert!(all["tables"]["sys_dictionary"].as_array().unwrap().len() > 300);
}

#[tokio::test]
async fn the_clock_moves_and_the_instance_starts_over() {
    let instance = Instance::start().await;
    let now = sim(
        &instance,
        Method::POST,
        "/clock/advance",
        json!({"seconds": 90}),
    )
    .await
    .json();
    assert_eq!(now["now"], "2026-11-22T10:01:30Z");
    instance.post("incident", json!({})).await;
    assert_eq!(
        sim(&instance, Method::POST, "/reset", Value::Null)
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(instance.sim.rows("incident", "").len(), 60);
    assert_eq!(instance.sim.count(&CallFilter::default()), 0);
    assert_eq!(
        sim(&instance, Method::GET, "/nothing", Value::Null)
            .await
            .status,
        StatusCode::NOT_FOUND
    );
}
