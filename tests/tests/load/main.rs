//! Load and bad input: what the real program does when too much comes, or nothing that makes sense.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde_json::json;
use tests::binary::{Home, PATIENCE, Running};
use tests::databases::{Flavour, TestDatabase, fresh};
use tests::redis_server::RedisServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

mod bodies;
mod connections;
mod descriptors;
mod heads;
mod plans;
mod streams;

/// A scheduler as a process of its own.
struct Bridge {
    process: Running,
    address: String,
    token: String,
    _home: Home,
    database: TestDatabase,
    _redis: RedisServer,
}

impl Bridge {
    /// With these lines in its `[server]`.
    async fn start(server: &str) -> Self {
        Self::start_by(server, Home::start).await
    }

    async fn start_by(server: &str, start: impl FnOnce(&Home, &str) -> Running) -> Self {
        let (database, redis) = (fresh(Flavour::Postgres).await, RedisServer::start());
        let url = database.options.url.expose_secret();
        let home = Home::with(&configuration(server, url, &redis.url()));
        let made = home.run("token create --source idm --json");
        let token = made.with_code(0).json()["token"]
            .as_str()
            .unwrap()
            .to_owned();
        let process = start(&home, "scheduler");
        let line = process.logged("the scheduler answers");
        let address = [&line["address"], &line["fields"]["address"]]
            .into_iter()
            .find_map(|it| it.as_str())
            .expect("it says where it listens")
            .to_owned();
        Self {
            process,
            address,
            token,
            _home: home,
            database,
            _redis: redis,
        }
    }

    async fn connect(&self) -> TcpStream {
        timeout(PATIENCE, TcpStream::connect(&self.address))
            .await
            .expect("a connection in time")
            .unwrap()
    }

    /// Another client, who has done nothing wrong: it must be answered, with a request that is stored.
    async fn answers_others(&self, external_id: &str) {
        let body = json!({
            "external_id": external_id,
            "category": "access",
            "item": "Payroll viewer",
            "requester": "sam.sample",
            "requested_for": "joon.park",
        });
        let mut stream = self.connect().await;
        let call = self.post("/v1/requests", &body.to_string());
        stream.write_all(call.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert_eq!(
            status(&answer),
            Some(202),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }

    /// A call that closes its connection, word for word.
    fn post(&self, path: &str, body: &str) -> String {
        let head = self.head(
            path,
            &format!("Connection: close\r\nContent-Length: {}", body.len()),
        );
        head + body
    }

    /// The head of a call with this line among its headers.
    fn head(&self, path: &str, line: &str) -> String {
        let token = &self.token;
        format!(
            "POST {path} HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\n{line}\r\n\r\n"
        )
    }

    /// Ends in good order, whoever is still connected.
    fn stop(self) {
        self.process.stop().with_code(0);
    }
}

fn configuration(server: &str, database: &str, redis: &str) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
{server}
[database]
url = "{database}"
[queue]
kind = "redis"
[redis]
url = "{redis}"
[telemetry]
format = "json"
filter = "warn,ticketbridge=info"
[connections.main]
base_url = "https://main.example.com"
auth = "basic"
user = "bridge"
password = "fictional"
[sources.idm]
[[routes]]
name = "access"
category = "access"
connection = "main"
table = "incident"
[routes.fields]
short_description = "{{{{ item }}}} for {{{{ requested_for }}}}"
"#
    )
}

/// Everything until the server closes; a reset ends it too.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let reading = async {
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut chunk).await {
            all.extend_from_slice(&chunk[..read]);
        }
    };
    timeout(PATIENCE, reading)
        .await
        .expect("the server closes the connection");
    all
}

/// The status of an answer, if it is one.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    std::str::from_utf8(line).ok()?.parse().ok()
}

/// Whether the server has closed a connection on which nothing was sent to us.
fn is_closed(stream: &TcpStream) -> bool {
    let would_block = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    !stream.try_read(&mut [0; 16]).is_err_and(would_block)
}

/// Looks again and again until it is so.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, looking)
        .await
        .unwrap_or_else(|_| panic!("it never happened that {what}"));
}
