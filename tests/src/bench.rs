//! How fast the bridge is beside what cannot be beaten: the same upstream under `wrk`, a loop without any state, and the database
//! alone. All of it in one run, because a time means nothing on another machine or at another moment.

use anyhow::ensure;

use crate::terminal;

mod bare_loop;
mod bridge;
mod creates;
mod database_floor;
mod growth;
mod idle;
mod lists;
mod polling;
mod processors;
mod report;
mod scale;
mod settings;
mod upstream;
mod wrk;

use bridge::{Bridge, NO_POLLS, Plan, Setup};
use creates::Measured;
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
    /// Measures creates once more with so many finished requests in PostgreSQL, whose statistics are of a bridge at rest, and
    /// compares each size with the first (such as 0,10000,1000000).
    #[arg(long, value_delimiter = ',', value_name = "REQUESTS")]
    pub growth: Vec<usize>,
    /// Measures what each list and search of operators takes with so many finished requests in PostgreSQL (such as 1000000).
    #[arg(long, value_name = "REQUESTS")]
    pub lists: Option<usize>,
    /// Measures what polling a simulated instance costs with so many open tickets, of which 1 % change each minute: calls,
    /// processors, and how late changes are stored (such as 100000). Takes some minutes.
    #[arg(long, value_name = "TICKETS")]
    pub polling: Option<usize>,
    /// How often `--polling` asks for changes, in seconds.
    #[arg(long, default_value_t = 30)]
    pub poll_seconds: u32,
    /// Measures creates once more with so many worker processes, each with every number of schedulers, at 0 and 50 ms, and
    /// compares with one of each (such as 1,2,4).
    #[arg(long, value_delimiter = ',', value_name = "PROCESSES")]
    pub workers: Vec<usize>,
    /// The same with so many schedulers, each with every number of workers; intake calls are spread over them (such as 1,2).
    #[arg(long, value_delimiter = ',', value_name = "PROCESSES")]
    pub schedulers: Vec<usize>,
}

/// Measures everything; the table for people.
pub async fn run(arguments: &Arguments) -> anyhow::Result<String> {
    ensure!(arguments.requests >= 1_000, "at least 1000 requests");
    let processes = arguments.workers.iter().chain(&arguments.schedulers);
    ensure!(
        processes.min() != Some(&0),
        "at least one worker and one scheduler"
    );
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
    more(arguments, &mut table).await?;
    Ok(table.to_string())
}

/// What is measured only when it is asked for.
async fn more(arguments: &Arguments, table: &mut Table) -> anyhow::Result<()> {
    let requests = arguments.requests;
    if !arguments.growth.is_empty() {
        table.growth = Some(growth::measure(&arguments.growth, requests).await?);
    }
    if let Some(finished) = arguments.lists {
        table.lists = Some(lists::measure(finished).await?);
    }
    if let Some(tickets) = arguments.polling {
        table.polling = Some(polling::measure(tickets, arguments.poll_seconds).await?);
    }
    let (workers, schedulers) = (or_one(&arguments.workers), or_one(&arguments.schedulers));
    if arguments.workers.len() + arguments.schedulers.len() > 0 {
        table.scale = scale::measure(workers, schedulers, &arguments.concurrency, requests).await?;
    }
    Ok(())
}

/// The numbers of processes; one when only those of the other kind are given.
fn or_one(numbers: &[usize]) -> &[usize] {
    if numbers.is_empty() { &[1] } else { numbers }
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
    let bridge = creates(Setup::ONE_OF_EACH, upstream, requests, concurrency).await?;
    let after = bare_loop::per_second(upstream, requests, concurrency).await?;
    let embedded = if arguments.without_embedded {
        None
    } else {
        Some(creates(Setup::Embedded, upstream, requests, concurrency).await?)
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

async fn creates(
    setup: Setup,
    upstream: &Upstream,
    requests: usize,
    concurrency: usize,
) -> anyhow::Result<Measured> {
    let plan = Plan {
        setup,
        upstream: &upstream.url(),
        concurrency,
        poll_seconds: NO_POLLS,
    };
    let bridge = Bridge::start(&plan).await?;
    creates::measure(&bridge, requests, concurrency).await
}
