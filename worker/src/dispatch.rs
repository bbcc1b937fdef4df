//! Runs one job to its end: claim, handler, closing transaction. The only writer of outcomes (ARCHITECTURE.md, "Delivery").

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use shared::crash::{Point, reach};
use shared::job::{BadPayload, JobKind, Payload};
use shared::queue::Doorbell;
use shared::telemetry::names;
use tracing::{Instrument as _, error, warn};

use crate::context::Context;
use crate::jobs;
use crate::outcome::{Finished, Outcome};
use crate::run::Run;

mod claim;
mod close;
mod death;
mod gate;
mod poison;
mod subjects;
mod verdict;
mod write;

pub(crate) use claim::{Claims, Doubtful, release_doubtful};
pub(crate) use close::Closings;
pub(crate) use gate::{Pass, pass};
pub(crate) use poison::Suspects;

use claim::Work;

/// Answers one doorbell. What goes wrong is written beside the job, so nothing is returned; a doorbell whose job is not due, or
/// runs elsewhere, ends here at once.
pub async fn ring(ctx: &Context, bell: Doorbell) {
    reach(Point::BellTaken).await;
    let Some(work) = claim::claim(ctx, bell.job).await else {
        return;
    };
    reach(Point::JobClaimed).await;
    let span = crate::trace::job(&work.job);
    run(ctx, &work).instrument(span).await;
    reach(Point::BellAnswered).await;
}

async fn run(ctx: &Context, work: &Work) {
    let started = std::time::Instant::now();
    let run = Run::new(ctx, &work.job, &work.circuits);
    let _alone = match poison::admit(ctx, &work.job) {
        Ok(alone) => alone,
        Err(later) => return close::put_off(ctx, work, later).await,
    };
    let finished = match answer(&run).await {
        Answer::Ran(finished) => finished,
        Answer::Unknown(kind) => {
            warn!(kind, "a job of a newer version is left for a newer worker");
            return close::put_off(ctx, work, close::UNKNOWN_KIND).await;
        }
    };
    reach(Point::RunEnded).await;
    let closing = verdict::conclude(ctx, work, *finished, &run);
    crate::trace::ended(&work.job, &closing.ending, started.elapsed());
    if let Some(news) = run.told() {
        crate::trace::told(&news.source, run.now() - news.since, &closing.ending);
    }
    close::close(ctx, closing).await;
}

enum Answer {
    Ran(Box<Finished>),
    Unknown(String),
}

async fn answer(run: &Run<'_>) -> Answer {
    let kind: JobKind = match run.job.kind.parse() {
        Ok(kind) => kind,
        Err(shared::job::UnknownKind(kind)) => return Answer::Unknown(kind),
    };
    let payload = match Payload::from_json(kind, &run.job.payload) {
        Ok(payload) => payload,
        Err(error) => return Answer::Ran(unreadable(&error)),
    };
    if let Some((class, reason)) = poison::verdict(run.job) {
        return Answer::Ran(Box::new(poison::given_up(run, class, reason).await));
    }
    if let Err(turned_away) = gate::enter(run, kind).await {
        return Answer::Ran(turned_away);
    }
    let handled = AssertUnwindSafe(jobs::run(run, payload)).catch_unwind();
    Answer::Ran(match handled.await {
        Ok(finished) => Box::new(finished),
        Err(panic) => panicked(&*panic),
    })
}

/// A newer version may have added a field to the payload of a kind that both know.
fn unreadable(error: &BadPayload) -> Box<Finished> {
    Outcome::retry("bad_payload", error.to_string()).into()
}

fn panicked(payload: &(dyn Any + Send)) -> Box<Finished> {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned());
    metrics::counter!(names::HANDLER_PANICS_TOTAL).increment(1);
    error!(panic = text, "a job panicked; this is a defect");
    Outcome::retry("panic", format!("the handler panicked: {text}")).into()
}
