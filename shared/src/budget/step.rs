//! One step: what a process tells about its calls, what it wants, and what it gets.

use serde::{Deserialize, Serialize};

use super::state::{Quiet, State};

/// What a call is for, most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "usize")]
pub enum Class {
    /// The source's word on its way to a ticket.
    Push,
    /// A new ticket.
    Create,
    /// What ServiceNow did to our tickets.
    Read,
    /// Reconciliation and imports: what can wait for the next hour.
    Bulk,
}

impl Class {
    /// Every class, most urgent first.
    pub const ALL: [Self; 4] = [Self::Push, Self::Create, Self::Read, Self::Bulk];

    /// Its place in [`Class::ALL`].
    pub fn place(self) -> usize {
        match self {
            Self::Push => 0,
            Self::Create => 1,
            Self::Read => 2,
            Self::Bulk => 3,
        }
    }

    /// Whether it may use up the reserve of an hour: what open tickets need, in both directions. New work waits instead.
    pub fn may_use_reserve(self) -> bool {
        matches!(self, Self::Push | Self::Read)
    }
}

impl From<Class> for usize {
    fn from(class: Class) -> Self {
        class.place()
    }
}

/// A call as a process wants it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// What it is for.
    pub class: Class,
    /// Method and API: what rules tell apart.
    pub resource: String,
}

/// Calls of one class on one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Want {
    /// What they are for.
    pub class: Class,
    /// Method and API.
    pub resource: String,
    /// How many.
    pub count: u32,
    /// Whether they may use up the reserve.
    pub reserve: bool,
}

/// How a call ended, as far as the budget is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Answered in good time.
    Ok,
    /// Answered, but late: the instance has more to do than it can.
    Slow,
    /// The instance is full: 429 of its semaphore, 502, 503, 504.
    Busy,
    /// 429 of a rate-limit rule.
    RateLimited,
    /// Nothing that says how full the instance is.
    Other,
}

/// What the answer to one call said. Times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Method and API.
    pub resource: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Silence from now on, for [`Verdict::Busy`] and [`Verdict::RateLimited`].
    pub quiet_ms: i64,
    /// The rule that counted the call; empty: none.
    pub rule: String,
    /// Calls an hour; 0 when the answer did not say.
    pub limit: i64,
    /// Calls left; -1 when the answer did not say.
    pub remaining: i64,
    /// When the count begins anew, by our clock; 0 when the answer did not say.
    pub reset: i64,
}

impl Report {
    /// A call that tells nothing.
    pub fn other(resource: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            verdict: Verdict::Other,
            quiet_ms: 0,
            rule: String::new(),
            limit: 0,
            remaining: -1,
            reset: 0,
        }
    }
}

/// What one process says and wants. Absolute where it can be, so that a step whose answer was lost does no harm: the next one
/// puts right what it left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The present moment.
    pub now: i64,
    /// The process.
    pub owner: String,
    /// Until when it is believed to live without another step.
    pub until: i64,
    /// Calls of it that are under way now.
    pub held: u32,
    /// What ended since the last step.
    pub reports: Vec<Report>,
    /// What it waits for, most urgent first.
    pub wants: Vec<Want>,
    /// The most calls at a time, over all processes.
    pub most: u32,
    /// The share of an hour that only urgent classes may use.
    pub reserve_percent: i64,
    /// The silence this process knows of: one that was emptied learns it again.
    pub quiet: Quiet,
}

/// Why a call may not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// As many calls as may be are under way: this passes in a moment.
    Full,
    /// A rate-limit rule was hit.
    RateLimited,
    /// The instance was full.
    Busy,
    /// The hour is used up.
    Spent,
    /// What is left of the hour is kept for others.
    Reserve,
}

/// What a want got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// How many of the calls may be made now.
    pub granted: u32,
    /// Why the others may not; [`Why::Full`] when there are none.
    pub why: Why,
    /// When those may be tried again; 0 for [`Why::Full`].
    pub until: i64,
}

/// The answers of a step, in the order of its wants, and the state it left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// One a want.
    pub answers: Vec<Answer>,
    /// After the step.
    pub state: State,
}
