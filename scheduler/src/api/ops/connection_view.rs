use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::checkup::{Step, Verdict};
use shared::config::ConnectionSettings;
use shared::job::{JobKind, JobState};
use shared::store::attempts::Failure;
use shared::store::connection_checks::Check;
use shared::store::credentials::Credential;
use shared::store::jobs::Job;
use utoipa::ToSchema;
use uuid::Uuid;

use super::budgets;

/// Every connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ConnectionList {
    pub(crate) items: Vec<ConnectionView>,
}

/// An instance, as it is reached and as it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Connection)]
pub(crate) struct ConnectionView {
    #[schema(example = "main")]
    pub(crate) name: String,
    /// The address of the instance, without anything secret.
    #[schema(example = "https://acme.service-now.com")]
    pub(crate) url: String,
    /// How the bridge logs in: `client_credentials`, `basic`, `password`, `refresh_token` or `api_key`.
    pub(crate) auth: &'static str,
    /// The tables that routes write to.
    pub(crate) tables: Vec<String>,
    /// The most calls at a time, over all workers, as the configuration has it.
    pub(crate) max_in_flight: u64,
    pub(crate) credential: CredentialView,
    /// What is left of its calls, and what holds it back.
    pub(crate) budget: Option<budgets::ConnectionView>,
    /// When a run that called it last ended well, among the newest 1,000 runs.
    pub(crate) last_success_at: Option<DateTime<Utc>>,
    /// The last failure of each class, newest first, among the newest 1,000 runs that failed.
    pub(crate) failures: Vec<FailureView>,
    /// When the oldest of the newest 1,000 runs ended; null when there are fewer.
    pub(crate) looked_back_to: Option<DateTime<Utc>>,
    pub(crate) serving: Serving,
    /// The newest check.
    pub(crate) check: Option<CheckView>,
}

/// A connection with its checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ConnectionDetail {
    #[serde(flatten)]
    pub(crate) connection: ConnectionView,
    /// The last twenty, newest first.
    pub(crate) checks: Vec<CheckView>,
}

/// Since when the credential works or does not, and how long it lives, as far as that is known. The credential itself is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Credential)]
pub(crate) struct CredentialView {
    /// When this refresh token was first seen to work; of other credentials, when any was.
    pub(crate) first_worked_at: Option<DateTime<Utc>>,
    /// When it was last seen to work.
    pub(crate) last_worked_at: Option<DateTime<Utc>>,
    /// Refusals since it last began to work.
    pub(crate) refused: i64,
    /// Since when it is refused.
    pub(crate) failing_since: Option<DateTime<Utc>>,
    /// When it dies; null when nothing tells.
    pub(crate) ends_at: Option<DateTime<Utc>>,
    /// Whole days until then; negative once it is over.
    pub(crate) days_left: Option<i64>,
    /// What tells it: `credential_expires_on`, or `refresh_token_age`.
    pub(crate) ends_by: Option<&'static str>,
    /// Whether somebody should replace it: 30 days or fewer are left, or it is refused.
    pub(crate) wants_a_hand: bool,
}

/// The last run that ended with an error of a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ConnectionFailure)]
pub(crate) struct FailureView {
    #[schema(example = "rate_limited")]
    pub(crate) class: String,
    /// How many of the runs that were looked at ended so.
    pub(crate) count: u64,
    pub(crate) at: DateTime<Utc>,
    /// HTTP status of the decisive answer; null when none came.
    pub(crate) http_status: Option<i32>,
    pub(crate) message: Option<String>,
    /// Its job.
    pub(crate) job: Uuid,
}

/// Who makes checks of this connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ConnectionServing)]
pub(crate) struct Serving {
    /// The lane that carries checks.
    #[schema(example = "ticket-status@main")]
    pub(crate) lane: String,
    /// Worker processes that serve it.
    pub(crate) workers: u64,
    /// Whether its jobs are claimed.
    pub(crate) is_open: bool,
}

/// A check of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ConnectionCheck)]
pub(crate) struct CheckView {
    /// Its id, and that of its job.
    pub(crate) id: Uuid,
    pub(crate) asked_by: String,
    pub(crate) asked_at: DateTime<Utc>,
    /// `waiting`, `running`, `given_up`; once it has ended the worst verdict of its steps: `good`, `warning` or `bad`.
    pub(crate) state: &'static str,
    /// What it waits for and what to do, or why it was given up.
    pub(crate) note: Option<String>,
    /// The worker that made it.
    pub(crate) worker: Option<String>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
    pub(crate) steps: Vec<StepView>,
}

/// A step of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ConnectionCheckStep)]
pub(crate) struct StepView {
    /// The connection, or a table of it.
    #[schema(example = "main/incident")]
    pub(crate) part: String,
    #[schema(example = "read")]
    pub(crate) tried: String,
    /// `good`, `warning`, `bad` or `skipped`.
    pub(crate) verdict: &'static str,
    /// What was found.
    pub(crate) found: String,
    /// What to do; empty when nothing is to be done.
    pub(crate) fix: String,
}

impl CredentialView {
    pub(crate) fn of(
        settings: &ConnectionSettings,
        known: Option<&Credential>,
        now: DateTime<Utc>,
    ) -> Self {
        let first_worked_at = known.and_then(|it| it.first_worked_at);
        let end = settings.credential_end(first_worked_at);
        let failing_since = known.and_then(|it| it.failing_since);
        Self {
            first_worked_at,
            last_worked_at: known.and_then(|it| it.last_worked_at),
            refused: known.map_or(0, |it| it.refused),
            failing_since,
            ends_at: end.map(|it| it.at),
            days_left: end.map(|it| it.days_left(now)),
            ends_by: end.map(|it| {
                if it.is_configured {
                    "credential_expires_on"
                } else {
                    "refresh_token_age"
                }
            }),
            wants_a_hand: failing_since.is_some()
                || end.is_some_and(|it| it.threshold(now).is_some()),
        }
    }
}

impl From<Failure> for FailureView {
    fn from(it: Failure) -> Self {
        Self {
            class: it.class,
            count: it.count.unsigned_abs(),
            at: it.at,
            http_status: it.http_status,
            message: it.message,
            job: it.job_id,
        }
    }
}

impl CheckView {
    pub(crate) fn ended(check: Check) -> Self {
        Self {
            state: Verdict::worst(&check.steps).as_str(),
            note: None,
            ..Self::of(check)
        }
    }

    pub(crate) fn under_way(check: Check, job: Option<&Job>, serving: &Serving) -> Self {
        let (state, note) = match job.map(|it| it.state) {
            Some(JobState::Running) => ("running", None),
            Some(JobState::Due | JobState::Rung | JobState::Parked) => {
                ("waiting", waits_for(serving))
            }
            Some(_) | None => ("given_up", Some(given_up(job))),
        };
        Self {
            state,
            note,
            ..Self::of(check)
        }
    }

    fn of(check: Check) -> Self {
        Self {
            id: check.id,
            asked_by: check.asked_by,
            asked_at: check.asked_at,
            state: "waiting",
            note: None,
            worker: check.worker,
            started_at: check.started_at,
            ended_at: check.ended_at,
            steps: check.steps.into_iter().map(StepView::from).collect(),
        }
    }
}

impl From<Step> for StepView {
    fn from(it: Step) -> Self {
        Self {
            part: it.part,
            tried: it.tried,
            verdict: it.verdict.as_str(),
            found: it.found,
            fix: it.fix,
        }
    }
}

/// `None` while a worker is about to take it.
fn waits_for(serving: &Serving) -> Option<String> {
    let lane = &serving.lane;
    if !serving.is_open {
        return Some(format!(
            "The lane {lane} is paused, so no worker takes the check. Resume it under Queues, or with `ticketbridge queues resume {lane}`."
        ));
    }
    (serving.workers == 0).then(|| {
        let queue = JobKind::CheckConnection.queue();
        format!(
            "No worker that lives serves the lane {lane}. Start one: `ticketbridge worker`, with `--queues {queue}` among its queues when it \
             is not to serve all; where everything runs in one process, `ticketbridge up`. The check is kept and is made then."
        )
    })
}

fn given_up(job: Option<&Job>) -> String {
    let error = job.and_then(|it| it.last_error.as_deref());
    match error {
        Some(error) => {
            format!("Its job has ended without a result: {error}. Ask for another check.")
        }
        None => "Its job has ended without a result, or is no longer kept. Ask for another check."
            .to_owned(),
    }
}
