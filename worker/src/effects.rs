//! What a run wants written, as data. Handlers return it; `dispatch` writes it in the closing transaction.

use shared::job::NewJob;
use shared::request::{Request, RequestState};
use shared::store::audit::Actor;
use shared::store::choice_lists::Reading;
use shared::store::connection_checks::Made;
use shared::store::cursors::Cursor;
use shared::store::drift::Report;
use shared::store::notes::Note;
use shared::store::requests::Change;
use shared::ticket::Ticket;
use uuid::Uuid;

/// Everything one run wants written.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Tickets and their requests, in this order.
    pub(crate) subjects: Vec<Subject>,
    /// Notes that ServiceNow is known to hold.
    pub(crate) notes_sent: Vec<Uuid>,
    /// Notes whose last send was refused for certain, as they were before it.
    pub(crate) notes_refused: Vec<Note>,
    /// Jobs that follow.
    pub(crate) jobs: Vec<NewJob>,
    /// The cursor of a table, moved to where a run of reading ended.
    pub(crate) cursor: Option<CursorMove>,
    /// A cadence whose run has ended.
    pub(crate) cadence_finished: Option<String>,
    /// What was learned of tables.
    pub(crate) facts: Vec<Fact>,
    /// People looked up.
    pub(crate) people: Vec<FoundPerson>,
    /// How far a comparison with the instance has come.
    pub(crate) drift: Option<Report>,
    /// What a check of a connection has found.
    pub(crate) check: Option<Made>,
    /// The choice lists of a table.
    pub(crate) choices: Option<Reading>,
    /// Entries of the audit trail that stand for no change of a request.
    pub(crate) audit: Vec<Noted>,
}

/// Changes of one ticket and its request, written together or not at all.
#[derive(Debug, Default)]
pub(crate) struct Subject {
    /// The ticket before and after. When it changed in between, the whole subject is stale.
    pub(crate) ticket: Option<TicketChange>,
    /// What the request should become.
    pub(crate) wish: Option<Wish>,
    /// The request as the run read it. When it has moved on since then, the ticket is brought after it by a job of its own.
    pub(crate) follow: Option<Request>,
}

/// A ticket before and after.
#[derive(Debug)]
pub(crate) struct TicketChange {
    /// As it was read.
    pub(crate) before: Ticket,
    /// As it shall be stored.
    pub(crate) after: Ticket,
    /// What happens when it is no longer as it was read.
    pub(crate) when_stale: WhenStale,
}

/// What happens to a subject whose ticket changed in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenStale {
    /// It is left out: whoever changed the ticket knew something newer.
    Skip,
    /// Nothing of the run is written; the job runs again and reads what is true now.
    RunAgain,
}

/// What a request should become. It is granted on the request as it is in the closing transaction, and only as far as its
/// state may move: a final state is never left (T9).
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// The request.
    pub(crate) request_id: Uuid,
    /// The state it should enter.
    pub(crate) state: Option<RequestState>,
    /// Only from these states; empty means from any.
    pub(crate) only_from: &'static [RequestState],
    /// Why it enters the state; written only with it.
    pub(crate) reason: Option<String>,
    /// Whether a human should look.
    pub(crate) flag: Flag,
    /// On whose behalf.
    pub(crate) actor: Actor,
    /// The word in the audit trail.
    pub(crate) action: &'static str,
}

/// What becomes of the flag that calls a human.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Flag {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is set, with this text.
    Raise(String),
    /// It is taken away.
    Lower,
}

/// A cursor before and after; it moves by compare-and-set.
#[derive(Debug)]
pub(crate) struct CursorMove {
    /// As it was read; `None` when there was none.
    pub(crate) before: Option<Cursor>,
    /// Where it goes.
    pub(crate) after: Cursor,
}

/// An entry of the audit trail.
#[derive(Debug, Clone)]
pub(crate) struct Noted {
    /// On whose behalf.
    pub(crate) actor: Actor,
    /// What happened, in a dotted word.
    pub(crate) action: &'static str,
    /// `request`, `connection`, …
    pub(crate) subject_kind: &'static str,
    /// Its id or name.
    pub(crate) subject_id: String,
    /// The value before.
    pub(crate) from: Option<String>,
    /// The value after.
    pub(crate) to: Option<String>,
    /// Why, in words.
    pub(crate) reason: String,
}

/// What was learned of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fact {
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
pub(crate) struct FoundPerson {
    /// Name of the connection.
    pub(crate) connection: String,
    /// What was looked up.
    pub(crate) key: String,
    /// sys_id of the `sys_user`.
    pub(crate) sys_id: String,
    /// Display name.
    pub(crate) name: String,
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
            flag: Flag::Keep,
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
    pub(crate) fn raise(mut self, attention: impl Into<String>) -> Self {
        self.flag = Flag::Raise(attention.into());
        self
    }

    /// With the flag taken away when `settled`.
    pub(crate) fn lower_if(mut self, settled: bool) -> Self {
        if settled {
            self.flag = Flag::Lower;
        }
        self
    }

    /// What can be granted on the request as it is now.
    pub(crate) fn on(&self, current: &Request) -> Change {
        let allowed = |state: &RequestState| {
            current.state.may_become(*state)
                && (self.only_from.is_empty() || self.only_from.contains(&current.state))
        };
        let state = self.state.filter(allowed);
        let attention = match &self.flag {
            Flag::Keep => None,
            Flag::Raise(text) => Some(Some(text.clone())),
            Flag::Lower => Some(None),
        };
        Change {
            state,
            reason: state.map(|_| self.reason.clone()),
            attention,
            ..Change::default()
        }
    }

    /// Whether it asks for anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.is_none() && self.flag == Flag::Keep
    }
}

impl Subject {
    /// The request it is about; `None` when there is nothing to write.
    pub(crate) fn request_id(&self) -> Option<Uuid> {
        let ticket = self.ticket.as_ref().map(|it| it.before.request_id);
        let wish = || self.wish.as_ref().map(|it| it.request_id);
        let follow = || self.follow.as_ref().map(|it| it.id);
        ticket.or_else(wish).or_else(follow)
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
