//! `doctor`: every connection step by step, each with its fix (N14), and the identity provider. It changes nothing.

use std::path::PathBuf;
use std::sync::Arc;

use shared::checkup::{Step, Verdict};
use shared::clock::{Clock as _, SharedClock, SystemClock};
use shared::config::Settings;
use shared::queue::BrokerHealth;
use shared::route::Routes;
use shared::store::{Store, credentials, table_facts};
use worker::checkup;

use crate::args::Doctor;
use crate::exit::Failure;
use crate::output::{Mood, Output, coloured};
use crate::wiring;

pub(crate) async fn run(
    config: Option<PathBuf>,
    args: &Doctor,
    output: Output,
) -> Result<(), Failure> {
    let settings = wiring::settings(config)?;
    let routes = settings
        .compile_routes()
        .map_err(|problems| Failure::Configuration(problems.to_string()))?;
    wiring::known_connection(&settings, args.connection.as_deref())?;
    let mut steps = Vec::new();
    let (database, store) = database(&settings).await;
    if args.connection.is_none() {
        steps.push(database);
        steps.push(queue(&settings).await);
        steps.extend(identity_provider(&settings).await?);
    }
    steps.extend(
        connections(
            &settings,
            &routes,
            args.connection.as_deref(),
            store.as_ref(),
        )
        .await?,
    );
    output.show(&steps, |steps| report(steps));
    if steps.iter().any(|step| step.verdict == Verdict::Bad) {
        Err(Failure::Unhealthy)
    } else {
        Ok(())
    }
}

/// The step, and the store when it can be asked.
async fn database(settings: &Settings) -> (Step, Option<Store>) {
    let part = settings.database.shown_url();
    let bad = |failure: Failure| {
        Step::new(
            &part,
            "database",
            Verdict::Bad,
            failure.to_string(),
            "see the message",
        )
    };
    let store = match wiring::connect(settings).await {
        Ok(store) => store,
        Err(failure) => return (bad(failure), None),
    };
    let step = match store.pending_migrations().await {
        Ok(pending) if pending.is_empty() => Step::new(
            &part,
            "database",
            Verdict::Good,
            "reached, schema up to date",
            "",
        ),
        Ok(pending) => {
            let found = format!("{} migrations are pending", pending.len());
            Step::new(
                &part,
                "database",
                Verdict::Warning,
                found,
                "run `ticketbridge migrate`",
            )
        }
        Err(error) => bad(wiring::database_failure(error)),
    };
    (step, Some(store))
}

async fn queue(settings: &Settings) -> Step {
    let broker = match wiring::broker(settings).await {
        Ok(broker) => broker,
        Err(failure) => {
            return Step::new(
                "queue",
                "queue",
                Verdict::Bad,
                failure.to_string(),
                "see the message",
            );
        }
    };
    match broker.health().await {
        Ok(health) => Step::new("queue", "queue", Verdict::Good, described(&health), ""),
        Err(error) => Step::new(
            "queue",
            "queue",
            Verdict::Bad,
            error.to_string(),
            "see the message",
        ),
    }
}

fn described(health: &BrokerHealth) -> String {
    match health {
        BrokerHealth::Memory => "in this process".to_owned(),
        BrokerHealth::Redis {
            version,
            maxmemory_policy,
            append_only,
        } => {
            let kept = if *append_only { "on" } else { "off" };
            format!("Redis {version}, {maxmemory_policy}, append-only file {kept}")
        }
    }
}

/// Nothing while operators do not sign in through one.
async fn identity_provider(settings: &Settings) -> Result<Vec<Step>, Failure> {
    let oidc = &settings.console.oidc;
    if !oidc.is_on() {
        return Ok(Vec::new());
    }
    // As the scheduler calls it: no redirects, no cookies.
    let http = shared::webhook::client(settings.alerts.timeout())
        .map_err(|error| Failure::Configuration(error.to_string()))?;
    Ok(scheduler::examine_provider(oidc, http, SystemClock.now()).await)
}

async fn connections(
    settings: &Settings,
    routes: &Routes,
    only: Option<&str>,
    store: Option<&Store>,
) -> Result<Vec<Step>, Failure> {
    let clock: SharedClock = Arc::new(SystemClock);
    let mut steps = Vec::new();
    for (name, connection) in settings
        .connections
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| *name == only))
    {
        let client = worker::client(name, connection, &clock)
            .map_err(|error| Failure::Configuration(crate::exit::chain(&error)))?;
        // The step of the database has told what is wrong with it.
        let (known, facts) = match store {
            Some(store) => (
                credentials::get(store.conn(), name).await.ok().flatten(),
                table_facts::all(store.conn()).await.unwrap_or_default(),
            ),
            None => (None, Vec::new()),
        };
        let now = clock.now();
        steps.push(checkup::credential(name, connection, known.as_ref(), now));
        let tables = checkup::tables(routes, name, &facts);
        steps.extend(checkup::servicenow(name, &client, &tables, &clock).await);
    }
    Ok(steps)
}

fn report(steps: &[Step]) -> String {
    steps.iter().map(line).collect()
}

/// What was found, and below it what to do.
pub(crate) fn line(it: &Step) -> String {
    let (word, mood) = match it.verdict {
        Verdict::Good => ("ok", Mood::Good),
        Verdict::Warning => ("warning", Mood::Warn),
        Verdict::Bad => ("FAILED", Mood::Bad),
        Verdict::Skipped => ("not tried", Mood::Busy),
    };
    // Padded by hand: the codes of the colour have no width.
    let gap = " ".repeat(9 - word.len());
    let word = coloured(word, mood);
    let fix = if it.fix.is_empty() {
        String::new()
    } else {
        format!("           fix: {}\n", it.fix)
    };
    format!("{word}{gap}  {} {}: {}\n{fix}", it.part, it.tried, it.found)
}
