//! `check_connection.v1`: tries a connection step by step for an operator (N14). It changes nothing.
//!
//! An open circuit does not keep it away, for it is how one finds out; and it says nothing about circuits, so that nothing is opened or
//! closed by it. The budget is asked before each call, as by every job.

use std::sync::Arc;

use servicenow_client::Client;
use shared::budget::Class;
use shared::checkup::{Step, Verdict};
use shared::config::Auth;
use shared::job::ConnectionCheck;
use shared::store::connection_checks::Made;
use shared::store::{credentials, table_facts};

use recorded::{Recorded, Records};

use crate::checkup;
use crate::connections::{self, Connection};
use crate::effects::Effects;
use crate::outcome::{Finished, Ran};
use crate::run::Run;
use crate::throttle::ClassThrottle;

mod recorded;

pub(super) async fn run(run: &Run<'_>, check: ConnectionCheck) -> Ran {
    let name = check.connection.as_str();
    let steps = match run.ctx.connections.get(name) {
        Some(connection) => steps(run, connection).await?,
        None => vec![gone(name)],
    };
    let made = Made {
        id: run.job.id,
        worker: run.job.lease.owner.clone(),
        started_at: run.started_at,
        steps,
    };
    Ok(Finished::done(Effects {
        check: Some(made),
        ..Effects::default()
    }))
}

async fn steps(run: &Run<'_>, connection: &Connection) -> Ran<Vec<Step>> {
    let (name, settings) = (connection.name.as_str(), &connection.settings);
    let known = credentials::get(run.ctx.store.conn(), name).await?;
    let mut steps = vec![checkup::credential(
        name,
        settings,
        known.as_ref(),
        run.now(),
    )];
    let client = match client(run, connection) {
        Ok(client) => client,
        Err(error) => {
            let found = format!("{error:#}");
            let fix = "correct the configuration of the worker and start it anew";
            steps.push(Step::new(name, "client", Verdict::Bad, found, fix));
            return Ok(steps);
        }
    };
    let records = Records::default();
    let recorded = client.throttled(Arc::new(Recorded {
        throttle: ClassThrottle {
            house: run.ctx.gatehouse(),
            connection: name.to_owned(),
            class: Class::Read,
        },
        records: records.clone(),
    }));
    let facts = table_facts::all(run.ctx.store.conn()).await?;
    let tables = checkup::tables(&run.ctx.routes, name, &facts);
    steps.extend(checkup::servicenow(name, &recorded, &tables, &run.ctx.clock).await);
    for call in records.take() {
        run.record(call);
    }
    Ok(steps)
}

/// One that logs in anew, so that neither a token of before nor a refusal of before is shown. A refresh token that lies in no file may
/// be good for one use only: that log-in stays where it is.
fn client(run: &Run<'_>, connection: &Connection) -> anyhow::Result<Client> {
    let settings = &connection.settings;
    if settings.auth == Auth::RefreshToken && settings.refresh_token_file.is_none() {
        return Ok(connection.client(Class::Read).clone());
    }
    connections::client(&connection.name, settings, &run.ctx.clock)
}

fn gone(name: &str) -> Step {
    let found = "the worker that has the check does not know this connection";
    let fix = "start the workers with the configuration that the scheduler has";
    Step::new(name, "configuration", Verdict::Bad, found, fix)
}
