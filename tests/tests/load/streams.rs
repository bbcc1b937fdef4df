//! Many who follow the feed.

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use tests::binary::PATIENCE;
use tests::databases::TestDatabase;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Duration, sleep, timeout};

use crate::{Bridge, rest, status};

/// Opens a stream and reads the head of its answer.
async fn follow(bridge: &Bridge) -> TcpStream {
    let mut stream = ask(bridge).await;
    let read = until_contains(&mut stream, "\r\n\r\n").await;
    assert_eq!(status(read.as_bytes()), Some(200), "{read}");
    stream
}

async fn ask(bridge: &Bridge) -> TcpStream {
    let mut stream = bridge.connect().await;
    let token = &bridge.token;
    let call = format!(
        "GET /v1/events/stream HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(call.as_bytes()).await.unwrap();
    stream
}

async fn until_contains(stream: &mut TcpStream, what: &str) -> String {
    let mut text = String::new();
    let reading = async {
        let mut chunk = [0; 4096];
        while !text.contains(what) {
            let read = stream.read(&mut chunk).await.unwrap();
            assert!(read > 0, "it ended after {text}");
            text += std::str::from_utf8(&chunk[..read]).unwrap();
        }
    };
    timeout(PATIENCE, reading).await.expect("news in time");
    text
}

/// How often somebody has looked into the table of events.
async fn looks(database: &TestDatabase) -> i64 {
    let sql = "SELECT (SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relname = 'events') AS looks";
    let row = database
        .store
        .conn()
        .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await
        .unwrap();
    row.unwrap().try_get("", "looks").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_silent_streams_cost_the_database_as_much_as_one() {
    let bridge = Bridge::start("").await;
    bridge.answers_others("before").await;
    let mut streams = Vec::new();
    for _ in 0..1_000 {
        streams.push(follow(&bridge).await);
    }
    // The server counts what an idle connection did after a second at the latest.
    sleep(Duration::from_secs(2)).await;
    let before = looks(&bridge.database).await;
    sleep(Duration::from_secs(4)).await;
    let spent = looks(&bridge.database).await - before;
    assert!(spent < 100, "{spent} looks in 4 s");

    bridge.answers_others("news").await;
    for stream in &mut streams {
        // Behind signs of life, where the machine was slow.
        until_contains(stream, "\"external_id\":\"news\"").await;
    }
    bridge.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_beyond_the_limit_are_refused_until_one_ends() {
    let bridge = Bridge::start("max_connections = 64\nmax_streams = 32").await;
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(follow(&bridge).await);
    }
    let mut refused = ask(&bridge).await;
    let answer = until_contains(&mut refused, "}").await;
    assert_eq!(status(answer.as_bytes()), Some(503), "{answer}");
    assert!(answer.contains("too-many-streams"), "{answer}");
    bridge.answers_others("meanwhile").await;
    drop(streams.pop());
    crate::until("there is room again", async || {
        let mut stream = ask(&bridge).await;
        let answer = until_contains(&mut stream, "\r\n\r\n").await;
        status(answer.as_bytes()) == Some(200)
    })
    .await;
    let mut last = streams.pop().unwrap();
    bridge.stop();
    assert!(
        rest(&mut last).await.ends_with(b"0\r\n\r\n"),
        "the stream ends in good order"
    );
}
