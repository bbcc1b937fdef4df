//! Bodies that are too large, too slow, too deep or nothing.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::{Bridge, is_closed, rest, status, until};

/// Much more than any limit.
const FLOOD: usize = 64 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_dribbles_is_given_up() {
    let bridge = Bridge::start("request_timeout_seconds = 2\nidle_timeout_seconds = 60").await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = bridge.connect().await;
        let head = bridge.head("/v1/requests", "Content-Length: 60000");
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    bridge.answers_others("meanwhile").await;
    for _ in 0..10 {
        for stream in &mut slow {
            stream.write_all(b" ").await.ok();
        }
        sleep(Duration::from_millis(50)).await;
    }
    for stream in &mut slow {
        let answer = rest(stream).await;
        assert_eq!(status(&answer), Some(408), "and then the connection ends");
        let text = String::from_utf8_lossy(&answer);
        assert!(text.contains("application/problem+json"), "{text}");
        assert!(text.contains("problem:body-too-slow"), "{text}");
    }
    bridge.stop();
}

/// The stop of a process is not in the hands of its clients: it ends with 0 although a call has begun and goes no further.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_never_comes_holds_up_no_stop() {
    let bridge = Bridge::start("request_timeout_seconds = 60\n[worker]\ndrain_seconds = 1").await;
    let mut stream = bridge.connect().await;
    let head = bridge.head("/v1/requests", "Content-Length: 60000");
    stream.write_all(head.as_bytes()).await.unwrap();
    bridge.answers_others("meanwhile").await;
    bridge.stop();
    assert!(rest(&mut stream).await.is_empty(), "there is no answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_refused_before_the_body_is_read() {
    let bridge = Bridge::start("").await;
    let head = bridge.head("/v1/requests:batch", "Content-Length: 4000000");
    let head = head.replace(&bridge.token, "tb_guessed");
    let mut stream = bridge.connect().await;
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(status(&rest(&mut stream).await), Some(401));
    bridge.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_refused_and_fills_no_memory() {
    let bridge = Bridge::start("").await;
    for path in ["/v1/requests", "/v1/requests:batch"] {
        let mut stream = bridge.connect().await;
        let head = bridge.head(path, "Content-Length: 10000000000");
        stream.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(
            status(&rest(&mut stream).await),
            Some(413),
            "before it is sent"
        );
    }
    bridge.answers_others("before").await;
    let before = bridge.process.memory_kib();
    let mut floods = JoinSet::new();
    for _ in 0..20 {
        let mut stream = bridge.connect().await;
        let head = bridge.head("/v1/requests", "Transfer-Encoding: chunked");
        floods.spawn(async move {
            stream.write_all(head.as_bytes()).await.unwrap();
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
            let mut sent = 0;
            while sent < FLOOD && stream.write_all(chunk.as_bytes()).await.is_ok() {
                sent += chunk.len();
            }
            sent
        });
    }
    for sent in floods.join_all().await {
        assert!(sent < FLOOD, "the server stops reading: {sent}");
    }
    bridge.answers_others("after").await;
    let grown = bridge.process.memory_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more than before");
    bridge.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_make_no_sense_are_refused() {
    let bridge = Bridge::start("").await;
    let deep = |open: &str| open.repeat(30_000 / open.len());
    let bodies = [
        deep("["),
        deep("{\"a\":"),
        format!("{{\"attributes\": {}}}", deep("[")),
        format!("{{\"item\": \"{}", "\\".repeat(60_000)),
        "1e999999999".to_owned(),
        "9".repeat(60_000),
        format!("{{\"item\": \"{}\"}}", "\\ud800".repeat(5_000)),
        "null".to_owned(),
        "\u{feff}{}".to_owned(),
        format!("{{{}}}", "\"a\":1,".repeat(9_000)),
    ];
    for body in &bodies {
        for path in ["/v1/requests", "/v1/requests:batch"] {
            let mut stream = bridge.connect().await;
            stream
                .write_all(bridge.post(path, body).as_bytes())
                .await
                .unwrap();
            let answer = String::from_utf8(rest(&mut stream).await).unwrap();
            let shown = &body[..body.len().min(40)];
            assert!(
                matches!(status(answer.as_bytes()), Some(400 | 422)),
                "{path} {shown}: {answer}"
            );
            assert!(
                answer.contains("application/problem+json"),
                "{shown}: {answer}"
            );
        }
    }
    bridge.answers_others("after").await;
    bridge.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_that_are_none_end_their_connection_only() {
    let bridge = Bridge::start("request_timeout_seconds = 2\nidle_timeout_seconds = 2").await;
    for chunk in [
        "zz\r\n",
        "-1\r\n",
        "ffffffffffffffffff\r\nx",
        "5\r\nab",
        "1;",
        "",
    ] {
        let mut stream = bridge.connect().await;
        let head = bridge.head("/v1/requests", "Transfer-Encoding: chunked");
        stream.write_all((head + chunk).as_bytes()).await.unwrap();
        until("it is refused", async || is_closed(&stream)).await;
    }
    bridge.answers_others("after").await;
    bridge.stop();
}
