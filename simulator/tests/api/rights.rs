//! What accounts with few rights see: mostly success without rows.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::client::{Instance, Reply, send};

const LEAST: (&str, &str) = ("least.privilege", "least-privilege-password");

async fn read(instance: &Instance, path: &str) -> Reply {
    send(instance.as_user(LEAST, Method::GET, path)).await
}

#[tokio::test]
async fn lack_of_rights_mostly_looks_like_an_empty_table() {
    let instance = Instance::start().await;
    for table in [
        "incident",
        "task",
        "change_request",
        "sys_dictionary",
        "sys_properties",
        "sys_user_has_role",
    ] {
        let reply = read(&instance, &format!("/api/now/table/{table}")).await;
        assert_eq!(
            (reply.status, reply.text.as_str()),
            (StatusCode::OK, r#"{"result":[]}"#),
            "{table}"
        );
    }
    for table in ["sys_db_object", "metric_definition", "sys_plugins"] {
        let reply = read(&instance, &format!("/api/now/table/{table}")).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{table}");
        assert_eq!(reply.error().0, "User Not Authorized");
    }
}

#[tokio::test]
async fn sys_choice_shows_labels_only() {
    let instance = Instance::start().await;
    let reply = read(
        &instance,
        "/api/now/table/sys_choice?sysparm_limit=1&sysparm_fields=name,element,value,label",
    )
    .await;
    let row = reply.result()[0].clone();
    assert_eq!(
        row.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["label"]
    );
    assert_eq!(
        read(
            &instance,
            "/api/now/table/sys_choice?sysparm_query=element=state"
        )
        .await
        .status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn people_see_and_comment_their_own_incidents_only() {
    let instance = Instance::start().await;
    let me = instance
        .sim
        .row("sys_user", "user_name=least.privilege")
        .unwrap()["sys_id"]
        .clone();
    let mine = send(
        instance
            .as_user(LEAST, Method::POST, "/api/now/table/incident")
            .json(&json!({"caller_id": me, "comments": "mine"})),
    )
    .await;
    assert_eq!(mine.status, StatusCode::CREATED);
    let list = read(
        &instance,
        "/api/now/table/incident?sysparm_query=ORDERBYnumber",
    )
    .await;
    assert_eq!(list.result().as_array().unwrap().len(), 1);
    assert_eq!(
        list.header("x-total-count"),
        Some("61"),
        "the total counts what is hidden"
    );
    let other = instance.sim.row("incident", "number=INC0000001").unwrap()["sys_id"].clone();
    assert_eq!(
        read(&instance, &format!("/api/now/table/incident/{other}"))
            .await
            .status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn closed_incidents_are_read_only() {
    let instance = Instance::start().await;
    let id = instance.sim.row("incident", "number=INC0000009").unwrap()["sys_id"].clone();
    let reply = instance.patch("incident", &id, json!({"state": "2"})).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(
        reply.error().1,
        "ACL Exception Update Failed due to security constraints"
    );
    let admin = instance.as_user(
        crate::client::ADMIN,
        Method::PATCH,
        &format!("/api/now/table/incident/{id}"),
    );
    let reopened = send(admin.json(&json!({"state": "2"}))).await.result();
    assert_eq!(
        (
            &reopened["state"],
            &reopened["reopen_count"],
            &reopened["active"]
        ),
        (&json!("2"), &json!("1"), &json!("true"))
    );
}

#[tokio::test]
async fn a_deactivated_or_locked_user_is_out_at_once() {
    let instance = Instance::start().await;
    let id = instance
        .sim
        .row("sys_user", "user_name=ticketbridge.integration")
        .unwrap()["sys_id"]
        .clone();
    let status = async || {
        instance
            .get("/api/now/table/incident?sysparm_limit=1")
            .await
            .status
    };
    assert_eq!(status().await, StatusCode::OK);
    for (column, off, on) in [
        ("active", "false", "true"),
        ("locked_out", "true", "false"),
        ("password_needs_reset", "true", "false"),
    ] {
        instance
            .sim
            .update(None, "sys_user", &id, &[(column, off)])
            .unwrap();
        assert_eq!(status().await, StatusCode::UNAUTHORIZED, "{column}");
        instance
            .sim
            .update(None, "sys_user", &id, &[(column, on)])
            .unwrap();
        assert_eq!(status().await, StatusCode::OK, "{column}");
    }
}
