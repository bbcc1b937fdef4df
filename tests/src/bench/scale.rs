//! What more workers and schedulers bring on this machine.

use std::fmt::{self, Display, Formatter};

use super::bridge::{Bridge, NO_POLLS, Plan, Setup};
use super::creates::{self, Measured};
use super::report::details;
use super::upstream::Upstream;
use crate::terminal;

/// Latencies of the upstream, in milliseconds: one at which the processors are the limit, one at which waiting is.
const LATENCIES: [u32; 2] = [0, 50];

/// One latency and one concurrency; one of each comes first.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    latency: u32,
    concurrency: usize,
    first: Measured,
    others: Vec<Spread>,
}

#[derive(Debug, Clone)]
struct Spread {
    schedulers: usize,
    workers: usize,
    measured: Measured,
}

/// Takes `requests` in by so many processes, at every latency and concurrency (of all workers together).
pub(super) async fn measure(
    workers: &[usize],
    schedulers: &[usize],
    concurrency: &[usize],
    requests: usize,
) -> anyhow::Result<Vec<Scale>> {
    let pairs = schedulers
        .iter()
        .flat_map(|schedulers| workers.iter().map(|workers| (*schedulers, *workers)));
    let pairs: Vec<(usize, usize)> = pairs.filter(|pair| *pair != (1, 1)).collect();
    let mut all = Vec::new();
    for latency in LATENCIES {
        let upstream = Upstream::start(latency)?;
        for concurrency in concurrency.iter().copied() {
            let mut scale = Scale {
                latency,
                concurrency,
                first: spread(&upstream, (1, 1), concurrency, requests).await?,
                others: Vec::with_capacity(pairs.len()),
            };
            for pair in &pairs {
                scale.others.push(Spread {
                    schedulers: pair.0,
                    workers: pair.1,
                    measured: spread(&upstream, *pair, concurrency, requests).await?,
                });
            }
            all.push(scale);
        }
    }
    Ok(all)
}

async fn spread(
    upstream: &Upstream,
    (schedulers, workers): (usize, usize),
    concurrency: usize,
    requests: usize,
) -> anyhow::Result<Measured> {
    terminal::say(&format!(
        "schedulers: {schedulers}, workers: {workers}, {concurrency} at a time"
    ));
    let plan = Plan {
        setup: Setup::Spread {
            schedulers,
            workers,
        },
        upstream: &upstream.url(),
        concurrency,
        poll_seconds: NO_POLLS,
    };
    let bridge = Bridge::start(&plan).await?;
    creates::measure(&bridge, requests, concurrency).await
}

impl Display for Scale {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nmore processes, upstream {} ms, {} at a time over all workers",
            self.latency, self.concurrency
        )?;
        line(f, (1, 1), &self.first, &self.first)?;
        for other in &self.others {
            let pair = (other.schedulers, other.workers);
            line(f, pair, &other.measured, &self.first)?;
        }
        Ok(())
    }
}

fn line(
    f: &mut Formatter<'_>,
    (schedulers, workers): (usize, usize),
    measured: &Measured,
    first: &Measured,
) -> fmt::Result {
    let name = format!("schedulers: {schedulers}, workers: {workers}");
    writeln!(
        f,
        "  {name:<43} {:>7.0}/s   {:>5.1} % of one of each, {:.1} % of its processor time",
        measured.per_second,
        measured.per_second / first.per_second * 100.0,
        measured.all_processors() / first.all_processors() * 100.0,
    )?;
    details(f, measured)
}
