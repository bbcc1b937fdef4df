use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tests::bridge::{Api, Bridge};

on_both!(
    news_arrive_as_they_are_stored,
    a_client_that_comes_back_misses_nothing,
    news_of_another_process_arrive_too,
    a_stop_ends_streams
);

/// A stream, cut into blocks.
struct Blocks {
    response: reqwest::Response,
    rest: String,
}

impl Blocks {
    async fn open(api: &Api, path: &str, last_event_id: Option<&str>) -> Self {
        let mut call = api.call(Method::GET, path);
        if let Some(id) = last_event_id {
            call = call.header("Last-Event-ID", id);
        }
        let response = call.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            rest: String::new(),
        }
    }

    /// The next event; `None` when the stream has ended.
    async fn next(&mut self) -> Option<(String, String, Value)> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.rest = rest;
                if !block.starts_with(':') {
                    return Some(read(&block));
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(30), self.response.chunk()).await;
            let chunk = chunk
                .expect("news arrive in time")
                .expect("the stream is whole");
            self.rest += std::str::from_utf8(&chunk?).unwrap();
        }
    }
}

fn read(block: &str) -> (String, String, Value) {
    let field = |name: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            .unwrap_or_else(|| panic!("{block}"))
    };
    (
        field("id").to_owned(),
        field("event").to_owned(),
        serde_json::from_str(field("data")).unwrap(),
    )
}

async fn news_arrive_as_they_are_stored(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    api.create("R0", "application-access").await;
    let mut blocks = Blocks::open(&api, "/v1/events/stream", None).await;
    let id = api.create("R1", "application-access").await;
    bridge
        .api("hr")
        .await
        .create("H1", "application-access")
        .await;
    api.post(&format!("/v1/requests/{id}/cancel"), &json!({}))
        .await;
    let (cursor, kind, event) = blocks.next().await.unwrap();
    assert_eq!(
        (kind.as_str(), &event["data"]["external_id"]),
        ("request.accepted", &json!("R1")),
        "only what comes from now on"
    );
    assert_eq!(event["cursor"], json!(cursor));
    let (_, kind, event) = blocks.next().await.unwrap();
    assert_eq!(
        (kind.as_str(), &event["data"]["external_id"]),
        ("request.cancelled", &json!("R1")),
        "none of another source"
    );
}

async fn a_client_that_comes_back_misses_nothing(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    for n in 0..150 {
        api.create(&format!("R{n}"), "application-access").await;
    }
    let first = api.get("/v1/events?limit=1").await.body["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut blocks = Blocks::open(&api, &format!("/v1/events/stream?after={first}"), None).await;
    let mut last = String::new();
    for n in 1..60 {
        let (cursor, _, event) = blocks.next().await.unwrap();
        assert_eq!(event["data"]["external_id"], format!("R{n}"));
        last = cursor;
    }
    drop(blocks);
    api.create("R150", "application-access").await;
    let mut blocks = Blocks::open(
        &api,
        &format!("/v1/events/stream?after={first}"),
        Some(&last),
    )
    .await;
    for n in 60..=150 {
        assert_eq!(
            blocks.next().await.unwrap().2["data"]["external_id"],
            format!("R{n}"),
            "Last-Event-ID goes before after"
        );
    }
}

async fn news_of_another_process_arrive_too(bridge: &Bridge) {
    use shared::clock::Clock as _;
    use shared::store::audit::Actor;
    use shared::store::requests::{self, Change};

    let api = bridge.api("idm").await;
    let id = api.create("R1", "application-access").await;
    let mut blocks = Blocks::open(&api, "/v1/events/stream", None).await;
    let other = bridge.database.reopen().await;
    let tx = other.begin().await.unwrap();
    let request = requests::find(&tx, id).await.unwrap().unwrap();
    let change = Change {
        state: Some(shared::request::RequestState::Open),
        ..Change::default()
    };
    let actor = Actor::System("worker");
    requests::apply(
        &tx,
        &request,
        &change,
        &actor,
        "request.opened",
        bridge.clock.now(),
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(blocks.next().await.unwrap().1, "request.open");
}

async fn a_stop_ends_streams(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let mut blocks = Blocks::open(&api, "/v1/events/stream", None).await;
    bridge.shut_down().await;
    assert_eq!(blocks.next().await, None);
}
