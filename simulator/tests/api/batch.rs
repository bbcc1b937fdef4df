//! Several requests in one (wire contract 7).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Instance, Reply, send};

const PATH: &str = "/api/now/v1/batch";

async fn batch(instance: &Instance, requests: Value) -> Reply {
    let body = json!({"batch_request_id": 42, "rest_requests": requests});
    send(instance.request(Method::POST, PATH).json(&body)).await
}

fn decoded(serviced: &Value) -> Value {
    let bytes = STANDARD.decode(serviced["body"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn create(id: &str, sys_id: &str) -> Value {
    let body = STANDARD.encode(json!({"sys_id": sys_id, "short_description": id}).to_string());
    let headers = json!([{"name": "Content-Type", "value": "application/json"}]);
    json!({"id": id, "method": "POST", "url": "/api/now/table/incident", "headers": headers, "body": body})
}

const ID: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn requests_run_in_order_and_each_has_its_own_status() {
    let instance = Instance::start().await;
    let requests = json!([
        create("a", ID),
        {"id": "b", "method": "GET", "url": format!("/api/now/table/incident/{ID}?sysparm_fields=short_description"), "exclude_response_headers": true},
        create("c", ID),
        {"id": 4, "method": "DELETE", "url": "/api/now/table/incident/ffff"},
        {"id": "e", "method": "GET", "url": PATH},
    ]);
    let reply = batch(&instance, requests).await;
    assert_eq!(reply.status, StatusCode::OK);
    let answer = reply.json();
    assert_eq!(
        answer["batch_request_id"], "42",
        "a number comes back as text"
    );
    assert_eq!(answer["unserviced_requests"], json!([]));
    let serviced = answer["serviced_requests"].as_array().unwrap();
    let states: Vec<(&str, u64)> = serviced
        .iter()
        .map(|one| {
            (
                one["id"].as_str().unwrap(),
                one["status_code"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        states,
        [("a", 201), ("b", 200), ("c", 403), ("4", 404), ("e", 400)]
    );
    assert_eq!(serviced[0]["status_text"], "Created");
    assert_eq!(
        decoded(&serviced[1]),
        json!({"result": {"short_description": "a"}})
    );
    assert_eq!(serviced[1]["headers"], json!([]));
    let names = serviced[0]["headers"].as_array().unwrap().iter();
    assert!(names.filter(|header| header["name"] == "Location").count() == 1);
    assert_eq!(decoded(&serviced[3])["error"]["message"], "No Record found");
    assert_eq!(
        instance.sim.rows("incident", &format!("sys_id={ID}")).len(),
        1,
        "nothing is undone"
    );
}

#[tokio::test]
async fn a_long_query_fits_into_a_batch() {
    let instance = Instance::start().await;
    let ids = vec![ID; 400].join(",");
    let url = format!("/api/now/table/incident?sysparm_query=sys_idIN{ids}");
    assert_eq!(instance.get(&url).await.status.as_u16(), 414);
    let answer = batch(&instance, json!([{"id": "a", "method": "GET", "url": url}]))
        .await
        .json();
    assert_eq!(answer["serviced_requests"][0]["status_code"], 200);
}

#[tokio::test]
async fn what_the_quota_leaves_no_time_for_is_unserviced() {
    let instance = Instance::start().await;
    instance.sim.set_knobs(|knobs| knobs.latency_ms = 12_000);
    let count = async {
        while instance.sim.in_flight().0 == 0 {
            tokio::task::yield_now().await;
        }
        instance.sim.advance(Duration::from_secs(30));
    };
    let requests: Vec<Value> = ["a", "b", "c", "d", "e"]
        .iter()
        .map(|id| json!({"id": id, "method": "GET", "url": "/api/now/table/problem?sysparm_limit=1"}))
        .collect();
    let (reply, ()) = tokio::join!(batch(&instance, json!(requests)), count);
    let answer = reply.json();
    assert_eq!(answer["serviced_requests"].as_array().unwrap().len(), 3);
    assert_eq!(answer["unserviced_requests"], json!(["d", "e"]));
}

#[tokio::test]
async fn sizes_and_forms_are_checked() {
    let instance = Instance::start().await;
    let small = [("X-BATCHREQUEST-MAX-OUTPUT-SIZE", "10")];
    let body = json!({"batch_request_id": "x", "rest_requests": [{"id": "a", "method": "GET", "url": "/api/now/table/problem"}]});
    let request = instance
        .request(Method::POST, PATH)
        .header(small[0].0, small[0].1);
    let answer = send(request.json(&body)).await.json();
    let one = &answer["serviced_requests"][0];
    assert_eq!(
        (&one["status_code"], &one["body"]),
        (&json!(500), &json!(""))
    );
    assert!(
        one["error_message"]
            .as_str()
            .unwrap()
            .contains("maximum output size")
    );

    let large = "A".repeat(7 * 1024 * 1024);
    let answer = batch(
        &instance,
        json!([
            {"id": "a", "method": "POST", "url": "/api/now/table/incident", "body": large},
            {"id": "b", "method": "POST", "url": "/api/now/table/incident", "body": "%%%"},
        ]),
    )
    .await
    .json();
    for one in answer["serviced_requests"].as_array().unwrap() {
        assert_eq!(one["status_code"], 400);
    }
    let broken = send(
        instance
            .request(Method::POST, PATH)
            .json(&json!({"nothing": 1})),
    )
    .await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        instance.get(PATH).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}
