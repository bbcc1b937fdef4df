//! "Why is this ticket not updated?": the first cause that holds, in words (N24).

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::job::{JobKind, JobState};
use shared::request::Request;
use shared::store::circuits::Circuit;
use shared::store::jobs::Job;
use shared::store::switches::PausedLanes;
use shared::ticket::Ticket;
use utoipa::ToSchema;

/// What is known.
pub(crate) struct Facts<'a> {
    pub(crate) request: &'a Request,
    pub(crate) ticket: Option<&'a Ticket>,
    pub(crate) jobs: &'a [Job],
    pub(crate) circuits: &'a [Circuit],
    pub(crate) paused: &'a PausedLanes,
    pub(crate) read_next_at: Option<DateTime<Utc>>,
    pub(crate) now: DateTime<Utc>,
}

/// An answer in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Why)]
pub(crate) struct Verdict {
    /// `ok`: nothing is wrong; `info`: nothing to do; `wait`: goes on by itself; `act`: needs somebody.
    pub(crate) tone: &'static str,
    /// What is.
    pub(crate) what: String,
    /// What it comes from.
    pub(crate) why: String,
    /// Whether somebody has to act.
    pub(crate) act: String,
    /// What comes next.
    pub(crate) next: String,
}

impl Verdict {
    fn new(
        tone: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
        act: &str,
        next: impl Into<String>,
    ) -> Self {
        Self {
            tone,
            what: what.into(),
            why: why.into(),
            act: act.to_owned(),
            next: next.into(),
        }
    }
}

const NO: &str = "No.";

/// The answer for a request.
pub(crate) fn why(facts: &Facts<'_>) -> Verdict {
    let live = facts.jobs.iter().rev().find(|job| !job.state.is_final());
    let dead = facts
        .jobs
        .iter()
        .rev()
        .find(|job| job.state == JobState::Dead);
    if let Some(job) = live {
        return of_live_job(facts, job);
    }
    if let Some(attention) = &facts.request.attention {
        let last = dead.and_then(|job| job.last_error.as_deref());
        return Verdict::new(
            "act",
            "Somebody should look at this request.",
            attention.clone(),
            "Yes. The flag says what is unclear; the runs below say what was tried.",
            match last {
                Some(error) => format!(
                    "Nothing by itself: its last job is dead ({error}). Retry it when the cause is mended."
                ),
                None => {
                    "The ticket is still read with all others; the flag goes when its cause goes."
                        .to_owned()
                }
            },
        );
    }
    if facts.request.state.is_final() {
        return Verdict::new(
            "info",
            format!(
                "The request has ended: {}.",
                spoken(facts.request.state.as_str())
            ),
            facts
                .request
                .reason
                .clone()
                .unwrap_or_else(|| "No reason was given.".to_owned()),
            NO,
            "Nothing. An ended request is never opened again; it is removed when its time of keeping is over.",
        );
    }
    if let Some(job) = dead {
        return Verdict::new(
            "act",
            format!("The last job ({}) is dead.", job.kind),
            job.last_error.clone().unwrap_or_default(),
            "Yes: mend the cause, then retry the job.",
            "Nothing, until somebody decides.",
        );
    }
    of_ticket(facts)
}

fn of_live_job(facts: &Facts<'_>, job: &Job) -> Verdict {
    let verb = doing(job);
    if facts.paused.holds(&job.lane) {
        return Verdict::new(
            "act",
            format!("{verb} waits, because the lane {} is paused.", job.lane),
            "An operator paused it; Queues says who and why.",
            "Only if the pause is no longer wanted: resume the lane under Queues.",
            "Nothing, until the lane is resumed.",
        );
    }
    let table = facts.ticket.map(|ticket| ticket.kind.table());
    let circuit = job
        .connection
        .as_deref()
        .and_then(|connection| facts.circuits.iter().find(|it| it.holds(connection, table)));
    match (job.state, circuit) {
        (JobState::Running, _) => Verdict::new(
            "info",
            format!("{verb} runs at this moment."),
            format!(
                "{} has had it since {}.",
                job.lease_owner.as_deref().unwrap_or("A worker"),
                clock(job.updated_at)
            ),
            NO,
            "The run ends within its time, or another worker takes the job.",
        ),
        (JobState::Parked, _) => Verdict::new(
            "act",
            format!("{verb} is parked until somebody mends the configuration."),
            job.last_error.clone().unwrap_or_default(),
            "Yes: mend it; `ticketbridge doctor` shows each step with its fix.",
            "One job tries again from time to time. When it gets through, all others follow by themselves. No attempt is used up.",
        ),
        (_, Some(circuit)) => Verdict::new(
            if circuit.wants_a_hand() {
                "act"
            } else {
                "wait"
            },
            format!(
                "{verb} waits, because “{}” is held back until {}.",
                circuit.connection,
                clock(circuit.until)
            ),
            circuit.reason.clone(),
            if circuit.wants_a_hand() {
                "Yes: mend it; `ticketbridge doctor` shows each step with its fix."
            } else {
                NO
            },
            format!(
                "One job tries at {}; the others follow when it got through.",
                clock(circuit.until)
            ),
        ),
        (_, None) if job.due_at > facts.now => Verdict::new(
            "wait",
            format!("{verb} is tried again at {}.", clock(job.due_at)),
            job.last_error
                .clone()
                .unwrap_or_else(|| "It waits for its time.".to_owned()),
            NO,
            format!(
                "The next attempt, after {} that were used up. “Run now” takes it forward.",
                job.attempts
            ),
        ),
        (_, None) => Verdict::new(
            "wait",
            format!("{verb} waits for a worker."),
            format!(
                "It is due since {}; others may be before it.",
                clock(job.due_at)
            ),
            "No, while workers are alive (see Overview).",
            "A worker takes it as soon as it is its turn.",
        ),
    }
}

fn of_ticket(facts: &Facts<'_>) -> Verdict {
    let Some(ticket) = facts.ticket.filter(|ticket| ticket.exists) else {
        return Verdict::new(
            "act",
            "There is no ticket yet, and no job that would make one.",
            "This should not be.",
            "Yes: look at the jobs and audit entries below, and report it.",
            "Nothing by itself.",
        );
    };
    let number = ticket.number.as_deref().unwrap_or("The ticket");
    if let Some(at) = ticket.given_up_at {
        return Verdict::new(
            "info",
            format!("{number} is no longer looked at, because it was open for too long."),
            format!(
                "The route gave up at {}. The ticket may have changed since.",
                clock(at)
            ),
            "Only if it still matters: look at it in ServiceNow.",
            "Nothing.",
        );
    }
    let read = ticket.checked_at.map_or_else(
        || "not read yet".to_owned(),
        |at| format!("read at {}", clock(at)),
    );
    Verdict::new(
        "ok",
        format!("{number} is up to date."),
        format!(
            "It was {read}. Its state {} means “{}”, and so does the request.",
            ticket.state.as_deref().unwrap_or("(none)"),
            spoken(facts.request.state.as_str())
        ),
        NO,
        match facts.read_next_at {
            Some(at) => format!(
                "It is read again with all changed tickets at {}.",
                clock(at)
            ),
            None => "No cadence reads its table; add polling to its connection.".to_owned(),
        },
    )
}

fn doing(job: &Job) -> &'static str {
    match job.kind.parse() {
        Ok(JobKind::CreateTicket) => "Making the ticket",
        Ok(JobKind::GetTicketStatus) => "Reading the ticket",
        Ok(JobKind::UpdateServicenowStatus) => "Updating the ticket",
        Ok(JobKind::DeliverCallback) => "Telling the source",
        Ok(JobKind::CheckDrift) => "Comparing the tickets",
        Ok(JobKind::CheckConnection) => "Checking the connection",
        Ok(JobKind::CheckChoices) => "Comparing the choice lists",
        Err(_) => "A job of a newer version",
    }
}

/// The answer for a job alone.
pub(crate) fn why_job(
    job: &Job,
    circuits: &[Circuit],
    paused: &PausedLanes,
    request: Option<&Request>,
    now: DateTime<Utc>,
) -> Verdict {
    let error = || job.last_error.clone().unwrap_or_default();
    match (job.state, request) {
        (JobState::Done, _) => Verdict::new(
            "ok",
            format!("{} has ended well.", doing(job)),
            "",
            NO,
            "Nothing.",
        ),
        (JobState::Cancelled, _) => Verdict::new(
            "info",
            format!("{} was cancelled.", doing(job)),
            error(),
            NO,
            "Nothing.",
        ),
        (JobState::Dead, Some(request)) if request.state.is_final() => Verdict::new(
            "info",
            format!(
                "{} was given up after {} attempts, and its request has ended: {}.",
                doing(job),
                job.attempts,
                spoken(request.state.as_str())
            ),
            error(),
            "No. Where the access is still wanted, its source asks again.",
            "Nothing. A create of an ended request is not run again.",
        ),
        (JobState::Dead, _) => Verdict::new(
            "act",
            format!(
                "{} was given up after {} attempts.",
                doing(job),
                job.attempts
            ),
            error(),
            "Yes: mend the cause, then retry.",
            "Nothing, until somebody decides.",
        ),
        (_, Some(request)) => of_live_job(
            &Facts {
                request,
                ticket: None,
                jobs: &[],
                circuits,
                paused,
                read_next_at: None,
                now,
            },
            job,
        ),
        (_, None) => Verdict::new(
            "wait",
            format!("{} waits or runs.", doing(job)),
            error(),
            NO,
            "It goes on by itself.",
        ),
    }
}

fn spoken(word: &str) -> String {
    word.replace('_', " ")
}

fn clock(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
