//! `check_drift.v1`: whether anything was missed (N26). One call of the Aggregate API compares count and checksum of the tickets of a
//! table with our own; only where they differ is it looked closer, window by window, and what was missed is read by the same code
//! that reads changes.
//!
//! An instance that cannot be believed (hidden rows, dropped conditions, a wrong zone) ends the run as untrusted: a check that
//! repairs or flags in error is worse than none.

use servicenow_client::{Cursor as Place, Error};
use shared::budget::Class;
use shared::drift::{Finding, Tally, Verdict, Window};
use shared::job::{DriftCheck, DriftRest, NewJob, Payload};
use shared::store::drift::{self, Report};
use shared::store::{cursors, new_id};
use shared::telemetry::names;

use super::case::Seat;
use super::get_ticket_status::zone;
use crate::effects::Effects;
use crate::outcome::{Finished, Ran};
use crate::run::Run;

mod compare;
mod differences;
mod told;

/// Windows of one job: each costs one or two calls.
const WINDOWS: usize = 12;

/// A run that lasts longer ends as it is; the next one begins with what is left.
const LONGEST: chrono::TimeDelta = chrono::TimeDelta::minutes(30);

/// A run, as far as it has come.
struct Check<'a, 'b> {
    run: &'a Run<'b>,
    seat: &'a Seat<'b>,
    report: Report,
    /// Windows that are still to be compared.
    windows: Vec<Window>,
    /// Records that changed after the window; `None` while nobody needed to know.
    moving: Option<Vec<String>>,
    /// What the run before this one found: it is not told twice.
    known: Vec<Finding>,
    effects: Effects,
}

/// Why a run goes no further.
enum Stop {
    /// With this verdict, for this reason.
    Verdict(Verdict, String),
    /// The job is repeated, held or parked; nothing of this page is written.
    Ended(Box<Finished>),
}

pub(super) async fn run(run: &Run<'_>, check: DriftCheck) -> Ran {
    let seat = Seat::take(run, Class::Bulk, &check.connection, &check.table).await?;
    let begun = match check.rest {
        Some(rest) => Check::resume(run, &seat, rest).await?,
        None => Check::begin(run, &seat).await?,
    };
    let Some(mut check) = begun else {
        return Ok(Finished::done(Effects {
            cadence_finished: Some(name(&seat)),
            ..Effects::default()
        }));
    };
    let before = check.report.clone();
    let stopped = match check.page().await {
        Ok(()) => None,
        Err(Stop::Verdict(verdict, reason)) => Some((verdict, reason)),
        Err(Stop::Ended(finished)) => return Err(finished),
    };
    if let Some((Verdict::Untrusted, _)) = &stopped {
        // What this page made of answers that cannot be believed is forgotten.
        check.effects = Effects::default();
        check.report.tally = before.tally;
        check.report.findings = before.findings;
    }
    Ok(Finished::done(check.ended(stopped)))
}

impl<'a, 'b> Check<'a, 'b> {
    /// `None` while nothing was polled: then there is nothing to compare with.
    async fn begin(run: &'a Run<'b>, seat: &'a Seat<'b>) -> Ran<Option<Self>> {
        let conn = run.ctx.store.conn();
        let (connection, table) = (seat.connection.name.as_str(), seat.table.name());
        let polled = cursors::get(conn, &format!("changes:{connection}:{table}")).await?;
        let Some(polled) = polled else {
            return Ok(None);
        };
        let settings = &seat.connection.settings;
        // Behind the overlap every poll has read what it could see.
        let to = Place::from_second(polled.updated_on).back_by(settings.overlap());
        let Some(window) = Window::until(&to.updated_on, settings.drift_reach()) else {
            return Ok(None);
        };
        let fact = zone::check(run, seat).await?;
        let last = drift::last_of(conn, connection, table).await?;
        let report = Report {
            id: new_id(run.now()),
            connection: connection.to_owned(),
            table: table.to_owned(),
            window: window.clone(),
            started_at: run.now(),
            finished_at: None,
            expected: 0,
            found: 0,
            tally: Tally::default(),
            verdict: None,
            reason: None,
            findings: Vec::new(),
        };
        Ok(Some(Self {
            run,
            seat,
            report,
            windows: vec![window],
            moving: None,
            known: last.map(|it| it.findings).unwrap_or_default(),
            effects: Effects {
                facts: fact.into_iter().collect(),
                ..Effects::default()
            },
        }))
    }

    async fn resume(run: &'a Run<'b>, seat: &'a Seat<'b>, rest: DriftRest) -> Ran<Option<Self>> {
        let conn = run.ctx.store.conn();
        let Some(report) = drift::find(conn, rest.report).await? else {
            return Ok(None);
        };
        let last = drift::last_of(conn, &report.connection, &report.table).await?;
        Ok(Some(Self {
            run,
            seat,
            report,
            windows: rest.windows,
            moving: None,
            known: last.map(|it| it.findings).unwrap_or_default(),
            effects: Effects::default(),
        }))
    }

    /// As many windows as one job may look at.
    async fn page(&mut self) -> Result<(), Stop> {
        for _ in 0..WINDOWS {
            let Some(window) = self.windows.pop() else {
                return Ok(());
            };
            self.look(window).await?;
        }
        if self.run.now() - self.report.started_at > LONGEST {
            let reason = "it took too long; the next run begins with what is left".to_owned();
            return Err(Stop::Verdict(Verdict::Partial, reason));
        }
        Ok(())
    }

    /// What is written at the end of a page: the report as far as it has come, and the next page or the verdict.
    fn ended(mut self, stopped: Option<(Verdict, String)>) -> Effects {
        self.report.tally.settle();
        if stopped.is_none() && !self.windows.is_empty() {
            let next = self.next_page();
            self.effects.jobs.push(next);
        } else {
            self.conclude(stopped);
        }
        let mut effects = self.effects;
        effects.drift = Some(self.report);
        effects
    }

    fn conclude(&mut self, stopped: Option<(Verdict, String)>) {
        let report = &mut self.report;
        let verdict = report.tally.verdict();
        (report.verdict, report.reason) = match stopped {
            Some((stopped, reason)) => (Some(stopped), Some(reason)),
            None => (Some(verdict), None),
        };
        report.finished_at = Some(self.run.now());
        self.effects.cadence_finished = Some(name(self.seat));
        self.effects
            .audit
            .extend(told::new_findings(report, &self.known));
        told::log(report);
        let labels = [
            ("connection", report.connection.clone()),
            ("table", report.table.clone()),
        ];
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let tally = &report.tally;
        let found = tally.repaired + tally.flagged + tally.failed;
        metrics::counter!(names::DRIFT_CHECKED_TOTAL, &labels).increment(count(tally.checked));
        metrics::counter!(names::DRIFT_FOUND_TOTAL, &labels).increment(count(found));
        metrics::counter!(names::DRIFT_REPAIRED_TOTAL, &labels).increment(count(tally.repaired));
    }

    fn next_page(&mut self) -> NewJob {
        NewJob {
            payload: Payload::CheckDrift(DriftCheck {
                connection: self.report.connection.clone(),
                table: self.report.table.clone(),
                rest: Some(DriftRest {
                    report: self.report.id,
                    windows: std::mem::take(&mut self.windows),
                }),
            }),
            connection: Some(self.report.connection.clone()),
            request_id: None,
            priority: 5,
            due_at: self.run.now(),
            // The key of the cadence: until the run has ended no other one begins.
            dedup_key: Some(name(self.seat)),
            traceparent: self.run.job.traceparent.clone(),
        }
    }

    /// What an error of the instance means here. A refusal concerns this check alone: polling may well be allowed.
    fn stop(&self, error: &Error) -> Stop {
        match error {
            Error::Forbidden { .. }
            | Error::Invalid { .. }
            | Error::NotFound { .. }
            | Error::Untrustworthy { .. }
            | Error::Query(_) => Stop::Verdict(Verdict::Untrusted, error.to_string()),
            error => Stop::Ended(self.seat.judge(self.run, error).into()),
        }
    }
}

impl From<shared::store::StoreError> for Stop {
    fn from(error: shared::store::StoreError) -> Self {
        Self::Ended(error.into())
    }
}

/// The name of the cadence.
fn name(seat: &Seat<'_>) -> String {
    format!("drift:{}:{}", seat.connection.name, seat.table.name())
}
