//! The integration semaphore: a few calls at a time, a short queue, 429 beyond it.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::knobs::Semaphore;
use crate::lock::hold;

/// Counts the calls worked on and waiting.
#[derive(Debug, Default, Clone)]
pub(crate) struct Gate {
    counts: Arc<Mutex<Counts>>,
    freed: Arc<Notify>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) running: u32,
    pub(crate) waiting: u32,
}

/// The right to be worked on; gives it back when dropped.
pub(crate) struct Pass(Gate);

/// The queue is full.
#[derive(Debug)]
pub(crate) struct Full;

impl Gate {
    /// Waits for a place. Without a semaphore everybody passes, but is counted.
    pub(crate) async fn enter(&self, semaphore: Option<Semaphore>) -> Result<Pass, Full> {
        let permits = semaphore.map_or(u32::MAX, |semaphore| semaphore.permits.max(1));
        if self.try_start(permits) {
            return Ok(Pass(self.clone()));
        }
        let queue = semaphore.map_or(0, |semaphore| semaphore.queue);
        let _place = self.wait_place(queue).ok_or(Full)?;
        loop {
            let freed = self.freed.notified();
            if self.try_start(permits) {
                return Ok(Pass(self.clone()));
            }
            freed.await;
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        *hold(&self.counts)
    }

    fn try_start(&self, permits: u32) -> bool {
        let mut counts = hold(&self.counts);
        let free = counts.running < permits;
        counts.running += u32::from(free);
        free
    }

    fn wait_place(&self, queue: u32) -> Option<Place> {
        let mut counts = hold(&self.counts);
        if counts.waiting >= queue {
            return None;
        }
        counts.waiting += 1;
        Some(Place(self.clone()))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut counts = hold(&self.0.counts);
        counts.running = counts.running.saturating_sub(1);
        drop(counts);
        self.0.freed.notify_waiters();
    }
}

/// A place in the queue; also a caller that hangs up gives it back.
struct Place(Gate);

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = hold(&self.0.counts);
        counts.waiting = counts.waiting.saturating_sub(1);
    }
}
