//! Circuits: while an instance asked for quiet, or its configuration is broken, no worker calls it; then one job goes first.

use std::time::Duration;

use shared::crash::{Point, reach};
use shared::job::JobKind;
use shared::store::circuits;
use tracing::debug;

use crate::outcome::{Outcome, Ran, Scope};
use crate::run::Run;

/// How soon those look again that let another job go first.
const BEHIND_PROBE: Duration = Duration::from_secs(5);

/// What a circuit says to a job.
pub(crate) enum Pass {
    /// Nothing holds it.
    Free,
    /// It goes first, and its end decides for all.
    Probe,
}

/// Before the handler: the circuit of the job's connection. A check is let through, for it is how an operator finds out.
pub(super) async fn enter(run: &Run<'_>, kind: JobKind) -> Ran<()> {
    match &run.job.connection {
        _ if kind == JobKind::CheckConnection => Ok(()),
        Some(connection) => run.enter(connection, &Scope::Connection).await,
        None => Ok(()),
    }
}

/// Whether the circuit `name` lets this job through. `Err` puts it off without an attempt.
pub(crate) async fn pass(run: &Run<'_>, name: &str) -> Ran<Pass> {
    let Some(circuit) = run.circuits.iter().find(|it| it.connection == name) else {
        return Ok(Pass::Free);
    };
    let now = run.now();
    let until = if now < circuit.until {
        circuit.until
    } else if circuits::try_probe(run.ctx.store.conn(), name, run.job.id, now).await? {
        reach(Point::ProbeTaken).await;
        debug!(circuit = name, "this job goes first");
        return Ok(Pass::Probe);
    } else {
        now + BEHIND_PROBE
    };
    Err(Outcome::Hold {
        scope: None,
        until,
        class: "held",
        message: format!("{name} is held until {until}: {}", circuit.reason),
    }
    .into())
}
