//! What the lists and searches of operators take over so many finished requests in PostgreSQL.

use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

use anyhow::ensure;
use shared::store::Store;

use super::bridge::{Bridge, NO_POLLS, Plan, Setup};
use super::upstream::Upstream;
use crate::databases::{Flavour, Template};
use crate::looks::LOOKS;
use crate::past::{self, Past};
use crate::terminal;

/// Each is asked so often.
const TIMES: usize = 7;
/// What none may take at the server.
const AIM: Duration = Duration::from_millis(200);
/// Asks the database for nothing but who is asking.
const CHEAPEST: &str = "/v1/ops/session";

/// How long each took, the slowest first.
#[derive(Debug, Clone)]
pub(super) struct Lists {
    finished: usize,
    cheapest: Duration,
    looks: Vec<Look>,
}

#[derive(Debug, Clone)]
struct Look {
    path: String,
    median: Duration,
    longest: Duration,
}

/// Looks at everything over a past of `finished` requests, with a job, an attempt, three events and three audit entries each.
pub(super) async fn measure(finished: usize) -> anyhow::Result<Lists> {
    terminal::say(&format!("filling in {finished} finished requests"));
    let past = Past::of(finished);
    let fill = async |store: &Store| past::fill(store.conn(), &past, &[]).await;
    let database = Template::make(Flavour::Postgres, fill).await.copy().await;
    let upstream = Upstream::start(0)?;
    let plan = Plan {
        setup: Setup::ONE_OF_EACH,
        upstream: &upstream.url(),
        concurrency: 4,
        poll_seconds: NO_POLLS,
    };
    let bridge = Bridge::over(&plan, Some(database)).await?;
    let token = bridge.operator()?;
    terminal::say("lists and searches");
    let mut looks = Vec::with_capacity(LOOKS.len());
    for path in LOOKS {
        looks.push(look(&bridge, &token, path).await?);
    }
    let cheapest = look(&bridge, &token, CHEAPEST).await?.median;
    looks.sort_by_key(|look| std::cmp::Reverse(look.median));
    Ok(Lists {
        finished,
        cheapest,
        looks,
    })
}

async fn look(bridge: &Bridge, token: &str, path: &str) -> anyhow::Result<Look> {
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let asked = Instant::now();
        let status = bridge.get(path, token).await?;
        took.push(asked.elapsed());
        ensure!(status.is_success(), "{path}: {status}");
    }
    took.sort_unstable();
    Ok(Look {
        path: path.to_owned(),
        median: took[TIMES / 2],
        longest: took[TIMES - 1],
    })
}

impl Display for Lists {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let millis = |it: Duration| it.as_secs_f64() * 1_000.0;
        let slow = self.looks.iter().filter(|look| look.median > AIM).count();
        writeln!(
            f,
            "\nlists and searches of operators over {} finished requests: {slow} of {} take more than {} ms, which none should",
            self.finished,
            self.looks.len(),
            AIM.as_millis()
        )?;
        for look in &self.looks {
            writeln!(
                f,
                "  {:>7.1} ms, {:>6.1} times the cheapest call, at most {:>7.1} ms   {}",
                millis(look.median),
                look.median.as_secs_f64() / self.cheapest.as_secs_f64(),
                millis(look.longest),
                look.path
            )?;
        }
        Ok(())
    }
}
