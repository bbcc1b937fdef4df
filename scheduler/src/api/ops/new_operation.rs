//! What an operator asks to be done with jobs: read, checked and counted, before anything is done.

use serde::Deserialize;
use serde_json::Value;
use shared::job::JobState;
use shared::store::jobs::{self, Among, JobAction, JobFilter};
use shared::store::operations::MOST_IDS;
use utoipa::ToSchema;
use uuid::Uuid;

use super::behind::{self, HeldJobs};
use crate::Scheduler;
use crate::api::fields::{Text, unfit};
use crate::api::problem::{FieldError, Problem};
use crate::api::problem_kind::Kind;

/// So many jobs are counted; more stand for "that many or more".
const MOST_COUNTED: u64 = 1_000_000;
const FASTEST: u32 = 60_000;

/// What is to be done, and with which jobs.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOperation {
    /// `retry`, `run_now`, `cancel` or `kill`.
    #[schema(value_type = String, example = "retry")]
    pub(crate) action: JobAction,
    /// With these jobs, 1,000 at most.
    #[serde(default)]
    pub(crate) ids: Vec<Uuid>,
    /// With all jobs that match: the parameters of GET /v1/ops/jobs as an object, `state` as an array.
    #[serde(default)]
    #[schema(value_type = Option<Object>, example = json!({"state": ["dead"], "error_class": "forbidden"}))]
    pub(crate) filter: Option<JobFilter>,
    /// So many a minute at most, bounded by the calls that the instance has left; as fast as it goes when not given.
    pub(crate) per_minute: Option<u32>,
    /// Wait until the circuits are over that hold the jobs, for `retry` and `run_now`; with `per_minute` that is done anyway.
    #[serde(default)]
    pub(crate) wait_for_circuit: bool,
    /// Why; it goes into the audit trail.
    pub(crate) reason: Option<String>,
    /// Only count.
    #[serde(default)]
    pub(crate) dry_run: bool,
    /// How many jobs there were when somebody looked: when there are more or fewer now, nothing is done.
    pub(crate) expected: Option<u64>,
}

/// What is going to happen, in numbers and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) filter: JobFilter,
    pub(crate) ids: Vec<Uuid>,
    pub(crate) matched: u64,
    pub(crate) words: String,
    pub(crate) held: Vec<HeldJobs>,
}

impl NewOperation {
    /// From a body.
    pub(crate) fn read(body: &Value) -> Result<Self, Problem> {
        let new: Self = serde_path_to_error::deserialize(body).map_err(|error| {
            let at = error.path().to_string().replace('.', "/");
            let field = if at == "/" {
                String::new()
            } else {
                format!("/{at}")
            };
            let fix = "see POST /v1/ops/operations in /v1/openapi.json";
            Problem::of_fields(vec![FieldError::new(field, error.inner().to_string(), fix)])
        })?;
        new.check()?;
        Ok(new)
    }

    fn check(&self) -> Result<(), Problem> {
        let mut errors = Vec::new();
        let mut wrong = |field: &str, problem: String, fix: &str| {
            errors.push(FieldError::new(field, problem, fix));
        };
        match (&self.filter, self.ids.len()) {
            (None, 0) => wrong(
                "/ids",
                "no jobs are named".to_owned(),
                "send ids, or a filter; {} means all",
            ),
            (Some(_), 1..) => wrong(
                "/ids",
                "ids and a filter were sent".to_owned(),
                "send one of them",
            ),
            (None, many) if many > MOST_IDS => {
                wrong(
                    "/ids",
                    format!("has {many} ids"),
                    "send 1,000 at most, or a filter",
                );
            }
            _ => {}
        }
        if let Some(rate) = self.per_minute.filter(|rate| !(1..=FASTEST).contains(rate)) {
            wrong(
                "/per_minute",
                format!("is {rate}"),
                "send 1 to 60,000, or leave it out",
            );
        }
        if self.wait_for_circuit && !behind::lets_run(self.action) {
            wrong(
                "/wait_for_circuit",
                format!("is of no use for {}", spoken(self.action)),
                "leave it out; only retry and run_now let jobs run",
            );
        }
        if let Some((problem, fix)) = self
            .reason
            .as_deref()
            .and_then(|it| unfit(it, 500, Text::Line))
        {
            errors.push(FieldError::new("/reason", problem, fix));
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::of_fields(errors))
        }
    }

    /// Which jobs it is about now. Refuses when that is not what somebody looked at, or when there are none.
    pub(crate) async fn plan(&self, scheduler: &Scheduler) -> Result<Planned, Problem> {
        let fit = self.action.states();
        let (filter, ids, matched) = if let Some(filter) = &self.filter {
            let filter = self.narrowed(filter);
            let matched = match filter.state.as_slice() {
                [] => 0,
                _ => jobs::count_matching(scheduler.store.conn(), &filter, MOST_COUNTED).await?,
            };
            (filter, Vec::new(), matched)
        } else {
            let ids = self.fitting(scheduler).await?;
            let matched = ids.len() as u64;
            (JobFilter::default(), ids, matched)
        };
        if matched == 0 {
            let detail = format!(
                "No job matches that can be treated so ({} works on jobs that are {}). Nothing was done.",
                spoken(self.action),
                words(fit)
            );
            return Err(Problem::new(Kind::StaleAction, detail));
        }
        if let Some(expected) = self.expected.filter(|expected| *expected != matched) {
            let detail = format!(
                "When you looked there were {expected} such jobs, now there are {matched}: others have ended, begun or come. Nothing \
                 was done. Look again, then decide."
            );
            return Err(Problem::new(Kind::StaleAction, detail));
        }
        let among = match ids.as_slice() {
            [] => Among::Filter(&filter),
            ids => Among::Ids(ids),
        };
        let held = behind::held(scheduler, self.action, among).await?;
        let behind = behind::told(&held, self.waits(), scheduler.now());
        Ok(Planned {
            words: self.told(matched) + &behind,
            filter,
            ids,
            matched,
            held,
        })
    }

    /// Whether it waits while a circuit holds the next jobs.
    pub(crate) fn waits(&self) -> bool {
        behind::lets_run(self.action) && (self.wait_for_circuit || self.per_minute.is_some())
    }

    /// The filter without states that the action does not work on.
    fn narrowed(&self, filter: &JobFilter) -> JobFilter {
        let fit = self.action.states();
        let mut filter = filter.clone();
        if filter.state.is_empty() {
            filter.state = fit.to_vec();
        } else {
            filter.state.retain(|state: &JobState| fit.contains(state));
        }
        filter
    }

    /// The named jobs that the action works on now.
    async fn fitting(&self, scheduler: &Scheduler) -> Result<Vec<Uuid>, Problem> {
        let fit = self.action.states();
        let states = jobs::states(scheduler.store.conn(), &self.ids).await?;
        let ids: Vec<Uuid> = states
            .iter()
            .filter(|(_, state)| fit.contains(state))
            .map(|(id, _)| *id)
            .collect();
        if ids.is_empty() {
            return Err(self.stale(&states));
        }
        Ok(ids)
    }

    fn stale(&self, states: &[(Uuid, JobState)]) -> Problem {
        let detail = match states {
            [] => "None of these jobs is stored any more. Nothing was done. Look again.".to_owned(),
            [(id, state)] => format!(
                "Job {id} is {} by now, and {} works on jobs that are {}. Nothing was done. Look again, then decide.",
                state.as_str(),
                spoken(self.action),
                words(self.action.states())
            ),
            many => format!(
                "None of the {} jobs can be treated so any more: {} works on jobs that are {}. Nothing was done. Look again, then \
                 decide.",
                many.len(),
                spoken(self.action),
                words(self.action.states())
            ),
        };
        Problem::new(Kind::StaleAction, detail)
    }

    /// What will happen, as a confirmation says it.
    fn told(&self, matched: u64) -> String {
        let jobs = if matched == 1 {
            "1 job".to_owned()
        } else {
            format!("{matched} jobs")
        };
        let what = match self.action {
            JobAction::Retry => format!(
                "{jobs} will get a fresh start: all attempts again, from now on. A create whose request was denied when it died is \
                 left out: it has to be asked again. Any other looks for its ticket first, so none is made twice."
            ),
            JobAction::RunNow => format!(
                "{jobs} will run as soon as a worker is free, and wait no longer for their time."
            ),
            JobAction::Cancel => format!(
                "{jobs} will never run, where no worker has had them yet; their requests are flagged. Those that a worker has had \
                 are left alone."
            ),
            JobAction::Kill => format!(
                "{jobs} will end as dead with their next claim, without running again. A request whose create never ran is denied, \
                 and its source is told; everything else is flagged."
            ),
        };
        match self.per_minute {
            Some(rate) => {
                let minutes = matched.div_ceil(u64::from(rate));
                format!(
                    "{what} At {rate} a minute this takes {minutes} min or longer: it waits while the instance has no calls left. It \
                     can be stopped at any moment."
                )
            }
            None => what,
        }
    }
}

pub(crate) fn spoken(action: JobAction) -> &'static str {
    match action {
        JobAction::Retry => "retry",
        JobAction::RunNow => "run now",
        JobAction::Cancel => "cancel",
        JobAction::Kill => "kill",
    }
}

fn words(states: &[JobState]) -> String {
    let words: Vec<_> = states.iter().map(|state| state.as_str()).collect();
    words.join(" or ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_problem_of_a_body_is_named_with_its_fix() {
        for body in [
            json!({"action": "retry"}),
            json!({"action": "explode", "ids": []}),
            json!({"action": "retry", "filter": {"state": ["dead"], "colour": "red"}}),
            json!({"action": "kill", "ids": ["00000000-0000-0000-0000-000000000001"], "filter": {}, "per_minute": 0, "reason": ""}),
        ] {
            insta::assert_json_snapshot!(NewOperation::read(&body).unwrap_err());
        }
    }

    #[test]
    fn a_confirmation_says_what_will_happen() {
        let new = |action: &str, rate: Option<u32>| {
            NewOperation::read(&json!({"action": action, "filter": {}, "per_minute": rate}))
                .unwrap()
        };
        let told: Vec<String> = ["retry", "run_now", "cancel", "kill"]
            .into_iter()
            .map(|action| new(action, None).told(1))
            .chain([new("retry", Some(60)).told(100)])
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
