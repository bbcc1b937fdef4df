//! Callers that wait for something to happen. However many they are, one look at the store serves them all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::store::requests::{self, Goal};
use shared::store::{StoreError, jobs};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::Scheduler;

/// Ids of one statement.
const CHUNK: usize = 500;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Awaited {
    /// A request reaches a goal.
    Request(Uuid, Goal),
    /// A job ends.
    Job(Uuid),
}

/// Everything that is waited for in this process.
#[derive(Debug, Default)]
pub(crate) struct Waits(Mutex<HashMap<Awaited, Waiters>>);

#[derive(Debug, Default)]
struct Waiters {
    count: usize,
    reached: Arc<Notify>,
}

/// A place among those who wait; given up when dropped.
pub(crate) struct Place<'a> {
    waits: &'a Waits,
    awaited: Awaited,
    reached: Arc<Notify>,
}

impl Waits {
    pub(crate) fn enter(&self, awaited: Awaited) -> Place<'_> {
        let mut waiting = self.hold();
        let waiters = waiting.entry(awaited).or_default();
        waiters.count += 1;
        Place {
            waits: self,
            awaited,
            reached: Arc::clone(&waiters.reached),
        }
    }

    fn awaited(&self) -> Vec<Awaited> {
        self.hold().keys().copied().collect()
    }

    fn tell(&self, awaited: Awaited) {
        if let Some(waiters) = self.hold().get(&awaited) {
            waiters.reached.notify_waiters();
        }
    }

    fn hold(&self) -> MutexGuard<'_, HashMap<Awaited, Waiters>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Returns when it has happened, after `patience`, or when the process stops. Who comes between two looks is told at the
    /// next: what is waited for stays true once it is.
    pub(crate) async fn wait(&self, scheduler: &Scheduler, patience: Duration) {
        tokio::select! {
            () = self.reached.notified() => {}
            () = tokio::time::sleep(patience) => {}
            () = scheduler.stop.cancelled() => {}
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut waiters) = self.waits.hold().entry(self.awaited) {
            waiters.get_mut().count -= 1;
            if waiters.get().count == 0 {
                waiters.remove();
            }
        }
    }
}

/// One look for all who wait, and none when nobody does. How many things have happened.
pub async fn tick(scheduler: &Scheduler) -> anyhow::Result<usize> {
    let awaited = scheduler.waits.awaited();
    let mut happened = Vec::new();
    for goal in [Goal::Ticket, Goal::End] {
        let ids = awaited.iter().filter_map(|it| match it {
            Awaited::Request(id, wanted) if *wanted == goal => Some(*id),
            _ => None,
        });
        for some in ids.collect::<Vec<_>>().chunks(CHUNK) {
            let reached = requests::reached(scheduler.store.conn(), some, goal).await?;
            happened.extend(reached.into_iter().map(|id| Awaited::Request(id, goal)));
        }
    }
    happened.extend(ended_jobs(scheduler, &awaited).await?);
    for it in &happened {
        scheduler.waits.tell(*it);
    }
    Ok(happened.len())
}

async fn ended_jobs(
    scheduler: &Scheduler,
    awaited: &[Awaited],
) -> Result<Vec<Awaited>, StoreError> {
    let ids = awaited.iter().filter_map(|it| match it {
        Awaited::Job(id) => Some(*id),
        Awaited::Request(..) => None,
    });
    let mut happened = Vec::new();
    for some in ids.collect::<Vec<_>>().chunks(CHUNK) {
        let ended = jobs::ended(scheduler.store.conn(), some).await?;
        happened.extend(ended.into_iter().map(Awaited::Job));
    }
    Ok(happened)
}
