//! Import sets with a coalescing map (wire contract 6).

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Instance, Reply, send};

const PATH: &str = "/api/now/import/u_bridge_in";

async fn import(instance: &Instance, body: Value) -> Reply {
    send(instance.request(Method::POST, PATH).json(&body)).await
}

#[tokio::test]
async fn the_same_key_inserts_then_updates_then_is_ignored() {
    let instance = Instance::start().await;
    let row = |text: &str| json!({"u_correlation_id": "Req-1", "u_short_description": text, "u_caller": "fern.example", "u_urgency": "1 - High"});
    let first = import(&instance, row("one")).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let answer = first.json();
    assert_eq!(answer["staging_table"], "u_bridge_in");
    assert!(answer["import_set"].as_str().unwrap().starts_with("ISET"));
    let result = &answer["result"][0];
    assert_eq!(
        (
            &result["status"],
            &result["transform_map"],
            &result["display_name"]
        ),
        (
            &json!("inserted"),
            &json!("Bridge to incident"),
            &json!("number")
        )
    );
    let incident = instance
        .sim
        .row("incident", "correlation_id=Req-1")
        .unwrap();
    assert_eq!(result["sys_id"], incident["sys_id"]);
    assert_eq!(result["display_value"], incident["number"]);
    assert_eq!(incident["urgency"], "1", "labels are understood");
    let fern = instance
        .sim
        .row("sys_user", "user_name=fern.example")
        .unwrap();
    assert_eq!(incident["caller_id"], fern["sys_id"]);

    let mut again = row("two");
    again["u_correlation_id"] = json!("REQ-1");
    let second = import(&instance, again.clone()).await.json();
    assert_eq!(
        second["result"][0]["status"], "updated",
        "keys match without case"
    );
    assert_eq!(second["import_set"], answer["import_set"], "one set a day");
    let third = import(&instance, again).await.json();
    assert_eq!(third["result"][0]["status"], "ignored");
    assert_eq!(
        instance.sim.rows("incident", "short_description=two").len(),
        1
    );
    instance.sim.advance(Duration::from_hours(24));
    let tomorrow = import(&instance, row("three")).await.json();
    assert_ne!(tomorrow["import_set"], answer["import_set"]);
}

#[tokio::test]
async fn empty_keys_never_match() {
    let instance = Instance::start().await;
    for _ in 0..2 {
        let answer = import(&instance, json!({"u_short_description": "no key"}))
            .await
            .json();
        assert_eq!(answer["result"][0]["status"], "inserted");
    }
    assert_eq!(
        instance
            .sim
            .rows("incident", "short_description=no key")
            .len(),
        2
    );
}

#[tokio::test]
async fn errors_inside_come_with_201_and_stay_readable() {
    let instance = Instance::start().await;
    let refused = import(
        &instance,
        json!({"u_correlation_id": "r", "u_state": "Resolved"}),
    )
    .await;
    assert_eq!(refused.status, StatusCode::CREATED);
    let result = refused.json()["result"][0].clone();
    assert_eq!(result["status"], "error");
    assert!(
        result["error_message"]
            .as_str()
            .unwrap()
            .contains("Data Policy Exception")
    );
    assert!(result.get("sys_id").is_none());
    let staged = instance
        .sim
        .row("u_bridge_in", "u_correlation_id=r")
        .unwrap();
    assert_eq!(staged["sys_import_state"], "error");
    let again = instance
        .get(&format!("{PATH}/{}", staged["sys_id"]))
        .await
        .json();
    assert_eq!(again["result"][0], result);
    assert_eq!(
        instance.get(&format!("{PATH}/ffff")).await.status,
        StatusCode::NOT_FOUND
    );
    let other = send(
        instance
            .request(Method::POST, "/api/now/import/incident")
            .json(&json!({})),
    )
    .await;
    assert_eq!(
        other.json()["result"][0]["error_message"],
        "Invalid staging table"
    );
    let unknown = send(
        instance
            .request(Method::POST, "/api/now/import/u_nothing")
            .json(&json!({})),
    )
    .await;
    assert_eq!(unknown.error().0, "Invalid table u_nothing");
    let least = ("least.privilege", "least-privilege-password");
    let denied = send(instance.as_user(least, Method::POST, PATH).json(&json!({}))).await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn many_rows_are_transformed_later() {
    let instance = Instance::start().await;
    let body = json!({"records": [
        {"Correlation ID": "m-1", "Short description": "by label"},
        {"u_correlation_id": "m-2", "u_short_description": "by name"},
    ]});
    let reply = send(
        instance
            .request(Method::POST, &format!("{PATH}/insertMultiple"))
            .json(&body),
    )
    .await;
    let set = reply.json()["import_set_id"].as_str().unwrap().to_owned();
    assert!(reply.json()["multi_import_set_id"].is_string());
    let pending = instance.sim.rows(
        "u_bridge_in",
        &format!("sys_import_set={set}^sys_import_state=pending"),
    );
    assert_eq!(pending.len(), 2);
    instance.sim.advance(Duration::from_millis(500));
    assert_eq!(
        instance
            .sim
            .rows("u_bridge_in", "sys_import_state=inserted")
            .len(),
        2
    );
    assert_eq!(
        instance.sim.row("incident", "correlation_id=m-1").unwrap()["short_description"],
        "by label"
    );
    let broken = send(
        instance
            .request(Method::POST, &format!("{PATH}/insertMultiple"))
            .json(&json!([])),
    )
    .await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
}
