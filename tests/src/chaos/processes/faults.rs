//! Does to the installation what the script says.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use simulator::{Hibernate, Knobs, Semaphore};
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use super::freeze;
use super::installation::Installation;
use super::member::Member;
use super::script::{Fault, Step};
use super::weather;
use crate::terminal;

/// What was done, and what frozen workers wrote when they woke.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) struck: BTreeMap<Fault, u64>,
    pub(super) zombie_writes: Vec<String>,
    /// Processes that did not end well when they were asked to stop.
    pub(super) unclean_stops: Vec<String>,
}

/// Plays the script; the run lasts for `length` even where the script is over sooner.
pub(super) async fn play(it: &Installation, script: &[Step], length: Duration) -> Log {
    let end = Instant::now() + length;
    let mut log = Log::default();
    for step in script {
        sleep(step.pause).await;
        if Instant::now() >= end {
            return log;
        }
        terminal::say(&format!(
            "{} ({} s)",
            step.fault.name(),
            step.length.as_secs()
        ));
        strike(it, step, &mut log).await;
        *log.struck.entry(step.fault).or_default() += 1;
    }
    tokio::time::sleep_until(end).await;
    log
}

async fn strike(it: &Installation, step: &Step, log: &mut Log) {
    let (length, target) = (step.length, step.target);
    match step.fault {
        Fault::WorkerKilled => block_in_place(|| chosen(&it.workers(), target).kill()),
        Fault::SchedulerKilled => block_in_place(|| chosen(&it.schedulers(), target).kill()),
        Fault::WorkerFrozen => {
            let worker = chosen(&it.workers(), target);
            log.zombie_writes
                .extend(freeze::worker(it, worker, length).await);
        }
        Fault::SchedulerFrozen => freeze::scheduler(chosen(&it.schedulers(), target), length).await,
        Fault::EveryProcessRolled => roll(it, log),
        Fault::RedisRestarted | Fault::RedisRestartedEmpty => {
            redis_away(it, length, step.fault == Fault::RedisRestartedEmpty).await;
        }
        Fault::RedisFlushed => {
            block_in_place(|| it.redis().send("FLUSHALL"));
        }
        Fault::RedisFull => {
            block_in_place(|| it.redis().send("CONFIG SET maxmemory 1"));
            sleep(length).await;
            block_in_place(|| it.redis().send("CONFIG SET maxmemory 0"));
        }
        Fault::PostgresRestarted => {
            block_in_place(|| it.postgres().kill());
            sleep(length).await;
            block_in_place(|| it.postgres().restart());
        }
        Fault::DatabaseLineCut
        | Fault::RedisLineCut
        | Fault::ServiceNowLineCut
        | Fault::AllLinesCut => cut(it, step).await,
        _ => instance(it, step).await,
    }
}

fn chosen<'a>(members: &[&'a Member], target: usize) -> &'a Member {
    members[target % members.len()]
}

fn roll(it: &Installation, log: &mut Log) {
    for member in &it.members {
        let code = block_in_place(|| member.roll());
        if code != Some(0) {
            log.unclean_stops
                .push(format!("{} with {code:?}", member.name));
        }
    }
}

async fn redis_away(it: &Installation, length: Duration, empty: bool) {
    block_in_place(|| it.redis().kill());
    sleep(length).await;
    block_in_place(|| {
        let mut redis = it.redis();
        if empty {
            redis.forget();
        }
        redis.restart();
    });
}

async fn cut(it: &Installation, step: &Step) {
    let one = match step.fault {
        Fault::ServiceNowLineCut => chosen(&it.workers(), step.target),
        _ => &it.members[step.target % it.members.len()],
    };
    let lines = &one.lines;
    let cut = match step.fault {
        Fault::DatabaseLineCut => vec![&lines.database],
        Fault::RedisLineCut => vec![&lines.redis],
        Fault::ServiceNowLineCut => vec![&lines.servicenow],
        _ => it
            .members
            .iter()
            .flat_map(|it| [&it.lines.database, &it.lines.redis, &it.lines.servicenow])
            .collect(),
    };
    for line in &cut {
        line.cut();
    }
    sleep(step.length).await;
    for line in cut {
        line.mend();
    }
}

/// What the instance, or the receiver of callbacks, does wrong.
async fn instance(it: &Installation, step: &Step) {
    let lost = json!({"connection_drop": {"when": "after_commit"}});
    match step.fault {
        Fault::RateLimited => {
            let body = r#"{"error":{"message":"Rate limit exceeded","detail":"Rate limit of 100 requests per hour exceeded"},"status":"failure"}"#;
            let canned = json!({"canned": {"status": 429, "content_type": "application/json",
                "headers": {"Retry-After": "4"}, "body": body}});
            weather::strike(it, "*", 3, &canned);
        }
        Fault::BodiesCut => {
            let cut = json!({"connection_drop": {"when": "mid_body"}});
            weather::strike(it, "*", 6, &cut);
            weather::strike(it, "GET", 2, &json!({"truncate_over_bytes": 40}));
        }
        Fault::AnswersLost => {
            weather::strike(it, "POST", 4, &lost);
            weather::strike(it, "PATCH", 4, &lost);
        }
        Fault::CommittedButRefused => {
            weather::strike(it, "POST", 4, &json!({"post_commits_then_500": 1.0}));
        }
        Fault::Hibernating => it.simulator.set_knobs(|knobs| {
            knobs.hibernate = Some(Hibernate {
                html: 1,
                bad_gateway: 1,
            });
        }),
        Fault::TokensRevoked => it.simulator.revoke_tokens(),
        Fault::ReceiverAway => (0..8).for_each(|_| it.receiver.plan(503, &[])),
        Fault::SemaphoreFull => {
            let full = Semaphore {
                permits: 1,
                queue: 0,
            };
            changed(it, step.length, |knobs| {
                knobs.semaphore = Some(full);
                knobs.latency_ms = 800;
            })
            .await;
        }
        Fault::WritesSeenLate => {
            changed(it, step.length, |knobs| knobs.visible_delay_ms = 2_500).await;
        }
        Fault::ClockSkewed => changed(it, step.length, |knobs| knobs.clock_skew_s = 170).await,
        Fault::Slow => changed(it, step.length, |knobs| knobs.latency_ms = 2_000).await,
        _ => {}
    }
}

/// Changes the knobs for a while.
async fn changed(it: &Installation, length: Duration, change: impl FnOnce(&mut Knobs)) {
    let before = it.simulator.knobs();
    it.simulator.set_knobs(change);
    sleep(length).await;
    it.simulator.set_knobs(|knobs| {
        let asleep = knobs.hibernate;
        *knobs = Knobs {
            hibernate: asleep,
            ..before
        };
    });
}
