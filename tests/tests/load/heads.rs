//! Heads that never end, and bytes that are none.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::{Bridge, is_closed, rest, status, until};

const HEAD: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: bridge\r\nX-Slow: ";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_dribbles_is_given_up() {
    let bridge = Bridge::start("idle_timeout_seconds = 2").await;
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut stream = bridge.connect().await;
        stream.write_all(HEAD).await.unwrap();
        slow.push(stream);
    }
    let mut asked = 0;
    until("all of them are closed", async || {
        for stream in &mut slow {
            // A byte now and then keeps nobody's clock from running. What is closed takes none.
            stream.write_all(b"x").await.ok();
        }
        if asked < 20 {
            bridge.answers_others(&format!("R{asked}")).await;
            asked += 1;
        }
        slow.iter().all(is_closed)
    })
    .await;
    bridge.answers_others("at the end").await;
    bridge.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_never_end_take_no_place_of_others() {
    let bridge = Bridge::start("max_connections = 128\nmax_streams = 1").await;
    let mut slow = Vec::new();
    for number in 0..1_000 {
        let mut stream = bridge.connect().await;
        // One that was sent away already may not take it.
        stream.write_all(HEAD).await.ok();
        slow.push(stream);
        if number % 100 == 99 {
            bridge.answers_others(&format!("R{number}")).await;
        }
    }
    until("most of them had to go", async || {
        slow.iter().filter(|it| !is_closed(it)).count() <= 128
    })
    .await;
    let youngest = slow.last().unwrap();
    assert!(
        !is_closed(youngest),
        "those that have waited longest go first"
    );
    bridge.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_kept_for_the_next_call_and_closed_when_none_comes() {
    let bridge = Bridge::start("idle_timeout_seconds = 1").await;
    let mut stream = bridge.connect().await;
    let started = Instant::now();
    for _ in 0..3 {
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: bridge\r\n\r\n")
            .await
            .unwrap();
        let mut answer = [0; 512];
        let read = stream.read(&mut answer).await.unwrap();
        assert_eq!(status(&answer[..read]), Some(200));
        sleep(Duration::from_millis(500)).await;
    }
    assert!(
        started.elapsed() > Duration::from_secs(1),
        "the wait begins anew with each call"
    );
    assert!(rest(&mut stream).await.is_empty());
    bridge.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_no_answers_is_given_up() {
    let bridge = Bridge::start("idle_timeout_seconds = 1").await;
    let stream = bridge.connect().await;
    let call = b"GET /v1/openapi.json HTTP/1.1\r\nHost: bridge\r\n\r\n".repeat(100);
    let mut sent = 0;
    until("the server is fed up", async || {
        // Never reads. First the buffers fill up, then the server closes.
        match stream.try_write(&call) {
            Ok(bytes) => {
                sent += bytes;
                false
            }
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    })
    .await;
    assert!(sent > call.len(), "it was answered before it was given up");
    bridge.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_http_is_refused_and_survived() {
    let bridge = Bridge::start("idle_timeout_seconds = 2").await;
    let many = "X-Many: yes\r\n".repeat(10_000);
    let long = "x".repeat(1_000_000);
    let heads: Vec<Vec<u8>> = vec![
        b"\0\0\0\0\r\n\r\n".to_vec(),
        vec![0xff; 4_096],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\nHost: bridge\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: bridge\r\nBad\x01Name: x\r\n\r\n".to_vec(),
        b"POST /v1/requests HTTP/1.1\r\nHost: bridge\r\nContent-Length: -1\r\n\r\n".to_vec(),
        b"POST /v1/requests HTTP/1.1\r\nHost: bridge\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_vec(),
        b"POST /v1/requests HTTP/1.1\r\nHost: bridge\r\nTransfer-Encoding: gzip\r\n\r\nab".to_vec(),
        format!("GET / HTTP/1.1\r\nHost: bridge\r\n{many}\r\n").into_bytes(),
        format!("GET /{long} HTTP/1.1\r\nHost: bridge\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\nHost: bridge\r\nX-Long: {long}\r\n\r\n").into_bytes(),
    ];
    for (number, head) in heads.iter().enumerate() {
        let mut stream = bridge.connect().await;
        // The server may refuse before it has all, and then takes no more.
        stream.write_all(head).await.ok();
        let answer = rest(&mut stream).await;
        let shown = String::from_utf8_lossy(&head[..head.len().min(60)]).into_owned();
        let refused = status(&answer).is_none_or(|status| (400..500).contains(&status));
        assert!(refused, "{shown}: {}", String::from_utf8_lossy(&answer));
        bridge.answers_others(&format!("R{number}")).await;
    }
    bridge.stop();
}

/// Both lengths at once are how requests are smuggled past proxies: the connection must not be used for a second one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_lengths_end_the_connection() {
    let bridge = Bridge::start("idle_timeout_seconds = 2").await;
    let mut stream: TcpStream = bridge.connect().await;
    let call = bridge.head(
        "/v1/requests",
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
    );
    let smuggled = "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: bridge\r\n\r\n";
    stream
        .write_all((call + smuggled).as_bytes())
        .await
        .unwrap();
    let answers = String::from_utf8(rest(&mut stream).await).unwrap();
    assert!(answers.matches("HTTP/1.1 ").count() <= 1, "{answers}");
    assert!(!answers.contains("200 OK"), "{answers}");
    bridge.stop();
}
