//! The identity system: sends requests at a steady rate and says things about them, each until it is answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::agent::Agent;
use super::installation::Installation;
use super::plan::Plan;

/// How long the identity system waits before it sends something once more.
const AGAIN: Duration = Duration::from_millis(700);

/// The flow while it lasts.
pub(super) struct Flow {
    source: Agent,
    lives: Arc<Mutex<Vec<JoinHandle<Sent>>>>,
}

/// What became of a plan.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) plan: Plan,
    /// The id by which it was taken; `None` when it never was.
    pub(super) id: Option<String>,
    /// How many of its sayings were taken.
    pub(super) said: usize,
    /// What was refused for good, and should not have been.
    pub(super) refusals: Vec<String>,
}

/// Starts sending.
pub(super) fn start(it: &Arc<Installation>, seed: u64, per_minute: u32) -> Flow {
    let lives = Arc::new(Mutex::default());
    let (it, all) = (Arc::clone(it), Arc::clone(&lives));
    let source = Agent::start(move |stop| async move {
        send(&it, seed, per_minute, &all, &stop).await;
    });
    Flow { source, lives }
}

async fn send(
    it: &Arc<Installation>,
    seed: u64,
    per_minute: u32,
    lives: &Mutex<Vec<JoinHandle<Sent>>>,
    stop: &CancellationToken,
) {
    let tasks = TaskTracker::new();
    let mut beat = interval(Duration::from_mins(1) / per_minute.max(1));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0.. {
        if stop.run_until_cancelled(beat.tick()).await.is_none() {
            return;
        }
        let life = live(Arc::clone(it), Plan::of(seed, number), number);
        let life = tasks.spawn(life);
        lives
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(life);
    }
}

impl Flow {
    /// Sends nothing new, and waits until all that was begun is said.
    pub(super) async fn end(self, patience: Duration) -> Vec<Sent> {
        self.source.end().await;
        let lives = std::mem::take(&mut *self.lives.lock().unwrap_or_else(PoisonError::into_inner));
        let mut sent = Vec::new();
        for life in lives {
            // Whoever never got an answer is missing from the result, and counted as lost.
            if let Ok(Ok(done)) = timeout(patience, life).await {
                sent.push(done);
            }
        }
        sent
    }
}

/// One request: sent until it is taken, then talked about.
async fn live(it: Arc<Installation>, plan: Plan, number: u64) -> Sent {
    let mut caller = Caller {
        it: &it,
        turn: usize::try_from(number).unwrap_or_default(),
    };
    let mut sent = Sent {
        plan,
        id: None,
        said: 0,
        refusals: Vec::new(),
    };
    let body = sent.plan.body();
    match caller.insist("/v1/requests", &body, None).await {
        Ok(answer) => sent.id = answer["id"].as_str().map(str::to_owned),
        Err(refusal) => sent.refusals.push(refusal),
    }
    let Some(id) = sent.id.clone() else {
        return sent;
    };
    for (number, saying) in sent.plan.sayings.clone().iter().enumerate() {
        sleep(Duration::from_secs(saying.after)).await;
        let key = format!("{}-{number}", sent.plan.external_id);
        if saying.with_ticket {
            caller.until_ticket(&id).await;
        }
        let path = format!("/v1/requests/{id}/status");
        match caller.insist(&path, &saying.body, Some(&key)).await {
            Ok(_) => sent.said += 1,
            Err(refusal) => sent.refusals.push(refusal),
        }
    }
    // An ended request takes no more remarks, so people begin when everything is said.
    it.taken(&id, sent.plan.fate);
    sent
}

/// Turns to the other scheduler whenever one does not answer.
struct Caller<'a> {
    it: &'a Installation,
    turn: usize,
}

impl Caller<'_> {
    /// Posts until there is an answer. `Err`: a refusal that repeating does not mend.
    async fn insist(
        &mut self,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Result<Value, String> {
        loop {
            if let Some((status, answer)) = self.post(path, body, key).await {
                match status {
                    200..300 => return Ok(answer),
                    429 | 500.. => {}
                    _ => return Err(format!("{status} to {body}: {answer}")),
                }
            }
            self.turn += 1;
            sleep(AGAIN).await;
        }
    }

    /// Asks until the request has a ticket.
    async fn until_ticket(&mut self, id: &str) {
        loop {
            let call = self.call(Method::GET, &format!("/v1/requests/{id}"));
            match self.answer(call).await {
                Some((_, request)) if request["ticket"]["number"].is_string() => return,
                Some(_) => {}
                None => self.turn += 1,
            }
            sleep(AGAIN).await;
        }
    }

    async fn post(&self, path: &str, body: &Value, key: Option<&str>) -> Option<(u16, Value)> {
        let mut call = self.call(Method::POST, path).json(body);
        if let Some(key) = key {
            call = call.header("Idempotency-Key", key);
        }
        self.answer(call).await
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let schedulers = self.it.schedulers();
        let scheduler = schedulers[self.turn % schedulers.len()];
        self.it
            .http
            .request(method, format!("{}{path}", scheduler.url))
    }

    async fn answer(&self, call: RequestBuilder) -> Option<(u16, Value)> {
        let answer = call.bearer_auth(&self.it.token).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }
}
