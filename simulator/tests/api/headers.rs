//! Headers of requests and answers, verbs and their disguises.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::client::{BRIDGE, Instance, send};

const ONE: &str = "/api/now/table/incident?sysparm_limit=1";

#[tokio::test]
async fn accept_must_name_json() {
    let instance = Instance::start().await;
    let call = |accept: &'static str| {
        let request = instance
            .bare(Method::GET, ONE)
            .basic_auth(BRIDGE.0, Some(BRIDGE.1));
        send(request.header("Accept", accept))
    };
    for (accept, status) in [
        ("application/json", 200),
        ("*/*", 200),
        ("text/html, application/json;q=0.9", 200),
        ("text/csv", 406),
        ("json", 400),
    ] {
        assert_eq!(call(accept).await.status.as_u16(), status, "{accept}");
    }
}

#[tokio::test]
async fn a_body_needs_a_content_type_that_is_json() {
    let instance = Instance::start().await;
    let call = |content_type: Option<&'static str>| {
        let mut request = instance
            .request(Method::POST, "/api/now/table/incident")
            .body("{}");
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        send(request)
    };
    assert_eq!(
        call(Some("application/json; charset=utf-8"))
            .await
            .status
            .as_u16(),
        201
    );
    assert_eq!(call(Some("text/plain")).await.status.as_u16(), 415);
    assert_eq!(call(None).await.status.as_u16(), 400);
}

#[tokio::test]
async fn answers_carry_the_headers_of_an_instance() {
    let instance = Instance::start().await;
    let reply = instance.get(ONE).await;
    for (name, value) in [
        ("content-type", "application/json;charset=UTF-8"),
        ("server", "ServiceNow"),
        ("x-is-logged-in", "true"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    assert_eq!(reply.header("x-transaction-id").unwrap().len(), 12);
    assert!(
        reply.header("strict-transport-security").is_some()
            && reply.header("cache-control").is_some()
    );
    let cookies: Vec<&str> = reply
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    assert!(
        cookies
            .iter()
            .any(|cookie| cookie.starts_with("JSESSIONID=")),
        "{cookies:?}"
    );
    assert!(
        cookies
            .iter()
            .any(|cookie| cookie.starts_with("BIGipServerpool_")),
        "{cookies:?}"
    );
}

#[tokio::test]
async fn a_session_cookie_reads_but_does_not_write() {
    let instance = Instance::start().await;
    let cookie = instance
        .get(ONE)
        .await
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let read = send(instance.bare(Method::GET, ONE).header("Cookie", &cookie)).await;
    assert_eq!(read.status, StatusCode::OK);
    assert!(read.header("set-cookie").is_none(), "the session goes on");
    let write = instance
        .bare(Method::POST, "/api/now/table/incident")
        .header("Cookie", &cookie)
        .json(&json!({}));
    assert_eq!(send(write).await.status, StatusCode::UNAUTHORIZED);
    instance.sim.advance(std::time::Duration::from_secs(61));
    assert_eq!(
        send(instance.bare(Method::GET, ONE).header("Cookie", &cookie))
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let instance = Instance::start().await;
    let reply = send(instance.request(Method::HEAD, ONE)).await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(reply.header("x-total-count"), Some("60"));
}

#[tokio::test]
async fn a_post_can_be_a_patch_in_disguise_and_put_changes_only_what_it_names() {
    let instance = Instance::start().await;
    let made = instance
        .post(
            "incident",
            json!({"short_description": "one", "description": "two"}),
        )
        .await
        .result();
    let path = format!(
        "/api/now/table/incident/{}",
        made["sys_id"].as_str().unwrap()
    );
    let disguised = instance
        .request(Method::POST, &path)
        .header("X-HTTP-Method-Override", "PATCH")
        .json(&json!({"description": "three"}));
    assert_eq!(send(disguised).await.result()["description"], "three");
    let put = send(
        instance
            .request(Method::PUT, &path)
            .json(&json!({"short_description": "four"})),
    )
    .await
    .result();
    assert_eq!(
        (&put["short_description"], &put["description"]),
        (&json!("four"), &json!("three"))
    );
}

#[tokio::test]
async fn writes_can_ask_for_no_body() {
    let instance = Instance::start().await;
    let silent = |method, path: &str| {
        instance
            .request(method, path)
            .header("X-no-response-body", "true")
    };
    let made = send(
        silent(Method::POST, "/api/now/table/incident").json(&json!({"correlation_id": "quiet"})),
    )
    .await;
    assert_eq!((made.status, made.text.as_str()), (StatusCode::CREATED, ""));
    let location = made.header("location").unwrap().to_owned();
    let id = instance
        .sim
        .row("incident", "correlation_id=quiet")
        .unwrap()["sys_id"]
        .clone();
    assert!(location.ends_with(&id));
    let changed = send(
        silent(Method::PATCH, &format!("/api/now/table/incident/{id}"))
            .json(&json!({"state": "2"})),
    )
    .await;
    assert_eq!(
        (changed.status, changed.text.as_str()),
        (StatusCode::OK, "")
    );
}

#[tokio::test]
async fn a_verb_that_makes_no_sense_is_405() {
    let instance = Instance::start().await;
    assert_eq!(
        send(instance.request(Method::DELETE, "/api/now/table/incident"))
            .await
            .status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn deleted_records_answer_204_then_404_and_leave_a_trace_for_admins() {
    let instance = Instance::start().await;
    let id = instance.sim.row("incident", "number=INC0000001").unwrap()["sys_id"].clone();
    let path = format!("/api/now/table/incident/{id}");
    let admin = crate::client::ADMIN;
    let gone = send(instance.as_user(admin, Method::DELETE, &path)).await;
    assert_eq!(
        (gone.status, gone.text.as_str()),
        (StatusCode::NO_CONTENT, "")
    );
    assert_eq!(instance.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        instance
            .sim
            .rows("sys_audit_delete", &format!("documentkey={id}"))
            .len(),
        1
    );
}
