//! How fast the bridge is beside what cannot be beaten: the same upstream under `wrk`, a loop without any state, and the database
//! alone. All of it in one run, because a time means nothing on another machine or at another moment.

use anyhow::ensure;

use crate::chaos::terminal;

mod bare_loop;
mod bridge;
mod database_floor;
mod idle;
mod processors;
mod report;
mod upstream;
mod wrk;

use bridge::Setup;
use report::{Round, Table};
use upstream::Upstream;

/// Options of the bench.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "cargo xtask bench")]
pub struct Arguments {
    /// Requests of each measurement.
    #[arg(long, default_value_t = 20_000)]
    pub requests: usize,
    /// Latencies of the upstream, in milliseconds.
    #[arg(long, value_delimiter = ',', default_value = "0,5,50")]
    pub latencies: Vec<u32>,
    /// Calls at a time.
    #[arg(long, value_delimiter = ',', default_value = "64,256")]
    pub concurrency: Vec<usize>,
    /// Requests of which the idle latency is taken.
    #[arg(long, default_value_t = 300)]
    pub idle: usize,
    /// Leaves out `ticketbridge up` on SQLite.
    #[arg(long)]
    pub without_embedded: bool,
}

/// Measures everything; the table for people.
pub async fn run(arguments: &Arguments) -> anyhow::Result<String> {
    ensure!(arguments.requests >= 1_000, "at least 1000 requests");
    // Fails when a provider is installed already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut table = Table {
        commits: database_floor::commits_per_second()?,
        ..Table::default()
    };
    for latency in &arguments.latencies {
        let upstream = Upstream::start(*latency)?;
        for concurrency in &arguments.concurrency {
            terminal::say(&format!("{latency} ms, {concurrency} at a time"));
            table
                .rounds
                .push(round(arguments, &upstream, *latency, *concurrency).await?);
        }
    }
    if arguments.idle > 0 {
        terminal::say("idle latency");
        table.idle = Some(idle::measure(arguments.idle).await?);
    }
    Ok(table.to_string())
}

/// The loop is measured before and after the bridge, so that a machine that slows down meanwhile shows.
async fn round(
    arguments: &Arguments,
    upstream: &Upstream,
    latency: u32,
    concurrency: usize,
) -> anyhow::Result<Round> {
    let requests = arguments.requests;
    let wrk = wrk::requests_per_second(upstream, concurrency)?;
    let before = bare_loop::per_second(upstream, requests, concurrency).await?;
    let bridge = bridge::measure(Setup::Spread, upstream, requests, concurrency).await?;
    let after = bare_loop::per_second(upstream, requests, concurrency).await?;
    let embedded = if arguments.without_embedded {
        None
    } else {
        Some(bridge::measure(Setup::Embedded, upstream, requests, concurrency).await?)
    };
    Ok(Round {
        latency,
        concurrency,
        wrk,
        loops: [before, after],
        bridge,
        embedded,
    })
}
