//! What one step of a budget costs Redis, by its own count of processor time: the more workers have a part in it, the more.

use std::time::Duration;

use anyhow::Context as _;
use shared::budget::{Class, Ledger as _, Quiet, RedisLedger, Report, Step, Want};
use shared::queue::{BrokerError, RedisOptions};

use crate::redis_server::RedisServer;

/// Workers that have a part in the budget.
const WORKERS: [u32; 5] = [1, 2, 10, 32, 100];
const STEPS: u32 = 10_000;

/// Measures against a Redis of its own; a line for each number of workers. Each has a connection of its own and takes one step after
/// the other, all of them at the same time.
pub async fn measure() -> anyhow::Result<String> {
    let redis = RedisServer::start();
    let mut lines = Vec::new();
    for workers in WORKERS {
        let ledgers = (0..workers).map(|_| ledger(&redis));
        let ledgers: Vec<RedisLedger> = ledgers.collect::<Result<_, _>>()?;
        let connection = format!("of-{workers}");
        all_take(&ledgers, &connection, 1).await;
        let before = processor_seconds(&redis)?;
        all_take(&ledgers, &connection, STEPS / workers).await;
        let used = processor_seconds(&redis)? - before;
        let each = used * 1_000_000.0 / f64::from(STEPS / workers * workers);
        lines.push(format!("{workers:>3} workers: {each:.1} µs a step"));
    }
    Ok(lines.join("\n"))
}

async fn all_take(ledgers: &[RedisLedger], connection: &str, steps: u32) {
    let all = ledgers.iter().zip(0..).map(|(ledger, worker)| async move {
        for _ in 0..steps {
            ledger.step(connection, step(worker)).await;
        }
    });
    futures::future::join_all(all).await;
}

fn ledger(redis: &RedisServer) -> Result<RedisLedger, BrokerError> {
    RedisLedger::new(RedisOptions {
        url: redis.url().into(),
        prefix: "steps".to_owned(),
        response_timeout: Duration::from_secs(5),
        sentinel: None,
    })
}

/// One call has ended, and one is wanted.
fn step(worker: u32) -> Step {
    let resource = "POST incident".to_owned();
    Step {
        now: 1_772_000_000_000,
        owner: format!("worker-{worker}-of-some-host"),
        until: 1_772_000_007_000,
        held: 0,
        reports: vec![Report::other(&resource)],
        wants: vec![Want {
            class: Class::Create,
            resource,
            count: 1,
            reserve: false,
        }],
        most: 256,
        reserve_percent: 10,
        quiet: Quiet::default(),
    }
}

fn processor_seconds(redis: &RedisServer) -> anyhow::Result<f64> {
    let told = redis.send("INFO cpu");
    let of = |name: &str| {
        let value = told.lines().find_map(|line| line.strip_prefix(name));
        let value = value.with_context(|| format!("Redis tells {name}"))?;
        anyhow::Ok(value.trim().parse::<f64>()?)
    };
    Ok(of("used_cpu_user:")? + of("used_cpu_sys:")?)
}
