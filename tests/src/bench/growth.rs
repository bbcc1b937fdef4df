//! What creates cost with a past of so many finished requests in PostgreSQL.

use std::fmt::{self, Display, Formatter};

use sea_orm::ConnectionTrait as _;
use shared::store::Store;

use super::bridge::{Bridge, NO_POLLS, Plan, Setup};
use super::creates::{self, Measured};
use super::report::details;
use super::upstream::Upstream;
use crate::databases::{Flavour, Template};
use crate::past::{self, Past};
use crate::terminal;

const CONCURRENCY: usize = 64;
/// Every size is measured so often, the sizes in turn: a machine that slows down meanwhile shows.
const ROUNDS: usize = 2;

/// What was measured over each past.
#[derive(Debug, Clone)]
pub(super) struct Growth(Vec<OfSize>);

#[derive(Debug, Clone)]
struct OfSize {
    finished: usize,
    rounds: Vec<Measured>,
}

/// Takes `requests` in over each size of past.
pub(super) async fn measure(sizes: &[usize], requests: usize) -> anyhow::Result<Growth> {
    let upstream = Upstream::start(0)?;
    let mut filled = Vec::new();
    for finished in sizes {
        terminal::say(&format!("filling in {finished} finished requests"));
        let past = Past::of(*finished);
        let fill = async |store: &Store| past::fill(store.conn(), &past, &[]).await;
        filled.push(Template::make(Flavour::Postgres, fill).await);
    }
    let mut growth: Vec<OfSize> = sizes.iter().map(|size| OfSize::new(*size)).collect();
    for round in 1..=ROUNDS {
        for (of_size, template) in growth.iter_mut().zip(&filled) {
            let finished = of_size.finished;
            terminal::say(&format!("over {finished} finished requests, round {round}"));
            of_size
                .rounds
                .push(over(template, &upstream, requests).await?);
        }
    }
    Ok(Growth(growth))
}

async fn over(
    template: &Template,
    upstream: &Upstream,
    requests: usize,
) -> anyhow::Result<Measured> {
    let plan = Plan {
        setup: Setup::ONE_OF_EACH,
        upstream: &upstream.url(),
        concurrency: CONCURRENCY,
        poll_seconds: NO_POLLS,
    };
    let database = template.copy().await;
    // What the copy has left to be written is not the creates' to wait for.
    let conn = database.store.conn();
    conn.execute_unprepared("CHECKPOINT").await?;
    let bridge = Bridge::over(&plan, Some(database)).await?;
    creates::measure(&bridge, requests, CONCURRENCY).await
}

impl OfSize {
    fn new(finished: usize) -> Self {
        Self {
            finished,
            rounds: Vec::with_capacity(ROUNDS),
        }
    }

    /// A figure of every round.
    fn figures(&self, figure: impl Fn(&Measured) -> f64) -> Vec<f64> {
        self.rounds.iter().map(figure).collect()
    }
}

impl Display for Growth {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.0.split_first() else {
            return Ok(());
        };
        writeln!(
            f,
            "\ncreates over a past in PostgreSQL, upstream 0 ms, {CONCURRENCY} at a time"
        )?;
        for other in others {
            writeln!(
                f,
                "  {} finished requests beside {}; at most 10 % apart is the aim",
                other.finished, first.finished
            )?;
            compare(f, "creates a second", first, other, |it| it.per_second)?;
            compare(f, "processor time of postgres", first, other, |it| {
                it.processor("postgres")
            })?;
            compare(
                f,
                "processor time of all but the producer",
                first,
                other,
                Measured::all_processors,
            )?;
        }
        for of_size in &self.0 {
            for measured in &of_size.rounds {
                let name = format!("{} finished", of_size.finished);
                writeln!(f, "  {name:<43} {:>7.0}/s", measured.per_second)?;
                details(f, measured)?;
            }
        }
        Ok(())
    }
}

/// The mean of the rounds, then round by round.
fn compare(
    f: &mut Formatter<'_>,
    name: &str,
    first: &OfSize,
    other: &OfSize,
    figure: impl Fn(&Measured) -> f64,
) -> fmt::Result {
    let (of_first, of_other) = (first.figures(&figure), other.figures(&figure));
    let share = of_other.iter().sum::<f64>() / of_first.iter().sum::<f64>() * 100.0;
    let pairs = of_other.iter().zip(&of_first);
    let rounds: Vec<String> = pairs
        .map(|(other, first)| format!("{:.1}", other / first * 100.0))
        .collect();
    writeln!(
        f,
        "    {name:<41} {share:>7.1} % (by round {})",
        rounds.join(", ")
    )
}
