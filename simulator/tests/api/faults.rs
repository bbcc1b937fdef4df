//! Calls that end badly: committed and lost, cut, truncated; and faults for some calls only.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulator::{CallFilter, ConnectionDrop, DropWhen, Fault};

use crate::client::{Instance, send};

fn fault(set: Value) -> Fault {
    Fault {
        set: set.as_object().cloned().unwrap(),
        ..Fault::default()
    }
}

#[tokio::test]
async fn a_post_can_commit_and_answer_500() {
    let instance = Instance::start().await;
    let set = json!({"post_commits_then_500": 1.0});
    instance
        .sim
        .add_fault(Fault {
            method: Some("POST".into()),
            times: Some(1),
            ..fault(set)
        })
        .unwrap();
    let reply = instance
        .post("incident", json!({"correlation_id": "req-1"}))
        .await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        reply.error().0,
        "Transaction cancelled: maximum execution time exceeded"
    );
    assert_eq!(
        instance.sim.rows("incident", "correlation_id=req-1").len(),
        1
    );
    assert_eq!(
        instance
            .post("incident", json!({"correlation_id": "req-2"}))
            .await
            .status,
        StatusCode::CREATED
    );
}

/// What a POST leaves behind when its connection is dropped.
async fn dropped(when: DropWhen) -> usize {
    let instance = Instance::start().await;
    instance.sim.set_knobs(|knobs| {
        knobs.connection_drop = Some(ConnectionDrop {
            when,
            probability: 1.0,
        });
    });
    let request = instance
        .request(Method::POST, "/api/now/table/incident")
        .json(&json!({"correlation_id": "req-1"}));
    let error = request.send().await.unwrap_err();
    assert!(error.status().is_none(), "no status line came back");
    let logged = instance.sim.calls(&CallFilter::kind("table.create"));
    assert_eq!(
        logged.iter().map(|call| call.status).collect::<Vec<_>>(),
        [Some(0)]
    );
    instance.sim.rows("incident", "correlation_id=req-1").len()
}

#[tokio::test]
async fn a_connection_dropped_before_the_work_leaves_nothing() {
    assert_eq!(dropped(DropWhen::Before).await, 0);
}

#[tokio::test]
async fn a_connection_dropped_after_the_commit_leaves_the_record() {
    assert_eq!(dropped(DropWhen::AfterCommit).await, 1);
}

#[tokio::test]
async fn a_connection_dropped_in_the_body_has_status_200_and_breaks_off() {
    let instance = Instance::start().await;
    instance.sim.set_knobs(|knobs| {
        knobs.connection_drop = Some(ConnectionDrop {
            when: DropWhen::MidBody,
            probability: 1.0,
        });
    });
    let request = instance.request(Method::GET, "/api/now/table/incident");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.content_length().unwrap() > 10_000);
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn a_long_body_can_be_cut_without_an_error() {
    let instance = Instance::start().await;
    instance
        .sim
        .set_knobs(|knobs| knobs.truncate_over_bytes = Some(5000));
    let reply = instance.get("/api/now/table/incident").await;
    assert_eq!((reply.status, reply.text.len()), (StatusCode::OK, 5000));
    assert!(serde_json::from_str::<Value>(&reply.text).is_err());
    let short = instance
        .get("/api/now/table/incident?sysparm_limit=1")
        .await;
    assert_eq!(short.result().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn faults_strike_by_table_user_and_count() {
    let instance = Instance::start().await;
    let canned =
        || json!({"canned": {"status": 502, "content_type": "text/html", "body": "<html>"}});
    instance
        .sim
        .add_fault(Fault {
            table: Some("problem".into()),
            skip: 1,
            times: Some(1),
            ..fault(canned())
        })
        .unwrap();
    instance
        .sim
        .add_fault(Fault {
            user: Some("least.privilege".into()),
            ..fault(canned())
        })
        .unwrap();
    let status = async |table: &str| instance.list(table, "", &[]).await.status.as_u16();
    assert_eq!(
        [
            status("incident").await,
            status("problem").await,
            status("problem").await,
            status("problem").await
        ],
        [200, 200, 502, 200]
    );
    let least = ("least.privilege", "least-privilege-password");
    let reply = send(instance.as_user(least, Method::GET, "/api/now/table/incident")).await;
    assert_eq!(reply.status.as_u16(), 502);
    instance.sim.clear_faults();
    let reply = send(instance.as_user(least, Method::GET, "/api/now/table/incident")).await;
    assert_eq!(reply.status.as_u16(), 200);
}

#[tokio::test]
async fn the_same_seed_has_the_same_accidents() {
    let outcomes = async || {
        let instance = Instance::start().await;
        instance
            .sim
            .set_knobs(|knobs| knobs.post_commits_then_500 = 0.5);
        let mut seen = Vec::new();
        for _ in 0..12 {
            seen.push(instance.post("incident", json!({})).await.status.as_u16());
        }
        seen
    };
    let first = outcomes().await;
    assert!(first.contains(&500) && first.contains(&201), "{first:?}");
    assert_eq!(first, outcomes().await);
}
