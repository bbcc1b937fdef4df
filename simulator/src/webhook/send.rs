//! One POST over a connection of its own, as the instance's outbound client makes it.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use super::WebhookTarget;

/// `glide.http.outbound.max_timeout`
const PATIENCE: Duration = Duration::from_secs(30);
/// More than any status line needs.
const MOST_READ: usize = 512;

/// Gives the status of the answer.
pub(super) async fn post(target: &WebhookTarget, body: &str) -> io::Result<u16> {
    timeout(PATIENCE, exchange(target, body))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn exchange(target: &WebhookTarget, body: &str) -> io::Result<u16> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
    let url = Url::parse(&target.url).map_err(|_| bad("no URL"))?;
    let host = url.host_str().filter(|_| url.scheme() == "http");
    let host = host.ok_or_else(|| bad("only plain HTTP is supported"))?;
    let port = url.port_or_known_default().unwrap_or(80);
    let mut stream = TcpStream::connect((host, port)).await?;
    let path = &url[url::Position::BeforePath..];
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: ServiceNow\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: {}\r\nConnection: close\r\n",
        body.len()
    );
    for (name, value) in &target.headers {
        // Writing to a String cannot fail.
        let _infallible = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut line = Vec::new();
    while !line.contains(&b'\n') && line.len() < MOST_READ {
        let mut byte = [0; 64];
        let read = stream.read(&mut byte).await?;
        if read == 0 {
            break;
        }
        line.extend(byte.iter().take(read));
    }
    let line = String::from_utf8_lossy(&line).into_owned();
    let status = line
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse().ok());
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
