//! No file descriptor is left.

use std::time::Duration;

use tests::binary::Home;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::{Bridge, rest, status, until};

/// So few that the connections of clients use up all: database, Redis and runtime have taken theirs.
const OPEN_FILES: u32 = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_without_descriptors_neither_ends_nor_spins() {
    let start = |home: &Home, line: &str| home.start_limited(OPEN_FILES, line);
    let bridge = Bridge::start_by("max_connections = 4096", start).await;
    let mut answering = Vec::new();
    for _ in 0..OPEN_FILES {
        // These are being answered, so they cannot be sent away.
        let mut stream = bridge.connect().await;
        let head = bridge.head("/v1/requests", "Content-Length: 60000");
        stream.write_all(head.as_bytes()).await.unwrap();
        answering.push(stream);
    }
    bridge.process.logged("no connection can be accepted");
    let before = bridge.process.cpu_time();
    sleep(Duration::from_secs(2)).await;
    let used = bridge.process.cpu_time().saturating_sub(before);
    assert!(used < Duration::from_secs(1), "it spins: {used:?} of 2 s");
    drop(answering);
    until("others are answered again", async || healthy(&bridge).await).await;
    bridge.answers_others("afterwards").await;
    let idle: Vec<TcpStream> = {
        let mut idle = Vec::new();
        for _ in 0..OPEN_FILES * 4 {
            idle.push(bridge.connect().await);
        }
        idle
    };
    assert!(healthy(&bridge).await, "those that wait make room");
    drop(idle);
    let warnings = bridge.process.printed();
    let told = warnings.matches("no connection can be accepted").count();
    assert!((1..20).contains(&told), "told {told} times");
    bridge.stop();
}

async fn healthy(bridge: &Bridge) -> bool {
    let mut stream = bridge.connect().await;
    let call = b"GET /healthz HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\n\r\n";
    stream.write_all(call).await.is_ok() && status(&rest(&mut stream).await) == Some(200)
}
