use std::{net::SocketAddr, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::report::Report;
use super::urls::{self, Plain};
use crate::server::Limits;

/// `[server]`: the HTTP API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// Address of the HTTP API (intake, feed, metrics, health), such as `127.0.0.1:8080`.
    pub listen: String,
    /// The address others reach it by. Empty: made from `listen`; see [`ServerSettings::base_url`].
    pub public_url: String,
    /// Largest accepted body of one request, in bytes.
    #[schemars(range(min = 1024, max = 67_108_864))]
    pub body_limit_bytes: usize,
    /// Largest accepted body of a batch, in bytes.
    #[schemars(range(min = 1024, max = 268_435_456))]
    pub batch_limit_bytes: usize,
    /// Most requests in one batch.
    #[schemars(range(min = 1, max = 10_000))]
    pub batch_limit_items: usize,
    /// A call that takes longer is answered 503, or 408 when its body has not arrived by then; seconds.
    #[schemars(range(min = 1, max = 600))]
    pub request_timeout_seconds: u64,
    /// Most connections at a time; beyond them, the one that has waited longest for its client is closed.
    #[schemars(range(min = 16, max = 65_536))]
    pub max_connections: usize,
    /// Most event streams at a time; beyond them 503. At most half of the connections.
    #[schemars(range(min = 1, max = 32_768))]
    pub max_streams: usize,
    /// A connection is closed that waits for its client for so many seconds.
    #[schemars(range(min = 1, max = 3600))]
    pub idle_timeout_seconds: u64,
}

impl ServerSettings {
    /// `listen`, parsed. `None` cannot happen after [`Settings::load`](super::Settings::load).
    pub fn listen_address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    /// `public_url` without a closing slash, or `http://<listen>` when it is empty.
    pub fn base_url(&self) -> String {
        match self.public_url.as_str() {
            "" => format!("http://{}", self.listen),
            url => url.trim_end_matches('/').to_owned(),
        }
    }

    /// `request_timeout_seconds` as a duration.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds)
    }

    /// What the HTTP server puts up with in a process whose work gets `drain` to end at the stop.
    pub fn limits(&self, drain: Duration) -> Limits {
        Limits {
            max_connections: self.max_connections,
            idle_timeout: Duration::from_secs(self.idle_timeout_seconds),
            drain,
        }
    }

    pub(super) fn check(&self, report: &mut Report) {
        let mut at = report.section("server");
        if self.listen_address().is_none() {
            at.add(
                "listen",
                format!("`{}` is not an address", self.listen),
                "write an IP address and a port: 127.0.0.1:8080 for this machine only, 0.0.0.0:8080 for all",
            );
        }
        if !self.public_url.is_empty() {
            let allowed = Plain::HttpOrHttps;
            urls::check(&mut at, "public_url", &self.public_url, allowed);
        }
        if self.batch_limit_bytes < self.body_limit_bytes {
            at.add(
                "batch_limit_bytes",
                format!(
                    "a batch ({} bytes) may be smaller than one request ({} bytes)",
                    self.batch_limit_bytes, self.body_limit_bytes
                ),
                "make it at least server.body_limit_bytes",
            );
        }
        if self.max_streams > self.max_connections / 2 {
            at.add(
                "max_streams",
                format!(
                    "{} streams may take more than half of {} connections",
                    self.max_streams, self.max_connections
                ),
                "make it at most half of server.max_connections: a stream lasts, and others want to be answered",
            );
        }
    }
}
