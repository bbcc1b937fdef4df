//! Calls the instance makes itself when tickets change (wire contract 13): a hint that is sent
//! once and may get lost, come twice, late or in another order. Plain HTTP only.

mod plan;
mod send;

use std::collections::BTreeMap;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::lock::hold;
use crate::sim::Sim;

/// Where changes are told to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookTarget {
    /// `http://host[:port]/path`
    pub url: String,
    /// Headers of every call, a shared secret for instance.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Tables whose changes are told; all tasks when empty.
    #[serde(default)]
    pub tables: Vec<String>,
}

/// What became of the calls so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WebhookCounts {
    /// Answered with a status below 400.
    pub delivered: u64,
    /// Refused or not answered; nobody tries again.
    pub failed: u64,
    /// Lost by the `webhook.drop` knob.
    pub dropped: u64,
    /// Planned and not sent yet.
    pub waiting: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Webhooks {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    target: Option<WebhookTarget>,
    counts: WebhookCounts,
}

impl Webhooks {
    pub(crate) fn target(&self) -> Option<WebhookTarget> {
        hold(&self.state).target.clone()
    }

    pub(crate) fn counts(&self) -> WebhookCounts {
        hold(&self.state).counts
    }

    /// Something may have changed.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    fn count(&self, change: impl FnOnce(&mut WebhookCounts)) {
        change(&mut hold(&self.state).counts);
    }
}

/// Sets or removes the target; what changed before is not told.
pub(crate) fn set_target(sim: &Sim, target: Option<WebhookTarget>) {
    drop(hold(&sim.world).take_changes());
    hold(&sim.webhooks.state).target = target;
    sim.webhooks.wake();
}

/// A call that will be made.
#[derive(Debug)]
struct Planned {
    due: DateTime<Utc>,
    body: String,
}

/// Makes the calls as they become due. Never ends.
pub(crate) async fn run(sim: &Sim) {
    let mut dice = sim.fork_dice();
    let mut planned: Vec<Planned> = Vec::new();
    loop {
        if let Some(target) = sim.webhooks.target() {
            plan::changes(sim, &target, &mut dice, &mut planned);
            while let Some(next) = take_due(&mut planned, sim.clock.now()) {
                let delivered = send::post(&target, &next.body).await;
                sim.webhooks.count(|counts| match delivered {
                    Ok(status) if status < 400 => counts.delivered += 1,
                    _ => counts.failed += 1,
                });
            }
        } else {
            planned.clear();
        }
        let waiting = u64::try_from(planned.len()).unwrap_or(u64::MAX);
        sim.webhooks.count(|counts| counts.waiting = waiting);
        let next = planned.iter().map(|call| call.due).min();
        tokio::select! {
            () = sim.webhooks.wake.notified() => {}
            () = until(sim, next) => {}
        }
    }
}

fn take_due(planned: &mut Vec<Planned>, now: DateTime<Utc>) -> Option<Planned> {
    let due = planned
        .iter()
        .enumerate()
        .filter(|(_, call)| call.due <= now);
    let (first, _) = due.min_by_key(|(index, call)| (call.due, *index))?;
    Some(planned.remove(first))
}

async fn until(sim: &Sim, due: Option<DateTime<Utc>>) {
    match due {
        None => std::future::pending().await,
        Some(due) => {
            let span = (due - sim.clock.now()).to_std().unwrap_or_default();
            sim.clock.sleep(span).await;
        }
    }
}
