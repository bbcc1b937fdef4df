//! What happens to a call, in order: faults of the road, authentication, session, rate limit,
//! semaphore, quota, the work itself, and the faults that spoil a finished answer.

use std::sync::Arc;
use std::time::Duration;

use super::answer::Answer;
use super::call::Call;
use super::rate::Ruling;
use super::{headers, media, routes, spoil, storm};
use crate::auth;
use crate::batch;
use crate::faults::Traits;
use crate::knobs::Knobs;
use crate::lock::hold;
use crate::log::CallRecord;
use crate::sim::Sim;
use crate::world::Actor;

/// How a call ends.
#[derive(Debug)]
pub(crate) enum Ending {
    Answer(Answer),
    /// The connection is cut before any byte.
    Cut,
    /// The connection is cut after so many bytes of the body.
    CutAt(Answer, usize),
}

/// Works on one call from its arrival to its ending, and logs it.
pub(crate) async fn handle(sim: &Sim, call: Call) -> Ending {
    sim.tick();
    let claimed = auth::claimed_user(sim, &call);
    let table = call.table();
    let number = sim
        .log
        .open(record(sim, &call, table.as_deref(), claimed.as_deref()));
    let traits = Traits {
        table: table.as_deref(),
        user: claimed.as_deref(),
        method: &call.method,
        path: &call.path,
    };
    let knobs = hold(&sim.board).strike(&traits);
    let ending = match storm::strike(sim, &knobs, &call) {
        Some(ending) => ending,
        None => spoil::ending(sim, &knobs, &call, work(sim, &knobs, &call).await),
    };
    let ending = headers::decorate(sim, &knobs, ending);
    let status = match &ending {
        Ending::Answer(answer) | Ending::CutAt(answer, _) => answer.status,
        Ending::Cut => 0,
    };
    sim.log.amend(number, |record| record.status = Some(status));
    sim.webhooks.wake();
    ending
}

fn record(sim: &Sim, call: &Call, table: Option<&str>, user: Option<&str>) -> CallRecord {
    let params = call.params();
    let query = params
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&");
    CallRecord {
        number: 0,
        at: sim.clock.now(),
        method: call.method.clone(),
        path: call.path.clone(),
        query,
        table: table.map(str::to_owned),
        user: user.map(str::to_owned),
        kind: routes::kind(call),
        status: None,
    }
}

/// Everything behind the road: gives an answer whatever happens.
async fn work(sim: &Sim, knobs: &Arc<Knobs>, call: &Call) -> Answer {
    if call.path.starts_with("/oauth_") {
        return auth::endpoint(sim, knobs, call);
    }
    let caller = match auth::authenticate(sim, knobs, call) {
        Ok(caller) => caller,
        Err(refusal) => return refusal.answer(),
    };
    let session = call
        .cookie("JSESSIONID")
        .and_then(|id| Some((id, sim.sessions.find(id, sim.clock.now())?)));
    let life = Duration::from_secs(knobs.session_timeout_s);
    let answer = if let Some((id, (_, lane))) = session {
        let queue = knobs.session_queue.unwrap_or(u32::MAX);
        let Some(_slot) = lane.enter(queue, sim.clock.now()).await else {
            return Answer::empty(202).with("Content-Length", "0");
        };
        sim.sessions.touch(id, sim.clock.now(), life);
        ruled(sim, knobs, &caller, call).await
    } else {
        let answer = ruled(sim, knobs, &caller, call).await;
        let mut dice = hold(&sim.dice);
        sim.sessions
            .open(&caller.user_name, sim.clock.now(), life, &mut dice, answer)
    };
    answer.with("X-Is-Logged-In", "true")
}

async fn ruled(sim: &Sim, knobs: &Arc<Knobs>, caller: &Actor, call: &Call) -> Answer {
    let ruling: Option<Ruling> = knobs
        .rate_limit
        .map(|limit| sim.rates.count(limit, &caller.user_name, sim.clock.now()));
    let answer = match ruling {
        Some(ruling) if ruling.exceeded => ruling.refuse(routes::api_name(call)),
        _ => gated(sim, knobs, caller, call).await,
    };
    match ruling {
        Some(ruling) => ruling.mark(answer),
        None => answer,
    }
}

async fn gated(sim: &Sim, knobs: &Arc<Knobs>, caller: &Actor, call: &Call) -> Answer {
    let Ok(_pass) = sim.gate.enter(knobs.semaphore).await else {
        return Answer::html(429, "");
    };
    let quota = quota(knobs, call);
    let latency = if call.path.ends_with("/batch") {
        batch::span(knobs, call)
    } else {
        Duration::from_millis(knobs.latency_ms)
    };
    let over = quota.is_some_and(|quota| latency > quota);
    let span = quota.filter(|_| over).unwrap_or(latency);
    if !span.is_zero() {
        sim.clock.sleep(span).await;
        sim.tick();
    }
    let answer = match media::check(call) {
        Ok(()) => routes::answer(sim, knobs, caller, call),
        Err(refusal) => refusal.answer(),
    };
    if over {
        spoil::over_quota(knobs, answer)
    } else {
        answer
    }
}

fn quota(knobs: &Knobs, call: &Call) -> Option<Duration> {
    let quota = knobs.quota_s?;
    let is_batch = call.path.ends_with("/batch");
    Some(Duration::from_secs(if is_batch {
        quota.batch
    } else {
        quota.table
    }))
}
