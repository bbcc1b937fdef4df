//! What each rule finds, from what is stored: nothing is remembered between two looks, so that all schedulers see the same.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use shared::alert::AlertName;
use shared::choices;
use shared::config::AlertRules;
use shared::drift::Verdict;
use shared::job::JobState;
use shared::store::alerts::{self, Finding};
use shared::store::drift::Report;
use shared::store::jobs::LaneCount;
use shared::store::{StoreError, choice_lists, circuits, credentials, drift, jobs, processes};

use super::wording::{counted, span};
use crate::Scheduler;
use crate::lanes::configured;

/// By name; what is missing was not looked at.
pub(super) type Readings = BTreeMap<AlertName, Reading>;

/// Of fewer runs a share says nothing.
const FEW_RUNS: i64 = 5;
/// Classes of circuits that the limits of an instance have opened.
const LIMITS: [&str; 2] = ["rate_limited", "busy"];
/// The first words of the flags of requests that are counted (docs/operating.md, "A ticket is not updated").
const UNMAPPED: &str = "Unmapped value:";
const UNCERTAIN: &str = "Ticket uncertain:";
const NOT_TOLD: &str = "Source not told:";

/// What a rule counted, and where. It holds when there is a finding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) figure: Option<i64>,
    pub(super) findings: Vec<Finding>,
}

impl Reading {
    /// A figure that grows worse, with where it comes from.
    fn at_least(figure: i64, threshold: i64, findings: Vec<Finding>) -> Self {
        let holds = figure >= threshold;
        Self {
            figure: Some(figure),
            findings: if holds { findings } else { Vec::new() },
        }
    }

    /// The worst of several figures; those that reach the threshold are findings.
    fn worst(figures: Vec<(i64, Finding)>, threshold: i64) -> Self {
        let figure = figures.iter().map(|(figure, _)| *figure).max();
        let reached = figures
            .into_iter()
            .filter(|(figure, _)| *figure >= threshold);
        Self {
            figure,
            findings: reached.map(|(_, finding)| finding).collect(),
        }
    }

    /// The least of several figures; those below the limit, itself included, are findings.
    fn least(figures: Vec<(i64, Finding)>, limit: i64) -> Self {
        let figure = figures.iter().map(|(figure, _)| *figure).min();
        let reached = figures.into_iter().filter(|(figure, _)| *figure <= limit);
        Self {
            figure,
            findings: reached.map(|(_, finding)| finding).collect(),
        }
    }
}

fn finding(at: &str, what: impl Into<String>) -> Finding {
    let what = what.into();
    Finding {
        at: at.to_owned(),
        what,
    }
}

/// Looks at everything.
pub(super) async fn all(scheduler: &Scheduler, now: DateTime<Utc>) -> Result<Readings, StoreError> {
    let rules = &scheduler.settings.alerts.rules;
    let counts = jobs::counts(scheduler.store.conn()).await?;
    let mut readings = Readings::from([
        (AlertName::DeadJobs, dead_jobs(rules, &counts)),
        (AlertName::DeadJobsInLane, dead_in_lane(rules, &counts)),
        (AlertName::OldestDue, oldest_due(rules, &counts, now)),
        (AlertName::NoWorker, no_worker(scheduler, now).await?),
        (AlertName::ConnectionHeld, connection_held(scheduler).await?),
        (AlertName::ThrottledShare, throttled(scheduler, now).await?),
        (AlertName::UnmappedStates, unmapped(scheduler).await?),
        (AlertName::AmbiguousCreates, ambiguous(scheduler).await?),
        (AlertName::FailedCallbacks, callbacks(scheduler).await?),
        (AlertName::DriftFound, drift_found(scheduler).await?),
        (AlertName::ChoiceDrift, choice_drift(scheduler).await?),
    ]);
    let (age, refused) = credentials_of(scheduler, now).await?;
    readings.insert(AlertName::CredentialAge, age);
    readings.insert(AlertName::CredentialRefused, refused);
    Ok(readings)
}

fn threshold(rules: &AlertRules, name: AlertName) -> i64 {
    i64::from(rules.of(name).threshold)
}

fn dead(counts: &[LaneCount]) -> Vec<(i64, Finding)> {
    let dead = counts.iter().filter(|it| it.state == JobState::Dead);
    dead.map(|it| {
        let count = i64::try_from(it.count).unwrap_or(i64::MAX);
        (count, finding(&it.lane, counted(count, "dead job")))
    })
    .collect()
}

fn dead_jobs(rules: &AlertRules, counts: &[LaneCount]) -> Reading {
    let lanes = dead(counts);
    let all: i64 = lanes.iter().map(|(count, _)| *count).sum();
    let findings = lanes.into_iter().map(|(_, finding)| finding).collect();
    Reading::at_least(all, threshold(rules, AlertName::DeadJobs), findings)
}

fn dead_in_lane(rules: &AlertRules, counts: &[LaneCount]) -> Reading {
    Reading::worst(dead(counts), threshold(rules, AlertName::DeadJobsInLane))
}

fn oldest_due(rules: &AlertRules, counts: &[LaneCount], now: DateTime<Utc>) -> Reading {
    let mut waits = BTreeMap::<&str, i64>::new();
    let waiting = |it: &&LaneCount| matches!(it.state, JobState::Due | JobState::Rung);
    for it in counts.iter().filter(waiting) {
        let Some(oldest) = it.oldest else { continue };
        let waited = (now - oldest).num_seconds().max(0);
        let worst = waits.entry(&it.lane).or_default();
        *worst = (*worst).max(waited);
    }
    let lanes = waits.into_iter().map(|(lane, waited)| {
        let what = format!("the oldest due job has waited for {}", span(waited));
        (waited, finding(lane, what))
    });
    Reading::worst(lanes.collect(), threshold(rules, AlertName::OldestDue))
}

async fn no_worker(scheduler: &Scheduler, now: DateTime<Utc>) -> Result<Reading, StoreError> {
    let alive = processes::alive(scheduler.store.conn(), now).await?;
    let lanes = configured(&scheduler.settings).into_keys().map(|lane| {
        let serving = alive.iter().filter(|it| it.process.lanes.contains(&lane));
        let workers = i64::try_from(serving.count()).unwrap_or(i64::MAX);
        let what = match workers {
            0 => "no live worker".to_owned(),
            few => format!("only {}", counted(few, "live worker")),
        };
        (workers, finding(&lane, what))
    });
    let wanted = threshold(&scheduler.settings.alerts.rules, AlertName::NoWorker);
    Ok(Reading::least(lanes.collect(), wanted - 1))
}

async fn connection_held(scheduler: &Scheduler) -> Result<Reading, StoreError> {
    let open = circuits::all(scheduler.store.conn()).await?;
    let held = open.iter().filter(|it| it.wants_a_hand());
    let findings: Vec<Finding> = held
        .map(|it| finding(&it.connection, &*it.reason))
        .collect();
    let count = i64::try_from(findings.len()).unwrap_or(i64::MAX);
    let rules = &scheduler.settings.alerts.rules;
    Ok(Reading::at_least(
        count,
        threshold(rules, AlertName::ConnectionHeld),
        findings,
    ))
}

async fn throttled(scheduler: &Scheduler, now: DateTime<Utc>) -> Result<Reading, StoreError> {
    let (conn, settings) = (scheduler.store.conn(), &scheduler.settings.alerts);
    let from = now - settings.window();
    // Who is asked for quiet for so long makes no run that could be counted.
    let silent = circuits::all(conn)
        .await?
        .into_iter()
        .filter(|it| LIMITS.contains(&it.class.as_str()) && it.opened_at <= from);
    let mut shares: Vec<(i64, Finding)> = silent
        .map(|it| {
            let since = it.opened_at.format("%Y-%m-%d %H:%M:%S UTC");
            let what = format!("asks for quiet since {since}");
            (100, finding(&it.connection, what))
        })
        .collect();
    for it in alerts::runs_by_connection(conn, from).await? {
        if it.ended >= FEW_RUNS && shares.iter().all(|(_, known)| known.at != it.connection) {
            let share = it.put_off * 100 / it.ended;
            let what = format!(
                "{share} % of {} within {} min were put off",
                counted(it.ended, "run"),
                settings.window_minutes
            );
            shares.push((share, finding(&it.connection, what)));
        }
    }
    let limit = threshold(&settings.rules, AlertName::ThrottledShare);
    Ok(Reading::worst(shares, limit))
}

async fn unmapped(scheduler: &Scheduler) -> Result<Reading, StoreError> {
    let count = alerts::flagged(scheduler.store.conn(), UNMAPPED).await?;
    let what = format!(
        "{} with a value that no map knows",
        counted(count, "request")
    );
    let rules = &scheduler.settings.alerts.rules;
    Ok(Reading::at_least(
        count,
        threshold(rules, AlertName::UnmappedStates),
        vec![finding("requests", what)],
    ))
}

async fn ambiguous(scheduler: &Scheduler) -> Result<Reading, StoreError> {
    let conn = scheduler.store.conn();
    let unsettled = alerts::unsettled_creates(conn).await?;
    let uncertain = alerts::flagged(conn, UNCERTAIN).await?;
    let findings = [
        (
            unsettled,
            "jobs",
            format!("{} without a clean answer", counted(unsettled, "create")),
        ),
        (
            uncertain,
            "requests",
            format!(
                "{} that nobody tries any more",
                counted(uncertain, "request")
            ),
        ),
    ];
    Ok(two(scheduler, AlertName::AmbiguousCreates, findings))
}

async fn callbacks(scheduler: &Scheduler) -> Result<Reading, StoreError> {
    let conn = scheduler.store.conn();
    let failing = alerts::failing_callbacks(conn).await?;
    let untold = alerts::flagged(conn, NOT_TOLD).await?;
    let findings = [
        (
            failing,
            "callback",
            format!("{} tried again", counted(failing, "delivery is")),
        ),
        (
            untold,
            "requests",
            format!("{} whose source was not told", counted(untold, "request")),
        ),
    ];
    Ok(two(scheduler, AlertName::FailedCallbacks, findings))
}

/// Two counts of one thing.
fn two(scheduler: &Scheduler, name: AlertName, parts: [(i64, &str, String); 2]) -> Reading {
    let all: i64 = parts.iter().map(|(count, ..)| *count).sum();
    let some = parts.into_iter().filter(|(count, ..)| *count > 0);
    let findings = some.map(|(_, at, what)| finding(at, what)).collect();
    Reading::at_least(
        all,
        threshold(&scheduler.settings.alerts.rules, name),
        findings,
    )
}

async fn drift_found(scheduler: &Scheduler) -> Result<Reading, StoreError> {
    let routes = scheduler.routes.iter();
    let tables: BTreeSet<(&str, &str)> = routes
        .map(|route| (route.connection.as_str(), route.kind.table()))
        .collect();
    let (mut all, mut findings) = (0, Vec::new());
    for (connection, table) in tables {
        let last = drift::last_of(scheduler.store.conn(), connection, table).await?;
        let Some((differences, what)) = last.as_ref().and_then(judged) else {
            continue;
        };
        all += differences;
        findings.push(finding(&format!("{connection}/{table}"), what));
    }
    let rules = &scheduler.settings.alerts.rules;
    Ok(Reading::at_least(
        all,
        threshold(rules, AlertName::DriftFound),
        findings,
    ))
}

/// What breaks, with the entry of the map that it is about. An instance whose lists cannot be read is not told here: most accounts may
/// not read them, and nothing else needs them.
async fn choice_drift(scheduler: &Scheduler) -> Result<Reading, StoreError> {
    let readings = choice_lists::all(scheduler.store.conn()).await?;
    let mut findings = Vec::new();
    for route in scheduler.routes.iter() {
        let reading = readings.iter().find(|it| it.is_of(route));
        let lists = reading.map(|it| it.lists.as_slice());
        let found = choices::compare(&route.states, lists.unwrap_or_default());
        let breaking = found.iter().filter(|it| it.difference.breaks());
        findings.extend(breaking.map(|it| finding(&route.name, it.to_string())));
    }
    let count = i64::try_from(findings.len()).unwrap_or(i64::MAX);
    let rules = &scheduler.settings.alerts.rules;
    Ok(Reading::at_least(
        count,
        threshold(rules, AlertName::ChoiceDrift),
        findings,
    ))
}

/// How many differences a comparison has found, and what became of them; one that could not judge counts as one.
fn judged(report: &Report) -> Option<(i64, String)> {
    let tally = &report.tally;
    let differences = tally.repaired + tally.flagged + tally.failed;
    match report.verdict? {
        Verdict::Clean => None,
        Verdict::Untrusted => {
            let why = report
                .reason
                .as_deref()
                .unwrap_or("the instance is not believed");
            Some((1, format!("could not be compared: {why}")))
        }
        Verdict::Drifted | Verdict::Partial => Some((
            differences.max(1),
            format!(
                "{}: {} read again, {} flagged, {} open",
                counted(differences, "difference"),
                tally.repaired,
                tally.flagged,
                tally.failed
            ),
        )),
    }
}

/// How long credentials live, and how often they were refused.
async fn credentials_of(
    scheduler: &Scheduler,
    now: DateTime<Utc>,
) -> Result<(Reading, Reading), StoreError> {
    let rules = &scheduler.settings.alerts.rules;
    let (mut lives, mut refusals) = (Vec::new(), Vec::new());
    for (name, connection) in &scheduler.settings.connections {
        let known = credentials::get(scheduler.store.conn(), name).await?;
        let first_worked_at = known.as_ref().and_then(|it| it.first_worked_at);
        if let Some(end) = connection.credential_end(first_worked_at) {
            let left = end.days_left(now);
            let what = match left {
                ..0 => "the credential has died".to_owned(),
                left => format!("the credential dies in {}", counted(left, "day")),
            };
            lives.push((left, finding(name, what)));
        }
        if let Some((known, since)) = known.and_then(|it| Some((it.clone(), it.failing_since?))) {
            let refused = known.refused.max(1);
            let since = since.format("%Y-%m-%d %H:%M:%S UTC");
            let what = format!("{} since {since}", counted(refused, "refused log-in"));
            refusals.push((refused, finding(name, what)));
        }
    }
    Ok((
        Reading::least(lives, threshold(rules, AlertName::CredentialAge)),
        Reading::worst(refusals, threshold(rules, AlertName::CredentialRefused)),
    ))
}
