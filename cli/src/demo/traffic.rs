//! The identity side: sends requests, and later withdraws, approves or fulfils some of them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use shared::process::Process;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cast::{Cast, Plan};
use crate::api::Api;
use crate::exit::Failure;

/// Between two requests: of a counted run, and of one without end.
const PACE: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(1500));

/// How far the sending is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Sending,
    AllSent,
}

pub(super) struct Traffic {
    api: Api,
    cast: Mutex<Cast>,
    limit: Option<u32>,
    sent: AtomicU32,
    /// A request that was not taken yet.
    unsent: Mutex<Option<(Value, Plan)>>,
    /// What the identity side will say, when, about which request.
    later: Mutex<VecDeque<(Instant, String, Value)>>,
}

impl Traffic {
    pub(super) fn new(api: Api, cast: Cast, limit: Option<u32>) -> Self {
        Self {
            api,
            cast: Mutex::new(cast),
            limit,
            sent: AtomicU32::new(0),
            unsent: Mutex::default(),
            later: Mutex::default(),
        }
    }

    pub(super) fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn limit(&self) -> Option<u32> {
        self.limit
    }

    pub(super) fn progress(&self) -> Progress {
        let all = self.limit.is_some_and(|limit| self.sent() >= limit);
        let nothing_left = hold(&self.later).is_empty();
        if all && nothing_left {
            Progress::AllSent
        } else {
            Progress::Sending
        }
    }

    /// One beat: the next request, and what is due. What the bridge cannot take now is kept, and sent again at the next beat: that is
    /// safe, because a request is known by its external id.
    async fn beat(&self) -> Result<(), Failure> {
        let done = async {
            if self.limit.is_none_or(|limit| self.sent() < limit) {
                self.send_one().await?;
            }
            self.speak().await
        };
        match done.await {
            Err(failure) if failure.may_pass() => {
                tracing::debug!(%failure, "the bridge did not take it; it is sent again");
                Ok(())
            }
            done => done,
        }
    }

    async fn send_one(&self) -> Result<(), Failure> {
        let (request, plan) = hold(&self.unsent)
            .get_or_insert_with(|| hold(&self.cast).next())
            .clone();
        let taken = self.api.post("/v1/requests", &request).await?;
        hold(&self.unsent).take();
        let id = taken["id"].as_str().unwrap_or_default().to_owned();
        let now = Instant::now();
        let say = |after: u64, body: Value| (now + Duration::from_millis(after), id.clone(), body);
        let mut later = hold(&self.later);
        match plan {
            Plan::Wait => {}
            Plan::Withdraw => later.push_back(say(
                1200,
                json!({"status": "withdrawn", "reason": "No longer needed."}),
            )),
            Plan::Drive => {
                later.push_back(say(
                    900,
                    json!({"status": "approved", "comment": "Approved by the site manager."}),
                ));
                later.push_back(say(
                    2400,
                    json!({"status": "fulfilled", "reason": "Badge handed over."}),
                ));
            }
        }
        drop(later);
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Says what is due. A request that has ended meanwhile answers 409, which is how it should be.
    async fn speak(&self) -> Result<(), Failure> {
        while let Some((id, body)) = self.due() {
            let path = format!("/v1/requests/{id}/status");
            match self.api.post(&path, &body).await {
                Ok(_) | Err(Failure::Refused { status: 409, .. }) => {}
                Err(failure) => return Err(failure),
            }
            hold(&self.later).retain(|(_, other, what)| *other != id || *what != body);
        }
        Ok(())
    }

    fn due(&self) -> Option<(String, Value)> {
        let later = hold(&self.later);
        let now = Instant::now();
        later
            .iter()
            .find(|(at, ..)| *at <= now)
            .map(|(_, id, body)| (id.clone(), body.clone()))
    }
}

/// Starts sending as a task of the process.
pub(super) fn start(traffic: &Arc<Traffic>, process: &mut Process) {
    process.supervise("traffic", run(Arc::clone(traffic), process.stop_token()));
}

async fn run(traffic: Arc<Traffic>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut beat = tokio::time::interval(if traffic.limit.is_some() {
        PACE.0
    } else {
        PACE.1
    });
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = beat.tick() => {}
        }
        let done = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            done = traffic.beat() => done,
        };
        done.map_err(|failure| anyhow::anyhow!("the demo could not send: {failure}"))?;
    }
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::wiring::http_client;

    /// A bridge that gives these answers, one a connection, and says what it was sent.
    async fn bridge(answers: Vec<(u16, &'static str)>) -> (Api, JoinHandle<Vec<Value>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = async move {
            let mut heard = Vec::new();
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut call = String::new();
                while !call.ends_with('}') {
                    let mut chunk = [0; 4096];
                    let read = stream.read(&mut chunk).await.unwrap();
                    call += std::str::from_utf8(&chunk[..read]).unwrap();
                }
                let (_, sent) = call.split_once("\r\n\r\n").unwrap();
                heard.push(serde_json::from_str(sent).unwrap());
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            heard
        };
        // Fails when a provider is installed already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = http_client().unwrap();
        let token = Some("tb_fictional".to_owned());
        let api = Api::new(http, url.parse().unwrap(), token).unwrap();
        (api, TaskTracker::new().spawn(serving))
    }

    fn traffic(api: Api) -> Traffic {
        let people = vec!["sam.sample".to_owned()];
        Traffic::new(api, Cast::new(7, people, "a".into()), None)
    }

    const TAKEN: (u16, &str) = (202, r#"{"id":"1"}"#);

    #[tokio::test]
    async fn what_the_bridge_cannot_take_now_is_sent_again() {
        let passing = [503, 500, 502, 429, 408, 409, 412, 425].map(|status| (status, "{}"));
        let (api, heard) = bridge([&passing[..], &[TAKEN, TAKEN]].concat()).await;
        let traffic = traffic(api);
        for _ in passing {
            traffic.beat().await.unwrap();
            assert_eq!(traffic.sent(), 0);
        }
        for sent in [1, 2] {
            traffic.beat().await.unwrap();
            assert_eq!(traffic.sent(), sent);
        }
        let heard = heard.await.unwrap();
        let (last, first) = heard.split_last().unwrap();
        assert!(first.iter().all(|it| *it == first[0]), "{first:#?}");
        assert_ne!(last["external_id"], first[0]["external_id"]);
        // Nobody listens any more.
        traffic.beat().await.unwrap();
        assert_eq!(traffic.sent(), 2);
    }

    #[tokio::test]
    async fn what_was_to_be_said_is_said_later_or_no_longer() {
        let answers = [
            TAKEN,
            (503, "{}"),
            TAKEN,
            (200, "{}"),
            (429, "{}"),
            TAKEN,
            (409, "{}"),
        ];
        let (api, heard) = bridge(answers.to_vec()).await;
        let traffic = traffic(api);
        let now = Instant::now();
        for what in ["one", "two"] {
            let said = (now, "1".to_owned(), json!({"status": what}));
            hold(&traffic.later).push_back(said);
        }
        for left in [2, 1, 0] {
            traffic.beat().await.unwrap();
            let due = hold(&traffic.later).iter().filter(|it| it.0 <= now).count();
            assert_eq!(due, left);
        }
        let said = heard.await.unwrap();
        let said: Vec<_> = said.iter().filter_map(|it| it["status"].as_str()).collect();
        assert_eq!(said, ["one", "one", "two", "two"]);
    }

    #[tokio::test]
    async fn what_trying_again_does_not_help_ends_the_demo() {
        let refusal = r#"{"title":"Not valid","detail":"The item is missing."}"#;
        for status in [400, 401, 403, 404, 413, 422] {
            let (api, _) = bridge(vec![(status, refusal)]).await;
            let failure = traffic(api).beat().await.unwrap_err();
            assert_eq!(failure.to_string(), "Not valid: The item is missing.");
        }
    }
}
