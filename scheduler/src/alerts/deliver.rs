//! Sends the messages whose turn it is. A message is taken before it is sent and marked after: a process that dies in between leaves it
//! to whoever comes next, so that it arrives at least once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use rand::RngExt as _;
use shared::retry::{Attempted, Next, RetryPolicy, Waits};
use shared::store::StoreError;
use shared::store::alerts::messages::{self, Ended, Message};
use uuid::Uuid;

use super::{Letter, send};
use crate::Scheduler;

/// Messages of one round; they are sent at the same time, so that a destination that hangs costs the others no turn.
const ROUND: u64 = 20;
/// Whoever has taken a message gets this long beyond the timeout to mark it, before another one sends it.
const MARGIN: TimeDelta = TimeDelta::seconds(30);
/// Minutes between attempts; then it is given up.
const WAITS: [u64; 9] = [1, 2, 5, 15, 30, 60, 120, 360, 840];
/// For a bridge that was down in between.
const PATIENCE: Duration = Duration::from_hours(72);

/// One round. How many were taken by their destination.
pub async fn deliver(scheduler: &Scheduler) -> anyhow::Result<usize> {
    let due = messages::due(scheduler.store.conn(), ROUND, scheduler.now()).await?;
    let attempts = due.iter().map(|message| attempt(scheduler, message));
    let mut sent = 0;
    for ended in join_all(attempts).await {
        sent += usize::from(ended?);
    }
    Ok(sent)
}

async fn attempt(scheduler: &Scheduler, message: &Message) -> Result<bool, StoreError> {
    let conn = scheduler.store.conn();
    let settings = &scheduler.settings.alerts;
    let lease = TimeDelta::from_std(settings.timeout()).unwrap_or(MARGIN) + MARGIN;
    if !messages::take(conn, message, scheduler.now() + lease).await? {
        return Ok(false);
    }
    let Some(destination) = settings.destinations.get(&message.destination) else {
        let why = "the destination has left the configuration";
        messages::ended(conn, message.id, Ended::GivenUp, why, scheduler.now()).await?;
        return Ok(false);
    };
    let letter = Letter {
        id: id(message.id),
        subject: &message.subject,
        body: &message.body,
    };
    let answered = send(scheduler, destination, &letter).await;
    let now = scheduler.now();
    match &answered {
        Ok(answer) => messages::ended(conn, message.id, Ended::Sent, answer, now).await?,
        Err(why) => {
            let ended = again(message, now);
            tracing::warn!(
                alert = message.alert,
                destination = message.destination,
                error = why.as_str(),
                is_given_up = ended == Ended::GivenUp,
                "a message about an alert was not taken"
            );
            messages::ended(conn, message.id, ended, why, now).await?;
        }
    }
    Ok(answered.is_ok())
}

/// The same for each attempt: receivers tell repetitions by it.
fn id(message: Uuid) -> String {
    format!("msg_{}", message.simple())
}

fn again(message: &Message, now: DateTime<Utc>) -> Ended {
    let policy = RetryPolicy {
        max_attempts: u32::try_from(WAITS.len()).unwrap_or(u32::MAX) + 1,
        give_up_after: PATIENCE,
        waits: Waits::Schedule(WAITS.map(Duration::from_mins).to_vec()),
    };
    let next = policy.after(Attempted {
        attempts: message.attempts.unsigned_abs() + 1,
        first_started_at: message.created_at,
        now,
        at_least: None,
        jitter: rand::rng().random_range(0.0..=1.0),
    });
    match next {
        Next::Due(at) => Ended::Again(at),
        Next::Dead(_) => Ended::GivenUp,
    }
}
