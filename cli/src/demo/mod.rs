//! `demo`: the whole bridge in one process, against a simulated instance on its default (nasty) knobs, with fictional
//! requests and a scripted agent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use shared::process::{Process, shutdown_signal};
use tokio_util::sync::CancellationToken;

use crate::args::Demo;
use crate::exit::Failure;
use crate::output::Output;

mod agent;
mod cast;
mod stage;
mod summary;
mod traffic;
mod view;

use cast::Cast;
use stage::Stage;
use traffic::{Progress, Traffic};

/// How many requests `--once` sends when no number is given.
const USUAL_REQUESTS: u32 = 50;
/// What one run of `--once` may take, and what each request adds to it, before it is called stuck.
const LONGEST: (Duration, Duration) = (Duration::from_mins(2), Duration::from_millis(500));

pub(crate) async fn run(args: Demo, output: Output) -> Result<(), Failure> {
    let started = Instant::now();
    let asked_to_stop = shutdown_signal();
    let requests = args.requests.or(args.once.then_some(USUAL_REQUESTS));
    let mut process = Process::new();
    let (stage, logging) = Stage::set(args.seed, &mut process).await?;
    let stage = Arc::new(stage);
    let cast = Cast::new(args.seed, stage.people(), args.seed.to_string());
    let traffic = Arc::new(Traffic::new(stage.api.clone(), cast, requests));
    traffic::start(&traffic, &mut process);
    agent::start(&stage, args.seed, &mut process);
    let view = view::start(&stage, &traffic, &mut process);
    let finished = CancellationToken::new();
    if args.once {
        let stop = process.stop_token();
        let longest = LONGEST.0 + LONGEST.1 * requests.unwrap_or_default();
        let watch = until_quiet(
            Arc::clone(&stage),
            Arc::clone(&traffic),
            finished.clone(),
            longest,
            stop,
        );
        process.supervise("watch", watch);
    }
    let quiet = finished.clone();
    let places = (!view.is_seen()).then(|| view::places(&stage));
    let over = async move {
        tokio::select! {
            () = asked_to_stop => {}
            () = quiet.cancelled() => {}
            () = told(output, places) => {}
        }
    };
    let ended = process.run(over, stage.drain()).await;
    view.finish();
    ended.context("the demo did not come to its end")?;
    let summary = summary::of(&stage, &traffic, started.elapsed());
    output.note(&serde_json::to_string(&summary).context("the summary is no JSON")?);
    if output.json {
        output.show(&summary, |_| String::new());
    }
    let stuck = args.once && !finished.is_cancelled();
    stage.strike().await;
    logging.finish().await;
    if stuck {
        Err(Failure::Failed(anyhow::anyhow!(
            "stopped before every request had ended"
        )))
    } else {
        Ok(())
    }
}

/// Says once where to look, where no picture does; never ends.
async fn told(output: Output, places: Option<String>) {
    if let Some(places) = places {
        output.note(&places);
    }
    std::future::pending::<()>().await;
}

/// A database that is busy for a moment says nothing of the requests: it is asked again at the next beat.
async fn seen_at_rest(stage: &Stage) -> bool {
    stage.is_at_rest().await.unwrap_or_else(|error| {
        tracing::debug!(%error, "whether all is at rest cannot be seen");
        false
    })
}

/// Waits until everything was sent and both sides have come to rest.
async fn until_quiet(
    stage: Arc<Stage>,
    traffic: Arc<Traffic>,
    finished: CancellationToken,
    longest: Duration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + longest;
    let mut beat = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = beat.tick() => {}
        }
        if traffic.progress() == Progress::AllSent && seen_at_rest(&stage).await {
            finished.cancel();
            stop.cancelled().await;
            return Ok(());
        }
        anyhow::ensure!(
            tokio::time::Instant::now() < deadline,
            "the requests had not all ended after {} s; run it with RUST_BACKTRACE=1 and --seed to look at it again",
            longest.as_secs()
        );
    }
}
