//! The instance that is polled: a simulated one, in a process of its own.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::bench::processors::used_by_process;
use crate::binary::{Home, Running};

/// A running instance.
pub(super) struct Instance {
    process: Running,
    url: String,
    http: Client,
    _home: Home,
}

impl Instance {
    /// One that works on so many calls at a time.
    pub(super) async fn start(concurrency: usize) -> anyhow::Result<Self> {
        let home = Home::new();
        let process = home.start("simulator --listen 127.0.0.1:0");
        let url = process.wait_for("its address", |printed, _| {
            let (_, rest) = printed.split_once("answers at ")?;
            rest.split_once('\n').map(|(url, _)| url.to_owned())
        });
        let instance = Self {
            process,
            url,
            http: Client::builder().build()?,
            _home: home,
        };
        let knobs = json!({ "semaphore": { "permits": concurrency, "queue": concurrency } });
        instance.tell(Method::PUT, "knobs", &knobs).await?;
        Ok(instance)
    }

    /// Its base URL.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Puts its clock ahead.
    pub(super) async fn age(&self, by: Duration) -> anyhow::Result<()> {
        let step = json!({ "seconds": by.as_secs() });
        self.tell(Method::POST, "clock/advance", &step).await?;
        Ok(())
    }

    /// Lets somebody begin to work on a ticket.
    pub(super) async fn begin(&self, sys_id: &str) -> anyhow::Result<()> {
        let order = json!({ "as": "nina.agent", "ticket": sys_id, "action": "resume" });
        self.tell(Method::POST, "agent", &order).await?;
        Ok(())
    }

    /// Calls so far, of any kind.
    pub(super) async fn calls(&self) -> anyhow::Result<u64> {
        let answer = self.tell(Method::GET, "log?count=true", &json!({})).await?;
        answer["count"].as_u64().context("a number of calls")
    }

    /// Its processor time.
    pub(super) fn processor(&self) -> anyhow::Result<Duration> {
        used_by_process(self.process.id())
    }

    async fn tell(&self, method: Method, what: &str, body: &Value) -> anyhow::Result<Value> {
        let call = self
            .http
            .request(method, format!("{}/_sim/{what}", self.url));
        let answer = call.json(body).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{what}: {status} {text}");
        if text.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_str(&text)?)
    }
}
