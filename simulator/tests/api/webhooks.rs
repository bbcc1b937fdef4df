//! Calls of the instance itself (wire contract 13), against a receiver on a socket.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Webhook, WebhookCounts, WebhookTarget};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::client::{Instance, send};

/// Answers every call with 200 and keeps what it got.
struct Receiver {
    listener: TcpListener,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener }
    }

    fn target(&self) -> WebhookTarget {
        WebhookTarget {
            url: format!(
                "http://{}/hook?source=sim",
                self.listener.local_addr().unwrap()
            ),
            headers: BTreeMap::from([("X-Secret".to_owned(), "s3".to_owned())]),
            tables: vec!["incident".to_owned()],
        }
    }

    /// Head and body of the next call.
    async fn next(&self) -> (String, Value) {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let mut text = String::new();
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && let Ok(body) = serde_json::from_str(body)
            {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    .await
                    .unwrap();
                return (head.to_owned(), body);
            }
        }
    }
}

fn knob(change: impl FnOnce(&mut Webhook)) -> Webhook {
    let mut webhook = Webhook {
        drop: 0.0,
        duplicate: 0.0,
        reorder: 0.0,
        delay_ms: 0,
    };
    change(&mut webhook);
    webhook
}

async fn with(webhook: Webhook) -> (Instance, Receiver) {
    let (instance, receiver) = (Instance::start().await, Receiver::start().await);
    instance.sim.set_knobs(|knobs| knobs.webhook = webhook);
    instance.sim.set_webhook(Some(receiver.target()));
    (instance, receiver)
}

async fn counted(instance: &Instance, done: impl Fn(WebhookCounts) -> bool) -> WebhookCounts {
    while !done(instance.sim.webhook_counts()) {
        tokio::task::yield_now().await;
    }
    instance.sim.webhook_counts()
}

#[tokio::test]
async fn a_change_is_told_as_a_hint() {
    let (instance, receiver) = with(knob(|_| {})).await;
    let made = instance
        .post("incident", json!({"correlation_id": "r-1"}))
        .await
        .result();
    let (head, body) = receiver.next().await;
    assert!(
        head.starts_with("POST /hook?source=sim HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains("User-Agent: ServiceNow") && head.contains("X-Secret: s3"));
    assert_eq!(
        body,
        json!({"table": "incident", "sys_id": made["sys_id"], "number": made["number"], "sys_mod_count": "0",
            "sys_updated_on": made["sys_updated_on"], "operation": "insert", "correlation_id": "r-1"})
    );
    instance.post("problem", json!({})).await;
    let id = made["sys_id"].as_str().unwrap();
    instance.patch("incident", id, json!({"state": "2"})).await;
    let (_, body) = receiver.next().await;
    assert_eq!(
        (&body["operation"], &body["sys_mod_count"]),
        (&json!("update"), &json!("1"))
    );
    let counts = counted(&instance, |counts| counts.delivered == 2).await;
    assert_eq!(counts.failed, 0);
}

#[tokio::test]
async fn a_hint_can_come_twice_or_never() {
    let (instance, receiver) = with(knob(|webhook| webhook.duplicate = 1.0)).await;
    instance.post("incident", json!({})).await;
    let (first, second) = (receiver.next().await.1, receiver.next().await.1);
    assert_eq!(first, second);
    instance
        .sim
        .set_knobs(|knobs| knobs.webhook = knob(|webhook| webhook.drop = 1.0));
    instance.post("incident", json!({})).await;
    let counts = counted(&instance, |counts| counts.dropped == 1).await;
    assert_eq!((counts.delivered, counts.waiting), (2, 0));
}

#[tokio::test]
async fn a_hint_can_be_overtaken() {
    let (instance, receiver) = with(knob(|webhook| {
        webhook.reorder = 1.0;
        webhook.delay_ms = 1000;
    }))
    .await;
    instance
        .post("incident", json!({"correlation_id": "early"}))
        .await;
    counted(&instance, |counts| counts.waiting == 1).await;
    instance.sim.set_knobs(|knobs| knobs.webhook = knob(|_| {}));
    instance
        .post("incident", json!({"correlation_id": "late"}))
        .await;
    assert_eq!(receiver.next().await.1["correlation_id"], "late");
    instance.sim.advance(Duration::from_millis(2001));
    assert_eq!(receiver.next().await.1["correlation_id"], "early");
}

#[tokio::test]
async fn nobody_tries_again_when_the_receiver_is_gone() {
    let (instance, receiver) = with(knob(|_| {})).await;
    drop(receiver);
    instance.post("incident", json!({})).await;
    let counts = counted(&instance, |counts| counts.failed == 1).await;
    assert_eq!((counts.delivered, counts.waiting), (0, 0));
}

#[tokio::test]
async fn the_target_is_set_over_http() {
    let (instance, receiver) = (Instance::start().await, Receiver::start().await);
    instance.sim.set_knobs(|knobs| knobs.webhook = knob(|_| {}));
    let hook = |method: Method| instance.bare(method, "/_sim/webhook");
    let set = send(hook(Method::PUT).json(&receiver.target()))
        .await
        .json();
    assert_eq!(set["target"]["tables"], json!(["incident"]));
    instance.post("incident", json!({})).await;
    receiver.next().await;
    let refused = send(hook(Method::PUT).json(&json!({"url": "https://example.com/"}))).await;
    assert_eq!(refused.status.as_u16(), 400);
    assert_eq!(send(hook(Method::DELETE)).await.status.as_u16(), 204);
    assert_eq!(send(hook(Method::GET)).await.json()["target"], Value::Null);
}
