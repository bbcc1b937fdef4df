//! Removes what is older than it is to be kept: oldest first, a page at a time, so that no statement touches many rows.
//!
//! What belongs to a request stays as long as the request has not ended or has a job that has not, such as the delivery of a callback.

mod attempts;
mod audit;
mod drift_reports;
mod events;
mod held;
mod jobs;
mod months;
mod partitions;
mod requests;
mod walks;

pub use months::Month;
pub use partitions::{Dropped, MONTHLY, Monthly, drop_oldest, ensure_months};
pub use walks::{Walk, due, leave, take};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::ids::first_id;
use super::{StoreError, Tx};

/// Rows that one statement looks at.
const PAGE: i64 = 1_000;
/// Each request brings the rows that hang on it.
const REQUESTS_A_PAGE: i64 = 200;

/// States in which a request has ended.
const ENDED: &str = "('fulfilled', 'denied', 'cancelled')";
/// States in which a job has ended.
const OVER: &str = "('done', 'cancelled', 'dead')";

/// What is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Jobs that have ended.
    Jobs,
    /// Runs of jobs, with the calls they made.
    Attempts,
    /// The feed.
    Events,
    /// Requests that have ended, with all that hangs on them but the audit trail.
    Requests,
    /// The audit trail.
    Audit,
    /// Reports of comparisons with the instances.
    DriftReports,
}

impl Kind {
    /// Every kind. Requests come last: then most of what hangs on them is gone already.
    pub const ALL: [Self; 6] = [
        Self::Jobs,
        Self::Attempts,
        Self::Events,
        Self::Audit,
        Self::DriftReports,
        Self::Requests,
    ];

    /// Its name in tables, metrics and the audit trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Attempts => "attempts",
            Self::Events => "events",
            Self::Requests => "requests",
            Self::Audit => "audit",
            Self::DriftReports => "drift_reports",
        }
    }
}

/// What is older than this is removed; `None`: it is kept for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// By the end of the job. A dead job holds its request until then, too.
    pub jobs: Option<DateTime<Utc>>,
    /// By the end of the run.
    pub attempts: Option<DateTime<Utc>>,
    /// By the change that is told.
    pub events: Option<DateTime<Utc>>,
    /// By the last change of the request.
    pub requests: Option<DateTime<Utc>>,
    /// By the deed.
    pub audit: Option<DateTime<Utc>>,
    /// By the begin of the comparison.
    pub drift_reports: Option<DateTime<Utc>>,
    /// Idempotency keys that are older are no longer in force.
    pub keys: DateTime<Utc>,
}

impl Limits {
    /// The limit of a kind.
    pub fn of(&self, kind: Kind) -> Option<DateTime<Utc>> {
        match kind {
            Kind::Jobs => self.jobs,
            Kind::Attempts => self.attempts,
            Kind::Events => self.events,
            Kind::Requests => self.requests,
            Kind::Audit => self.audit,
            Kind::DriftReports => self.drift_reports,
        }
    }
}

/// What became of a page of old rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Rows that were removed; of requests, the requests.
    pub removed: u64,
    /// Where the next page begins; `None` when nothing older than the limit is left to be looked at.
    pub next: Option<String>,
}

/// Removes what may go of the next page behind `position`; `None`: from the oldest row on.
pub async fn remove_page(
    tx: &Tx,
    kind: Kind,
    position: Option<&str>,
    limits: &Limits,
) -> Result<Page, StoreError> {
    let Some(limit) = limits.of(kind) else {
        return Ok(Page {
            removed: 0,
            next: None,
        });
    };
    match kind {
        Kind::Jobs => jobs::remove(tx, position, limit).await,
        Kind::Attempts => attempts::remove(tx, position, limit).await,
        Kind::Events => events::remove(tx, position, limit).await,
        Kind::Audit => audit::remove(tx, position, limit).await,
        Kind::DriftReports => drift_reports::remove(tx, position, limit).await,
        Kind::Requests => requests::remove(tx, position, limit, limits).await,
    }
}

/// Where a walk over ids goes on.
fn id_behind(position: Option<&str>) -> Result<Uuid, StoreError> {
    position.map_or(Ok(Uuid::nil()), |text| {
        text.parse()
            .map_err(|error| StoreError::corrupt("position of a walk", error))
    })
}

/// Where a walk over numbers goes on.
fn number_behind(position: Option<&str>) -> Result<i64, StoreError> {
    position.map_or(Ok(0), |text| {
        text.parse()
            .map_err(|error| StoreError::corrupt("position of a walk", error))
    })
}
