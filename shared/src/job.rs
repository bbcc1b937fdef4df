//! A job: one unit of work that SQL remembers until it has ended.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::drift::Window;

/// The kinds of job. Kinds are versioned and added, never renamed or removed while a row may hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    /// Make the ticket of a request.
    CreateTicket,
    /// Read what changed in one table of one connection, or reconcile open tickets by id.
    GetTicketStatus,
    /// Bring the ticket to the state of its request, and write pending notes.
    UpdateServicenowStatus,
    /// Tell the source the newest state of a request.
    DeliverCallback,
    /// Compare the tickets of a table with the instance's own count of them.
    CheckDrift,
    /// Try a connection step by step, because an operator has asked for it.
    CheckConnection,
    /// Read the choice lists of a table, which are compared with the state maps.
    CheckChoices,
}

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::CreateTicket,
        Self::GetTicketStatus,
        Self::UpdateServicenowStatus,
        Self::DeliverCallback,
        Self::CheckDrift,
        Self::CheckConnection,
        Self::CheckChoices,
    ];

    /// One kind of each queue: some share theirs.
    pub const QUEUES: [Self; 4] = [
        Self::CreateTicket,
        Self::GetTicketStatus,
        Self::UpdateServicenowStatus,
        Self::DeliverCallback,
    ];

    /// The stored name, with its version.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateTicket => "create_ticket.v1",
            Self::GetTicketStatus => "get_ticket_status.v1",
            Self::UpdateServicenowStatus => "update_servicenow_status.v1",
            Self::DeliverCallback => "deliver_callback.v1",
            Self::CheckDrift => "check_drift.v1",
            Self::CheckConnection => "check_connection.v1",
            Self::CheckChoices => "check_choices.v1",
        }
    }

    /// The queue that carries it; the name used by `worker --queues`.
    pub fn queue(self) -> &'static str {
        match self {
            Self::CreateTicket => "create-ticket",
            Self::GetTicketStatus
            | Self::CheckDrift
            | Self::CheckConnection
            | Self::CheckChoices => "ticket-status",
            Self::UpdateServicenowStatus => "update-status",
            Self::DeliverCallback => "callback",
        }
    }
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A stored kind that this program does not know: written by a newer version, left for it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("job kind `{0}` is not known to this version; a newer worker must run it")]
pub struct UnknownKind(pub String);

impl FromStr for JobKind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| UnknownKind(word.to_owned()))
    }
}

/// The states of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// To be rung when `due_at` has come.
    Due,
    /// A doorbell was pushed; no worker has claimed it yet.
    Rung,
    /// A worker holds its lease.
    Running,
    /// Ended well.
    Done,
    /// Waits for somebody to mend the configuration of its lane; uses up no attempt.
    Parked,
    /// Ended badly; kept for the operator.
    Dead,
    /// Ended because its request no longer needs it.
    Cancelled,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Due,
        Self::Rung,
        Self::Running,
        Self::Done,
        Self::Parked,
        Self::Dead,
        Self::Cancelled,
    ];

    /// Whether a job never leaves it by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Dead | Self::Cancelled)
    }

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Rung => "rung",
            Self::Running => "running",
            Self::Done => "done",
            Self::Parked => "parked",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A word that is no job state.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no job state")]
pub struct UnknownJobState(pub String);

impl FromStr for JobState {
    type Err = UnknownJobState;

    fn from_str(word: &str) -> Result<Self, UnknownJobState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| UnknownJobState(word.to_owned()))
    }
}

/// What a job works on: ids only, in the stored JSON form of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// `create_ticket.v1`.
    CreateTicket(ForRequest),
    /// `get_ticket_status.v1`.
    GetTicketStatus(StatusRead),
    /// `update_servicenow_status.v1`.
    UpdateServicenowStatus(ForRequest),
    /// `deliver_callback.v1`.
    DeliverCallback(ForRequest),
    /// `check_drift.v1`.
    CheckDrift(DriftCheck),
    /// `check_connection.v1`.
    CheckConnection(ConnectionCheck),
    /// `check_choices.v1`.
    CheckChoices(ChoicesCheck),
}

/// The payload of jobs about one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForRequest {
    /// The request.
    pub request_id: Uuid,
}

/// The payload of one page of status reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum StatusRead {
    /// The rows of a table that changed since the stored cursor.
    Changes {
        /// Name of the connection.
        connection: String,
        /// Table that is read.
        table: String,
        /// Where the page before this one ended; `None` for the first page of a run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<PageEnd>,
    },
    /// Open tickets of a table by id, whether or not they changed.
    Reconcile {
        /// Name of the connection.
        connection: String,
        /// Table that is read.
        table: String,
        /// The last request id of the page before this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Uuid>,
    },
    /// One ticket, now.
    One {
        /// Its request.
        request_id: Uuid,
    },
}

/// Where a page of changed rows ended (wire contract 2.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageEnd {
    /// Raw `sys_updated_on` of the last row, UTC.
    pub updated_on: String,
    /// Its `sys_id`, opaque.
    pub sys_id: String,
    /// Rows after the place that are known to be hidden by access rules.
    #[serde(default)]
    pub offset: u64,
    /// The newest `sys_updated_on` that this run has seen: the cursor once the run ends, if the run began no earlier.
    pub newest: String,
    /// The server's time when the first page of the run was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<String>,
}

/// The payload of one page of a comparison with the instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftCheck {
    /// Name of the connection.
    pub connection: String,
    /// Table that is compared.
    pub table: String,
    /// What is left of a run; `None` begins one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<DriftRest>,
}

/// What is left of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftRest {
    /// The report of the run.
    pub report: Uuid,
    /// Windows that differ and were not looked into; the last comes first.
    pub windows: Vec<Window>,
}

/// The payload of a check of a connection. The check has the id of its job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionCheck {
    /// Name of the connection.
    pub connection: String,
}

impl ConnectionCheck {
    /// The key that keeps a second check of a connection out while one has not ended.
    pub fn key(connection: &str) -> String {
        format!("check:{connection}")
    }
}

/// The payload of a reading of choice lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChoicesCheck {
    /// Name of the connection.
    pub connection: String,
    /// Table whose columns are looked at.
    pub table: String,
}

/// A stored payload that does not fit its kind.
#[derive(Debug, thiserror::Error)]
#[error("the payload of a {kind} job does not read: {source}")]
pub struct BadPayload {
    /// The kind that was asked to read it.
    pub kind: JobKind,
    /// What serde says.
    pub source: serde_json::Error,
}

impl Payload {
    /// The kind this payload belongs to.
    pub fn kind(&self) -> JobKind {
        match self {
            Self::CreateTicket(_) => JobKind::CreateTicket,
            Self::GetTicketStatus(_) => JobKind::GetTicketStatus,
            Self::UpdateServicenowStatus(_) => JobKind::UpdateServicenowStatus,
            Self::DeliverCallback(_) => JobKind::DeliverCallback,
            Self::CheckDrift(_) => JobKind::CheckDrift,
            Self::CheckConnection(_) => JobKind::CheckConnection,
            Self::CheckChoices(_) => JobKind::CheckChoices,
        }
    }

    /// The stored JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let written = match self {
            Self::CreateTicket(it)
            | Self::UpdateServicenowStatus(it)
            | Self::DeliverCallback(it) => serde_json::to_value(it),
            Self::GetTicketStatus(it) => serde_json::to_value(it),
            Self::CheckDrift(it) => serde_json::to_value(it),
            Self::CheckConnection(it) => serde_json::to_value(it),
            Self::CheckChoices(it) => serde_json::to_value(it),
        };
        written.expect("payloads hold only strings, numbers and ids")
    }

    /// Reads the stored JSON of a kind.
    pub fn from_json(kind: JobKind, json: &serde_json::Value) -> Result<Self, BadPayload> {
        let bad = |source| BadPayload { kind, source };
        Ok(match kind {
            JobKind::CreateTicket => {
                Self::CreateTicket(ForRequest::deserialize(json).map_err(bad)?)
            }
            JobKind::GetTicketStatus => {
                Self::GetTicketStatus(StatusRead::deserialize(json).map_err(bad)?)
            }
            JobKind::UpdateServicenowStatus => {
                Self::UpdateServicenowStatus(ForRequest::deserialize(json).map_err(bad)?)
            }
            JobKind::DeliverCallback => {
                Self::DeliverCallback(ForRequest::deserialize(json).map_err(bad)?)
            }
            JobKind::CheckDrift => Self::CheckDrift(DriftCheck::deserialize(json).map_err(bad)?),
            JobKind::CheckConnection => {
                Self::CheckConnection(ConnectionCheck::deserialize(json).map_err(bad)?)
            }
            JobKind::CheckChoices => {
                Self::CheckChoices(ChoicesCheck::deserialize(json).map_err(bad)?)
            }
        })
    }
}

/// A job to be inserted in the transaction of the fact that causes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// What to do.
    pub payload: Payload,
    /// Name of the connection it calls; `None` for callbacks.
    pub connection: Option<String>,
    /// The request it is about, if it is about one.
    pub request_id: Option<Uuid>,
    /// Smaller runs first among due jobs of a lane; 3 is usual.
    pub priority: i16,
    /// When it may run.
    pub due_at: DateTime<Utc>,
    /// While a job with this key has not ended, another with the same key is not inserted.
    pub dedup_key: Option<String>,
    /// W3C trace context of whoever caused it.
    pub traceparent: Option<String>,
}

impl NewJob {
    /// The lane that carries it: `create-ticket@main`, or `callback`.
    pub fn lane(&self) -> String {
        lane_name(self.payload.kind(), self.connection.as_deref())
    }
}

/// The lane of a kind for a connection.
pub fn lane_name(kind: JobKind, connection: Option<&str>) -> String {
    match connection {
        Some(connection) => format!("{}@{connection}", kind.queue()),
        None => kind.queue().to_owned(),
    }
}

/// From so many workers in a row that died while they held it, a job is a suspect: no other suspect runs beside it, so that it is
/// known who is to blame.
pub const SUSPECT: i32 = 2;

/// After so many workers in a row that died while they held it, a job is poison and is not run again.
pub const POISON: i32 = 3;

/// A claimed job: the right to run it, and to write its end, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The job.
    pub id: Uuid,
    /// Its kind as stored; may be unknown to this program.
    pub kind: String,
    /// Its payload as stored.
    pub payload: serde_json::Value,
    /// Its lane.
    pub lane: String,
    /// Its connection.
    pub connection: Option<String>,
    /// Its request.
    pub request_id: Option<Uuid>,
    /// Attempts used up before this run (429 and parking use none).
    pub attempts: i32,
    /// When its first attempt began, for retry windows bounded in time.
    pub first_started_at: DateTime<Utc>,
    /// Trace context.
    pub traceparent: Option<String>,
    /// How many workers in a row have died while they held it.
    pub worker_deaths: i32,
    /// Why it is to end as dead without being run: an operator's word.
    pub sentence: Option<String>,
    /// The lease under which the run must be finished.
    pub lease: Lease,
}

/// Who may finish a job: `finish` names owner and token in its WHERE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Unique identity of the worker process.
    pub owner: String,
    /// Fencing token: one higher with each claim of the job. 1 means that it was never claimed before.
    pub token: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_payloads_keep_their_stored_form() {
        let id = Uuid::from_u128(1);
        let all = [
            Payload::CreateTicket(ForRequest { request_id: id }),
            Payload::GetTicketStatus(StatusRead::Changes {
                connection: "main".into(),
                table: "incident".into(),
                after: Some(PageEnd {
                    updated_on: "2026-01-02 03:04:05".into(),
                    sys_id: "a".into(),
                    offset: 0,
                    newest: "2026-01-02 03:04:05".into(),
                    began: None,
                }),
            }),
            Payload::GetTicketStatus(StatusRead::Reconcile {
                connection: "main".into(),
                table: "sc_req_item".into(),
                after: None,
            }),
            Payload::GetTicketStatus(StatusRead::One { request_id: id }),
            Payload::UpdateServicenowStatus(ForRequest { request_id: id }),
            Payload::DeliverCallback(ForRequest { request_id: id }),
            Payload::CheckDrift(DriftCheck {
                connection: "main".into(),
                table: "incident".into(),
                rest: None,
            }),
            Payload::CheckDrift(DriftCheck {
                connection: "main".into(),
                table: "incident".into(),
                rest: Some(DriftRest {
                    report: id,
                    windows: vec![Window {
                        from: "2026-01-02 03:04:05".into(),
                        to: "2026-01-03 03:04:05".into(),
                    }],
                }),
            }),
            Payload::CheckConnection(ConnectionCheck {
                connection: "main".into(),
            }),
            Payload::CheckChoices(ChoicesCheck {
                connection: "main".into(),
                table: "incident".into(),
            }),
        ];
        let stored: Vec<_> = all
            .iter()
            .map(|it| (it.kind().as_str(), it.to_json()))
            .collect();
        insta::assert_json_snapshot!(stored);
        for payload in all {
            assert_eq!(
                Payload::from_json(payload.kind(), &payload.to_json()).unwrap(),
                payload
            );
        }
    }

    #[test]
    fn unknown_kinds_and_fields_are_refused() {
        assert!("create_ticket.v2".parse::<JobKind>().is_err());
        let odd = serde_json::json!({"request_id": Uuid::nil(), "more": 1});
        assert!(Payload::from_json(JobKind::CreateTicket, &odd).is_err());
    }
}
