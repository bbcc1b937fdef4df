use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures::task::AtomicWaker;

use super::Rung;

/// Bells between fetcher and worker. It stays almost empty: nothing is fetched without a free handler. Either side can take
/// from it, so that at a stop the fetcher hands back at once what the worker, busy with its last handlers, will not begin.
#[derive(Default)]
pub(super) struct Buffer {
    state: Mutex<State>,
    worker: AtomicWaker,
}

#[derive(Default)]
struct State {
    bells: VecDeque<Rung>,
    closed: bool,
}

impl Buffer {
    pub(super) fn put(&self, bells: impl IntoIterator<Item = Rung>) {
        self.state().bells.extend(bells);
        self.worker.wake();
    }

    /// The next bell; none once closed.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Rung>> {
        // Registered before looking, so that a bell put in between wakes the worker.
        self.worker.register(cx.waker());
        let mut state = self.state();
        match state.bells.pop_front() {
            Some(rung) => Poll::Ready(Some(rung)),
            None if state.closed => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// Closes it and returns what was not taken.
    pub(super) fn close(&self) -> VecDeque<Rung> {
        let mut state = self.state();
        state.closed = true;
        let left = std::mem::take(&mut state.bells);
        drop(state);
        self.worker.wake();
        left
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
