use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::Notify, time::Instant};

use super::{BATCH_LIMIT, Broker, BrokerError, BrokerHealth, Doorbell, Lane, Popped};

/// The broker for one process: `ticketbridge up`, `demo`, and tests. Its bells end with the process, which is no loss: they are
/// rung again from SQL.
///
/// It keeps bells as values, so it never yields a [`BadDoorbell`](super::BadDoorbell), and none of its calls can fail. A dropped
/// `pop` loses nothing.
#[derive(Debug, Default)]
pub struct MemoryBroker {
    lanes: Mutex<BTreeMap<Lane, VecDeque<Doorbell>>>,
    pushed: Notify,
}

impl MemoryBroker {
    /// An empty broker.
    pub fn new() -> Self {
        Self::default()
    }

    fn lanes(&self) -> MutexGuard<'_, BTreeMap<Lane, VecDeque<Doorbell>>> {
        // A panic while the lock is held cannot leave a half-done change behind: each is one call on a VecDeque.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, lanes: &[Lane], max: usize) -> Vec<Popped> {
        let mut queues = self.lanes();
        for lane in lanes {
            if let Some(queue) = queues.get_mut(lane).filter(|queue| !queue.is_empty()) {
                let count = max.min(BATCH_LIMIT).min(queue.len());
                return queue
                    .drain(..count)
                    .map(|bell| popped(lane, bell))
                    .collect();
            }
        }
        Vec::new()
    }
}

#[async_trait]
impl Broker for MemoryBroker {
    async fn push(&self, lane: &Lane, doorbells: &[Doorbell]) -> Result<(), BrokerError> {
        let mut queues = self.lanes();
        let queue = queues.entry(lane.clone()).or_default();
        queue.extend(doorbells.iter().cloned());
        drop(queues);
        self.pushed.notify_waiters();
        Ok(())
    }

    async fn pop(
        &self,
        lanes: &[Lane],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Popped>, BrokerError> {
        let deadline = Instant::now() + wait;
        loop {
            // Registered before looking, so that a push between the look and the wait is not missed.
            let mut pushed = std::pin::pin!(self.pushed.notified());
            pushed.as_mut().enable();
            let taken = self.take(lanes, max);
            if !taken.is_empty() || max == 0 {
                return Ok(taken);
            }
            if tokio::time::timeout_at(deadline, pushed).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    async fn push_front(&self, lane: &Lane, doorbells: &[Doorbell]) -> Result<(), BrokerError> {
        let mut queues = self.lanes();
        let queue = queues.entry(lane.clone()).or_default();
        for bell in doorbells.iter().rev() {
            queue.push_front(bell.clone());
        }
        drop(queues);
        self.pushed.notify_waiters();
        Ok(())
    }

    async fn depth(&self, lanes: &[Lane]) -> Result<Vec<(Lane, u64)>, BrokerError> {
        let queues = self.lanes();
        let depth = |lane: &Lane| queues.get(lane).map_or(0, |queue| queue.len() as u64);
        Ok(lanes
            .iter()
            .map(|lane| (lane.clone(), depth(lane)))
            .collect())
    }

    async fn health(&self) -> Result<BrokerHealth, BrokerError> {
        Ok(BrokerHealth::Memory)
    }
}

fn popped(lane: &Lane, bell: Doorbell) -> Popped {
    Popped {
        lane: lane.clone(),
        bell: Ok(bell),
    }
}
