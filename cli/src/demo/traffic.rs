//! The identity side: sends requests, and later withdraws, approves or fulfils some of them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use shared::process::Process;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cast::{Cast, Plan};
use super::stage::Stage;
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
    stage: Arc<Stage>,
    cast: Mutex<Cast>,
    limit: Option<u32>,
    sent: AtomicU32,
    /// What the identity side will say, when, about which request.
    later: Mutex<VecDeque<(Instant, String, Value)>>,
}

impl Traffic {
    pub(super) fn new(stage: &Arc<Stage>, seed: u64, limit: Option<u32>) -> Self {
        let cast = Mutex::new(Cast::new(seed, stage.people(), seed.to_string()));
        Self {
            stage: Arc::clone(stage),
            cast,
            limit,
            sent: AtomicU32::new(0),
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
        let nothing_left = self
            .later
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty();
        if all && nothing_left {
            Progress::AllSent
        } else {
            Progress::Sending
        }
    }

    async fn send_one(&self) -> Result<(), Failure> {
        let (request, plan) = self
            .cast
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next();
        let taken = self.stage.api.post("/v1/requests", &request).await?;
        let id = taken["id"].as_str().unwrap_or_default().to_owned();
        let now = Instant::now();
        let say = |after: u64, body: Value| (now + Duration::from_millis(after), id.clone(), body);
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
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
            match self
                .stage
                .api
                .post(&format!("/v1/requests/{id}/status"), &body)
                .await
            {
                Ok(_) | Err(Failure::Refused(_)) => {}
                Err(failure) => return Err(failure),
            }
            self.later
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .retain(|(_, other, what)| *other != id || *what != body);
        }
        Ok(())
    }

    fn due(&self) -> Option<(String, Value)> {
        let later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
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
        let round = async {
            if traffic.limit.is_none_or(|limit| traffic.sent() < limit) {
                traffic.send_one().await?;
            }
            traffic.speak().await
        };
        let done = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            done = round => done,
        };
        done.map_err(|failure: Failure| anyhow::anyhow!("the demo could not send: {failure}"))?;
    }
}
