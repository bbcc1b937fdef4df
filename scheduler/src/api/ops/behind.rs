//! Jobs that stand behind an open circuit: told before they are retried, for a retry does not carry them past it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::store::circuits;
use shared::store::jobs::{self, Among, JobAction};
use utoipa::ToSchema;

use crate::Scheduler;
use crate::api::problem::Problem;

/// As many are counted.
const MOST: u64 = 1_000_000;

/// Some of the jobs, and the circuit that holds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HeldJobs)]
pub(crate) struct HeldJobs {
    /// A connection, or one table of it.
    #[schema(example = "main")]
    pub(crate) circuit: String,
    /// How many of the jobs stand behind it; one that two circuits hold is counted at both.
    pub(crate) jobs: u64,
    /// Until when nobody calls; when that has passed, one job tries.
    pub(crate) until: DateTime<Utc>,
    /// Why, in words.
    pub(crate) reason: String,
    /// Whether somebody has to mend something before it closes.
    pub(crate) wants_a_hand: bool,
}

/// Whether an action lets jobs run, which a circuit then holds.
pub(crate) fn lets_run(action: JobAction) -> bool {
    matches!(action, JobAction::Retry | JobAction::RunNow)
}

/// Those of the jobs that a circuit holds, by circuit.
pub(crate) async fn held(
    scheduler: &Scheduler,
    action: JobAction,
    among: Among<'_>,
) -> Result<Vec<HeldJobs>, Problem> {
    let conn = scheduler.store.conn();
    let mut held = Vec::new();
    if !lets_run(action) {
        return Ok(held);
    }
    for circuit in circuits::all(conn).await? {
        let jobs = jobs::count_held(conn, among, &circuit.connection, MOST).await?;
        if jobs > 0 {
            held.push(HeldJobs {
                wants_a_hand: circuit.wants_a_hand(),
                circuit: circuit.connection,
                jobs,
                until: circuit.until,
                reason: circuit.reason,
            });
        }
    }
    Ok(held)
}

/// What that means, as a confirmation says it; empty when nothing is held.
pub(crate) fn told(held: &[HeldJobs], waits: bool, now: DateTime<Utc>) -> String {
    let sentence = |it: &HeldJobs| {
        let until = if it.until > now {
            format!("until {}", it.until.format("%Y-%m-%d %H:%M:%S UTC"))
        } else {
            "until one job has tried it".to_owned()
        };
        let stand = if it.jobs == 1 { "stands" } else { "stand" };
        let hand = if it.wants_a_hand {
            "; somebody has to mend that"
        } else {
            ""
        };
        format!(
            " {} of them {stand} behind the open circuit of “{}”, {until} ({}{hand}).",
            it.jobs, it.circuit, it.reason
        )
    };
    let mut text: String = held.iter().map(sentence).collect();
    match (held.is_empty(), waits) {
        (true, _) => {}
        (false, true) => text.push_str(
            " The operation waits for that: it goes on when the circuit is over, with one job first. Parked jobs among them that try by \
             themselves until then are left out.",
        ),
        (false, false) => text.push_str(
            " That does not carry them past it: they become due, call nobody before that time, and wait or park again while the cause is \
             not mended. The operation can wait until the circuit is over instead.",
        ),
    }
    text
}
