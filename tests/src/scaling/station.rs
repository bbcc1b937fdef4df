//! A place where work is done by some servers at the same time, first come, first served.

use std::collections::VecDeque;

/// Work of type `W`, each with the nanoseconds that it takes.
#[derive(Debug)]
pub(super) struct Station<W> {
    free: u32,
    queue: VecDeque<(W, u64)>,
}

impl<W> Station<W> {
    pub(super) fn new(servers: u32) -> Self {
        Self {
            free: servers,
            queue: VecDeque::new(),
        }
    }

    /// Takes work in; what begins now, if anything does.
    pub(super) fn arrive(&mut self, work: W, takes: u64) -> Option<(W, u64)> {
        if self.free == 0 {
            self.queue.push_back((work, takes));
            return None;
        }
        self.free -= 1;
        Some((work, takes))
    }

    /// Work has ended; what begins now, if anything waits.
    pub(super) fn leave(&mut self) -> Option<(W, u64)> {
        let next = self.queue.pop_front();
        if next.is_none() {
            self.free += 1;
        }
        next
    }
}
