//! Jobs: inserted with the fact that causes them, rung, claimed under a lease, finished under the same lease.

mod acquit;
mod act;
mod cancel;
mod claim;
mod finish;
mod hasten;
mod held;
mod insert;
mod operate;
mod read;
mod reclaim;
mod ring;
mod search;

pub use acquit::{acquit, had_suspect};
pub use act::{Acted, JobAction, act};
pub use cancel::{Cancel, cancel_unstarted};
pub use claim::{claim, unclaim};
pub use finish::{Ending, finish, finish_all};
pub use hasten::{HASTENED, hasten};
pub use held::{Among, count_held};
pub(super) use insert::insertion;
pub use insert::{insert, insert_due, insert_many};
pub use operate::{revive, unpark};
pub use read::{
    Job, LaneCount, counts, ended, find, find_of_source, held_by, is_live, of_request, states,
};
pub use reclaim::{Reclaimed, hand_back, reclaim};
pub use ring::{LaneDue, lanes_waiting, ring_again, take_checks, take_due};
pub use search::{JobFilter, JobPage, count_matching, search};

use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::StoreError;
use crate::job::JobKind;

/// What a doorbell needs to know of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedJob {
    /// The job.
    pub id: Uuid,
    /// The lane to push it to.
    pub lane: String,
    /// Its kind.
    pub kind: JobKind,
    /// Trace context.
    pub traceparent: Option<String>,
    /// Whether the row says that it was rung: then it is to be pushed after the commit.
    pub rung: bool,
    /// Whether its bell goes to the front of the lane: its worker was lost, and it has waited its turn once.
    pub first: bool,
}

/// What [`reclaim`] writes as the class of the last error.
const WORKER_LOST: &str = "worker_lost";

/// The kinds that this program knows. Jobs of newer kinds are left to the newer program that wrote them.
fn known_kinds() -> Vec<String> {
    JobKind::ALL
        .iter()
        .map(|kind| kind.as_str().to_owned())
        .collect()
}

/// The job that holds a dedup key.
#[derive(FromQueryResult)]
struct Holder {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct QueuedRow {
    id: Uuid,
    lane: String,
    kind: String,
    traceparent: Option<String>,
    last_error_class: Option<String>,
}

/// What an `UPDATE` of jobs returns for a [`QueuedRow`].
const RETURNING_QUEUED: &str = " RETURNING id, lane, kind, traceparent, last_error_class";

impl QueuedRow {
    fn queued(self, rung: bool) -> Result<QueuedJob, StoreError> {
        let kind = self
            .kind
            .parse()
            .map_err(|error| StoreError::corrupt("job", error))?;
        Ok(QueuedJob {
            id: self.id,
            lane: self.lane,
            kind,
            traceparent: self.traceparent,
            rung,
            first: self.last_error_class.as_deref() == Some(WORKER_LOST),
        })
    }
}
