use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many handlers of a worker may run at once; it can be changed while they run.
///
/// Fewer: handlers that run come to their end, and their slots are not given out again. More: bells are taken at once.
#[derive(Debug, Clone)]
pub struct Slots {
    free: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// Slots that are in use and will be taken away when they are free.
    owed: usize,
}

impl Slots {
    /// So many.
    pub fn new(limit: usize) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(limit)),
            state: Arc::new(Mutex::new(State { limit, owed: 0 })),
        }
    }

    /// How many there are.
    pub fn limit(&self) -> usize {
        self.state().limit
    }

    /// From now on so many.
    pub fn set(&self, limit: usize) {
        let mut state = self.state();
        let limit = limit.min(Semaphore::MAX_PERMITS);
        if limit > state.limit {
            let more = limit - state.limit;
            let kept = more.min(state.owed);
            state.owed -= kept;
            self.free.add_permits(more - kept);
        } else {
            state.owed += state.limit - limit;
            state.owed -= self.free.forget_permits(state.owed);
        }
        state.limit = limit;
    }

    /// All slots that are free, once there is one.
    pub(super) async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            let mut free = Arc::clone(&self.free).acquire_owned().await.ok()?;
            while let Ok(another) = Arc::clone(&self.free).try_acquire_owned() {
                free.merge(another);
            }
            self.settle(&mut free);
            if free.num_permits() > 0 {
                return Some(free);
            }
        }
    }

    /// Takes from `held`, which nothing runs in, what is owed.
    pub(super) fn settle(&self, held: &mut OwnedSemaphorePermit) {
        let mut state = self.state();
        let due = state.owed.min(held.num_permits());
        if let Some(owed) = held.split(due) {
            owed.forget();
            state.owed -= due;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Only sums are made under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many could begin now.
    fn free(slots: &Slots) -> usize {
        slots.free.available_permits()
    }

    #[tokio::test]
    async fn fewer_slots_wait_for_those_that_are_in_use() {
        let slots = Slots::new(4);
        let mut held = slots.acquire().await.unwrap();
        assert_eq!(held.num_permits(), 4);
        let running = held.split(3).unwrap();
        slots.set(2);
        // The one that nothing runs in is given up at once, the next with the first that ends.
        slots.settle(&mut held);
        assert_eq!((held.num_permits(), free(&slots)), (0, 0));
        drop(running);
        let held = slots.acquire().await.unwrap();
        assert_eq!(held.num_permits(), 2);
        drop(held);
        assert_eq!((free(&slots), slots.limit()), (2, 2));
    }

    #[tokio::test]
    async fn more_slots_first_pay_what_is_owed() {
        let slots = Slots::new(4);
        let running = slots.acquire().await.unwrap();
        slots.set(1);
        slots.set(3);
        assert_eq!(free(&slots), 0, "four run, which is more than three");
        slots.set(6);
        assert_eq!(free(&slots), 2);
        drop(running);
        assert_eq!(slots.acquire().await.unwrap().num_permits(), 6);
    }

    #[tokio::test]
    async fn idle_slots_go_at_once() {
        let slots = Slots::new(4);
        slots.set(1);
        assert_eq!(free(&slots), 1);
        slots.set(5);
        assert_eq!(free(&slots), 5);
    }
}
