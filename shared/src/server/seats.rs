//! Who is connected, and who of them waits for its client.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The places of a server.
#[derive(Debug)]
pub(super) struct Seats {
    most: usize,
    taken: Mutex<Taken>,
    /// Told when a seat is given back and when somebody begins to wait.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    seated: usize,
    /// Seated ones that were asked to leave.
    leaving: usize,
    /// By the order in which they began to wait.
    waiting: BTreeMap<u64, CancellationToken>,
    next: u64,
}

/// The place of one connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    /// Cancelled when the connection has to go.
    leave: CancellationToken,
    /// Its number among the waiting.
    waits_as: Mutex<u64>,
}

/// As long as this lives the connection is being answered.
#[derive(Debug)]
pub(super) struct Answering(Arc<Seat>);

impl Seats {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            taken: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// A place, which waits for its client at first. When all are taken, the connection that has waited longest has to go; when
    /// none waits, this lasts until one does or goes.
    pub(super) async fn take(self: &Arc<Self>) -> Arc<Seat> {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(seat) = self.try_take() {
                return seat;
            }
            changed.await;
        }
    }

    fn try_take(self: &Arc<Self>) -> Option<Arc<Seat>> {
        let mut taken = self.hold();
        if taken.seated == self.most {
            if taken.leaving == 0 {
                taken.free_one();
            }
            return None;
        }
        taken.seated += 1;
        let leave = CancellationToken::new();
        let number = taken.wait(leave.clone());
        Some(Arc::new(Seat {
            seats: Arc::clone(self),
            leave,
            waits_as: Mutex::new(number),
        }))
    }

    /// Closes the connection that has waited longest, if any waits.
    pub(super) fn free_one(&self) {
        self.hold().free_one();
    }

    /// Closes all connections that wait.
    pub(super) fn free_all(&self) {
        let mut taken = self.hold();
        while taken.free_one() {}
    }

    fn hold(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn wait(&mut self, leave: CancellationToken) -> u64 {
        self.next += 1;
        self.waiting.insert(self.next, leave);
        self.next
    }

    fn free_one(&mut self) -> bool {
        let Some((_, longest)) = self.waiting.pop_first() else {
            return false;
        };
        self.leaving += 1;
        longest.cancel();
        true
    }
}

impl Seat {
    /// Ready when the connection has to go.
    pub(super) async fn has_to_go(&self) {
        self.leave.cancelled().await;
    }

    /// A request has come; the connection waits again when the answer to it is dropped.
    pub(super) fn answering(self: &Arc<Self>) -> Answering {
        let number = *self.number();
        self.seats.hold().waiting.remove(&number);
        Answering(Arc::clone(self))
    }

    fn number(&self) -> MutexGuard<'_, u64> {
        self.waits_as.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let seat = &self.0;
        // Who was asked to leave is counted already.
        if !seat.leave.is_cancelled() {
            *seat.number() = seat.seats.hold().wait(seat.leave.clone());
            seat.seats.changed.notify_waiters();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let number = *self.number();
        let mut taken = self.seats.hold();
        taken.waiting.remove(&number);
        taken.seated -= 1;
        if self.leave.is_cancelled() {
            taken.leaving -= 1;
        }
        drop(taken);
        self.seats.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        future.now_or_never()
    }

    #[test]
    fn the_longest_waiting_goes_when_a_place_is_needed() {
        let seats = Arc::new(Seats::new(3));
        let [first, second, third] = [0; 3].map(|_| now(seats.take()).unwrap());
        let answering = first.answering();
        let mut newcomer = Box::pin(seats.take());
        assert!(now(&mut newcomer).is_none());
        assert!(now(second.has_to_go()).is_some(), "it has waited longest");
        assert!(now(first.has_to_go()).is_none(), "it is being answered");
        assert!(now(&mut newcomer).is_none());
        assert!(now(third.has_to_go()).is_none(), "one place is enough");
        drop(second);
        let newcomer = now(newcomer).expect("a place is free");
        drop(answering);
        seats.free_all();
        for gone in [&first, &third, &newcomer] {
            assert!(now(gone.has_to_go()).is_some());
        }
        drop((first, third, newcomer));
        let taken = seats.hold();
        assert_eq!(
            (taken.seated, taken.leaving, taken.waiting.len()),
            (0, 0, 0)
        );
    }

    #[test]
    fn nobody_who_is_answered_has_to_go() {
        let seats = Arc::new(Seats::new(1));
        let first = now(seats.take()).unwrap();
        let answering = first.answering();
        let mut newcomer = Box::pin(seats.take());
        seats.free_one();
        assert!(now(&mut newcomer).is_none());
        assert!(now(first.has_to_go()).is_none());
        drop(answering);
        assert!(now(&mut newcomer).is_none());
        assert!(now(first.has_to_go()).is_some(), "it waits now");
        drop(first);
        assert!(now(newcomer).is_some());
    }
}
