//! What a run wants written, as data. Handlers return it; `dispatch` writes it in the closing transaction.

use shared::job::NewJob;
use shared::request::{Request, RequestState};
use shared::store::audit::Actor;
use shared::store::cursors::Cursor;
use shared::store::requests::Change;
use shared::ticket::Ticket;
use uuid::Uuid;

/// Everything one run wants written.
#[derive(Debug, Default)]
pub struct Effects {
    /// Tickets and their requests, in this order.
    pub subjects: Vec<Subject>,
    /// Notes that ServiceNow is known to hold.
    pub notes_sent: Vec<Uuid>,
    /// Jobs that follow.
    pub jobs: Vec<NewJob>,
    /// The cursor of a table, moved to where a run of reading ended.
    pub cursor: Option<CursorMove>,
    /// A cadence whose run has ended.
    pub cadence_finished: Option<String>,
    /// What was learned of tables.
    pub facts: Vec<Fact>,
    /// People looked up.
    pub people: Vec<FoundPerson>,
    /// Entries of the audit trail that stand for no change of a request.
    pub audit: Vec<Noted>,
}

/// Changes of one ticket and its request, written together or not at all.
#[derive(Debug, Default)]
pub struct Subject {
    /// The ticket before and after. When it changed in between, the whole subject is stale.
    pub ticket: Option<TicketChange>,
    /// What the request should become.
    pub wish: Option<Wish>,
    /// The request as the run read it. When it has moved on since then, the ticket is brought after it by a job of its own.
    pub follow: Option<Request>,
}

/// A ticket before and after.
#[derive(Debug)]
pub struct TicketChange {
    /// As it was read.
    pub before: Ticket,
    /// As it shall be stored.
    pub after: Ticket,
    /// What happens when it is no longer as it was read.
    pub when_stale: WhenStale,
}

/// What happens to a subject whose ticket changed in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenStale {
    /// It is left out: whoever changed the ticket knew something newer.
    Skip,
    /// Nothing of the run is written; the job runs again and reads what is true now.
    RunAgain,
}

/// What a request should become. It is granted on the request as it is in the closing transaction, and only as far as its
/// state may move: a final state is never left (T9).
#[derive(Debug, Clone)]
pub struct Wish {
    /// The request.
    pub request_id: Uuid,
    /// The state it should enter.
    pub state: Option<RequestState>,
    /// Only from these states; empty means from any.
    pub only_from: &'static [RequestState],
    /// Why it enters the state; written only with it.
    pub reason: Option<String>,
    /// `Some(None)` takes the flag away.
    pub attention: Option<Option<String>>,
    /// On whose behalf.
    pub actor: Actor,
    /// The word in the audit trail.
    pub action: &'static str,
}

/// A cursor before and after; it moves by compare-and-set.
#[derive(Debug)]
pub struct CursorMove {
    /// As it was read; `None` when there was none.
    pub before: Option<Cursor>,
    /// Where it goes.
    pub after: Cursor,
}

/// An entry of the audit trail.
#[derive(Debug, Clone)]
pub struct Noted {
    /// On whose behalf.
    pub actor: Actor,
    /// What happened, in a dotted word.
    pub action: &'static str,
    /// `request`, `connection`, …
    pub subject_kind: &'static str,
    /// Its id or name.
    pub subject_id: String,
    /// The value before.
    pub from: Option<String>,
    /// The value after.
    pub to: Option<String>,
    /// Why, in words.
    pub reason: String,
}

/// What was learned of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Whether it keeps the `sys_id` we choose (wire contract 12.1).
    HonoursSysId {
        /// Name of the connection.
        connection: String,
        /// Table.
        table: String,
        /// What its echo showed.
        honours: bool,
    },
    /// Times in queries are read as UTC (wire contract 2.4).
    ZoneIsUtc {
        /// Name of the connection.
        connection: String,
        /// Table.
        table: String,
    },
}

/// A person of the directory, to be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPerson {
    /// Name of the connection.
    pub connection: String,
    /// What was looked up.
    pub key: String,
    /// sys_id of the `sys_user`.
    pub sys_id: String,
    /// Display name.
    pub name: String,
}

impl Wish {
    /// The word in the audit trail for a callback that is dead.
    pub(crate) const CALLBACK_DEAD: &str = "callback.dead";

    /// A wish of the bridge itself that changes nothing yet.
    pub(crate) fn of(request_id: Uuid, action: &'static str) -> Self {
        Self {
            request_id,
            state: None,
            only_from: &[],
            reason: None,
            attention: None,
            actor: Actor::System("worker"),
            action,
        }
    }

    /// Enter `state`, for `reason`.
    pub(crate) fn enter(mut self, state: RequestState, reason: Option<String>) -> Self {
        self.state = Some(state);
        self.reason = reason;
        self
    }

    /// Flag for a human.
    pub(crate) fn flag(mut self, attention: impl Into<String>) -> Self {
        self.attention = Some(Some(attention.into()));
        self
    }

    /// What can be granted on the request as it is now.
    pub(crate) fn on(&self, current: &Request) -> Change {
        let allowed = |state: &RequestState| {
            current.state.may_become(*state)
                && (self.only_from.is_empty() || self.only_from.contains(&current.state))
        };
        let state = self.state.filter(allowed);
        Change {
            state,
            reason: state.map(|_| self.reason.clone()),
            attention: self
                .attention
                .clone()
                .filter(|wanted| *wanted != current.attention),
            ..Change::default()
        }
    }

    /// Whether it asks for anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.is_none() && self.attention.is_none()
    }
}

impl Effects {
    /// The effects of one subject.
    pub(crate) fn of(subject: Subject) -> Self {
        Self {
            subjects: vec![subject],
            ..Self::default()
        }
    }
}
