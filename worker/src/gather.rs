//! Group commit: what many ask for while one batch is on its way goes out together with the next.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot::{self, error::TryRecvError};

/// The most that goes out in one batch; it bounds the length of a transaction.
const BATCH: usize = 64;

/// Gathers concurrent calls of a process into batches. The first one goes out at once; those that come while it runs form the
/// next batch. No timer is needed: under load batches grow, without load nothing waits.
pub(crate) struct Gather<T, R> {
    waiting: Mutex<Vec<(T, oneshot::Sender<R>)>>,
    turn: tokio::sync::Mutex<()>,
}

impl<T, R> Default for Gather<T, R> {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

impl<T, R> Gather<T, R> {
    /// Hands `item` in and waits for its result. Whoever holds the turn runs the batch for all in it; `run` returns one result an
    /// item, in order. `None` when the one who ran the batch was cut off in the middle of it.
    pub(crate) async fn submit<F>(&self, item: T, run: impl Fn(Vec<T>) -> F) -> Option<R>
    where
        F: Future<Output = Vec<R>>,
    {
        let (answer, mut result) = oneshot::channel();
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((item, answer));
        loop {
            let _turn = self.turn.lock().await;
            match result.try_recv() {
                Ok(result) => return Some(result),
                Err(TryRecvError::Closed) => return None,
                Err(TryRecvError::Empty) => {}
            }
            let (items, answers): (Vec<T>, Vec<_>) = self.take().into_iter().unzip();
            for (answer, result) in answers.into_iter().zip(run(items).await) {
                // Whoever is gone does not need it.
                drop(answer.send(result));
            }
        }
    }

    fn take(&self) -> Vec<(T, oneshot::Sender<R>)> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(BATCH);
        waiting.drain(..count).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn concurrent_calls_share_batches_and_each_gets_its_own_result() {
        let gather = Gather::<u32, u32>::default();
        let batches = AtomicUsize::new(0);
        let calls = (0..200).map(|item| {
            gather.submit(item, |items| {
                batches.fetch_add(1, Ordering::SeqCst);
                async move {
                    tokio::task::yield_now().await;
                    items.into_iter().map(|item| item * 2).collect()
                }
            })
        });
        let results: Vec<Option<u32>> = join_all(calls).await;
        assert_eq!(results, (0..200).map(|it| Some(it * 2)).collect::<Vec<_>>());
        assert!(batches.load(Ordering::SeqCst) <= 5, "{batches:?}");
    }

    #[tokio::test]
    async fn a_lone_call_goes_out_at_once() {
        let gather = Gather::<u32, u32>::default();
        let result = gather.submit(7, |items| async move { items }).await;
        assert_eq!(result, Some(7));
    }
}
