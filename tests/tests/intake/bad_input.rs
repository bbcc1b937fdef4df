//! Every way to send something wrong, and what the sender is told.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::store::audit::Actor;
use shared::store::{sources, switches};
use tests::bridge::{Answer, Api, Bridge, asked};
use tests::databases::Flavour;

use crate::stable;

async fn bridge() -> (Bridge, Api) {
    let bridge = Bridge::start(Flavour::Sqlite).await;
    let api = bridge.api("idm").await;
    (bridge, api)
}

/// The problem of an answer, which must be one.
fn problem(answer: &Answer) -> Value {
    assert_eq!(
        answer.header("content-type"),
        "application/problem+json",
        "{}",
        answer.body
    );
    assert_eq!(answer.body["status"], answer.status);
    assert!(!answer.header("x-request-id").is_empty());
    stable(&answer.body)
}

async fn stored_nothing(api: &Api) {
    assert_eq!(api.get("/v1/requests").await.body["items"], json!([]));
}

#[tokio::test]
async fn fields_that_do_not_fit_are_all_named_at_once() {
    let (_bridge, api) = bridge().await;
    let body = json!({
        "external_id": "x".repeat(101), "item": 7, "requester": "", "requested_for": "a\u{0}b", "priority": 9,
        "valid_from": "2030-01-01T00:00:00Z", "valid_until": "2029-01-01T00:00:00Z", "attributes": {"role": "\u{1}"},
        "callback_url": "idm.example.com", "requestedFor": "joon.park",
    });
    let answer = api.post("/v1/requests", &body).await;
    assert_eq!(answer.status, 422);
    insta::assert_json_snapshot!(problem(&answer));
    stored_nothing(&api).await;
}

#[tokio::test]
async fn what_the_bridge_knows_better_is_refused_at_once() {
    let (bridge, api) = bridge().await;
    let now = bridge.clock.now();
    let reason = Some("too many tickets");
    let operator = Actor::Operator("root".into());
    switches::set(
        bridge.store().conn(),
        "route:group",
        false,
        reason,
        &operator,
        now,
    )
    .await
    .unwrap();
    let with = |name: &str, value: Value| {
        let mut body = asked("R1", "application-access");
        body[name] = value;
        body
    };
    let mut no_role = asked("R1", "sap-role");
    no_role["attributes"] = json!({"system": "P01"});
    let mut long_role = asked("R1", "sap-role");
    long_role["attributes"]["role"] = json!("Z".repeat(60));
    let bodies = [
        with("category", json!("aplication-access")),
        asked("R1", "mainframe-access"),
        asked("R1", "directory-group"),
        no_role,
        long_role,
        with("valid_until", json!("2026-03-02T09:00:00Z")),
        with("callback_url", json!("https://evil.example.net/hook")),
        with("callback_url", json!("http://idm.example.com/hook")),
        with("source", json!("hr")),
    ];
    let mut problems = Vec::new();
    for body in bodies {
        problems.push(problem(&api.post("/v1/requests", &body).await));
    }
    insta::assert_json_snapshot!(problems);
    stored_nothing(&api).await;
}

#[tokio::test]
async fn a_source_without_callback_hosts_is_told_where_they_are_set() {
    let (bridge, _) = bridge().await;
    let mut body = asked("R1", "application-access");
    body["callback_url"] = json!("https://hr.example.com/hook");
    let answer = bridge.api("hr").await.post("/v1/requests", &body).await;
    insta::assert_json_snapshot!(problem(&answer));
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused() {
    let (bridge, api) = bridge().await;
    let send = async |content_type: &str, body: String| {
        let call = api
            .call(Method::POST, "/v1/requests")
            .header("Content-Type", content_type)
            .body(body);
        problem(&Answer::of(call).await)
    };
    let limit = bridge.scheduler.settings.server.body_limit_bytes;
    let problems = [
        send("text/plain", "{}".into()).await,
        send("application/json", String::new()).await,
        send(
            "application/json",
            "{\"external_id\": \"R1\",\n \"item\": }".into(),
        )
        .await,
        send(
            "application/json",
            "{\"item\": \"a\", \"item\": \"b\"}".into(),
        )
        .await,
        send("application/json", format!("\"{}\"", "x".repeat(limit - 1))).await,
        send("application/json", "[1, 2]".into()).await,
    ];
    insta::assert_json_snapshot!(problems);
    let fits = format!("\"{}\"", "x".repeat(limit - 2));
    assert_eq!(
        send("application/json", fits).await["status"],
        422,
        "exactly the limit is read"
    );
}

#[tokio::test]
async fn a_body_of_unannounced_length_is_cut_off_at_the_limit() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let (bridge, _) = bridge().await;
    let token = bridge.token("idm").await;
    let server = bridge.url().replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(&server).await.unwrap();
    let length = bridge.scheduler.settings.server.body_limit_bytes + 1;
    let head = format!(
        "POST /v1/requests HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{}\r\n",
        " ".repeat(length)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let read = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn tokens_that_do_not_let_in_say_why() {
    let (bridge, api) = bridge().await;
    let stranger = bridge.stranger();
    let conn = bridge.store().conn();
    let now = bridge.clock.now();
    let expiring = sources::hash("tb_expiring");
    let end = now + chrono::TimeDelta::seconds(10);
    sources::create_token(conn, "idm", "short", &expiring, Some(end), now)
        .await
        .unwrap();
    let revoked =
        sources::create_token(conn, "idm", "lost", &sources::hash("tb_revoked"), None, now)
            .await
            .unwrap();
    for token in ["tb_expiring", "tb_revoked"] {
        assert_eq!(api.with_token(token).get("/v1/requests").await.status, 200);
    }
    bridge.clock.advance(Duration::from_secs(10));
    sources::revoke_token(conn, revoked.id, now).await.unwrap();
    let basic = stranger
        .call(Method::GET, "/v1/requests")
        .header("Authorization", "Basic dXNlcjp4");
    let answers = [
        stranger.get("/v1/requests").await,
        Answer::of(basic).await,
        api.with_token("tb_unknown").get("/v1/requests").await,
        api.with_token("tb_expiring").get("/v1/requests").await,
        api.with_token("tb_revoked").get("/v1/requests").await,
    ];
    let told: Vec<_> = answers
        .iter()
        .map(|answer| (answer.header("www-authenticate"), problem(answer)))
        .collect();
    insta::assert_json_snapshot!(told);
}

#[tokio::test]
async fn every_operation_of_a_source_wants_a_token() {
    let (bridge, _) = bridge().await;
    let document = serde_json::to_value(scheduler::openapi()).unwrap();
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let path = path.replace("{id}", "0192f0c1-7a00-7000-8000-000000000001");
            let method = method.to_uppercase().parse().unwrap();
            let answer = Answer::of(bridge.stranger().call(method, &path)).await;
            let open = operation.get("security").is_none();
            assert_eq!(
                answer.status == 401,
                !open,
                "{path} answered {}",
                answer.status
            );
            asked += 1;
        }
    }
    assert_eq!(asked, 55);
}

#[tokio::test]
async fn paths_methods_queries_and_headers_that_do_not_exist() {
    let (_bridge, api) = bridge().await;
    let with = |path: &str, name: &str, value: &str| {
        api.call(Method::POST, path)
            .header(name, value)
            .json(&json!({}))
    };
    let deletion = Answer::of(api.call(Method::DELETE, "/v1/requests")).await;
    assert_eq!(deletion.header("allow"), "POST,GET,HEAD");
    let answers = [
        api.get("/v1/request").await,
        deletion,
        api.get("/v1/requests/7").await,
        api.get("/v1/requests?stat=open&limit=0&cursor=!").await,
        api.get("/v1/events?after=x&limit=501").await,
        api.get("/v1/events/stream?limit=1").await,
        api.get("/v1/requests/0192f0c1-7a00-7000-8000-000000000001?full=1")
            .await,
        api.post("/v1/requests?dry_run=1", &asked("R1", "application-access"))
            .await,
        Answer::of(with(
            "/v1/requests/0192f0c1-7a00-7000-8000-000000000001/cancel",
            "If-Match",
            "3",
        ))
        .await,
        Answer::of(
            api.call(Method::GET, "/v1/events/stream")
                .header("Last-Event-ID", "x"),
        )
        .await,
        Answer::of(
            api.call(Method::POST, "/v1/requests")
                .header("Idempotency-Key", "a b")
                .json(&asked("R1", "application-access")),
        )
        .await,
    ];
    let problems: Vec<_> = answers.iter().map(problem).collect();
    insta::assert_json_snapshot!(problems);
}

#[tokio::test]
async fn a_callers_request_id_is_kept() {
    let (_bridge, api) = bridge().await;
    let call = api
        .call(Method::GET, "/v1/requests")
        .header("X-Request-Id", "case-4711");
    assert_eq!(Answer::of(call).await.header("x-request-id"), "case-4711");
    let one = api.get("/v1/requests").await;
    let two = api.get("/v1/requests").await;
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}
