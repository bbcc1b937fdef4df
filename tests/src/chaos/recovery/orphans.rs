//! The jobs that were in hand when their worker was killed, until another has them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use sea_orm::{DbBackend, FromQueryResult, Statement};
use shared::job::JobState;
use shared::store::{Store, jobs};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use uuid::Uuid;

use super::installation::Killed;

/// How often orphans are looked at: what is measured is too long by this at most.
const LOOK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_mins(2);

/// All of them, watched.
pub(super) struct Orphans {
    store: Store,
    seen: Arc<Mutex<Seen>>,
    watcher: AbortOnDropHandle<anyhow::Result<()>>,
}

#[derive(Default)]
struct Seen {
    /// The token each was held under, and when the holder was killed.
    waiting: HashMap<Uuid, (i64, Instant)>,
    started: Vec<Duration>,
}

#[derive(FromQueryResult)]
struct Held {
    id: Uuid,
    lease_token: i64,
}

impl Orphans {
    pub(super) fn watch(store: &Store) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let watcher = watch(store.clone(), Arc::clone(&seen));
        Self {
            store: store.clone(),
            seen,
            watcher: AbortOnDropHandle::new(TaskTracker::new().spawn(watcher)),
        }
    }

    /// Adds what a killed worker held; how many jobs. It is dead, so its rows stand still.
    pub(super) async fn of(&self, killed: Killed) -> anyhow::Result<usize> {
        // Identities are host-kind-pid-random.
        let query = Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT id, lease_token FROM jobs WHERE state = 'running' AND lease_owner LIKE $1",
            [format!("%-worker-{}-%", killed.process).into()],
        );
        let held = Held::find_by_statement(query)
            .all(self.store.conn())
            .await?;
        let mut seen = lock(&self.seen);
        for job in &held {
            seen.waiting.insert(job.id, (job.lease_token, killed.at));
        }
        Ok(held.len())
    }

    /// Waits until each has begun anew; how long each took.
    pub(super) async fn all_started(self) -> anyhow::Result<Vec<Duration>> {
        let waiting = async {
            while !lock(&self.seen).waiting.is_empty() {
                if self.watcher.is_finished() {
                    bail!("the watcher has ended");
                }
                sleep(LOOK).await;
            }
            Ok(())
        };
        let result = timeout(PATIENCE, waiting).await;
        let left = lock(&self.seen).waiting.len();
        result.with_context(|| format!("{left} jobs have not begun again"))??;
        Ok(std::mem::take(&mut lock(&self.seen).started))
    }
}

async fn watch(store: Store, seen: Arc<Mutex<Seen>>) -> anyhow::Result<()> {
    loop {
        sleep(LOOK).await;
        let waiting = lock(&seen).waiting.clone();
        for (id, (token, killed)) in waiting {
            let job = jobs::find(store.conn(), id)
                .await?
                .context("a job is gone")?;
            let mut seen = lock(&seen);
            if job.lease_token > token {
                seen.waiting.remove(&id);
                seen.started.push(killed.elapsed());
            } else if matches!(job.state, JobState::Done | JobState::Dead) {
                // Its end was on its way to the database when the worker died: there is nothing to recover.
                seen.waiting.remove(&id);
            }
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
