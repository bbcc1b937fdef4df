//! Group commit: what many ask for while one batch is on its way goes out together with the next.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};

/// The most that goes out in one batch; it bounds the length of a transaction.
const BATCH: usize = 128;

/// Gathers concurrent calls of a process into batches. The first one goes out at once; those that come while it runs form the
/// next batch. No timer is needed: under load batches grow, without load nothing waits.
///
/// When those that wait would fill a batch, it goes out beside the one under way: a commit that waits for the disk holds up
/// half of them at most.
pub(crate) struct Gather<T, R> {
    waiting: Mutex<Vec<(T, oneshot::Sender<R>)>>,
    turn: tokio::sync::Mutex<()>,
    beside: Semaphore,
}

impl<T, R> Default for Gather<T, R> {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            beside: Semaphore::new(1),
        }
    }
}

impl<T, R> Gather<T, R> {
    /// Hands `item` in and waits for its result. Whoever has the turn runs a batch for all in it; `run` returns one result an
    /// item, in order. `None` when the one who ran the batch was cut off in the middle of it.
    pub(crate) async fn submit<F>(&self, item: T, run: impl Fn(Vec<T>) -> F) -> Option<R>
    where
        F: Future<Output = Vec<R>>,
    {
        let (answer, mut result) = oneshot::channel();
        let is_full = {
            let mut waiting = self.waiting();
            waiting.push((item, answer));
            waiting.len() >= BATCH
        };
        if is_full && let Ok(_beside) = self.beside.try_acquire() {
            self.run_batch(&run).await;
        }
        loop {
            // Whoever has a result leaves the queue for the turn: the next batch does not wait until all of them have woken.
            let turn = tokio::select! {
                biased;
                result = &mut result => return result.ok(),
                turn = self.turn.lock() => turn,
            };
            if !self.run_batch(&run).await {
                // The item is in the batch beside this turn.
                drop(turn);
                return result.await.ok();
            }
        }
    }

    /// False when nobody waits.
    async fn run_batch<F>(&self, run: &impl Fn(Vec<T>) -> F) -> bool
    where
        F: Future<Output = Vec<R>>,
    {
        let (items, answers): (Vec<T>, Vec<_>) = self.take().into_iter().unzip();
        if items.is_empty() {
            return false;
        }
        for (answer, result) in answers.into_iter().zip(run(items).await) {
            // Whoever is gone does not need it.
            drop(answer.send(result));
        }
        true
    }

    fn take(&self) -> Vec<(T, oneshot::Sender<R>)> {
        let mut waiting = self.waiting();
        let count = waiting.len().min(BATCH);
        waiting.drain(..count).collect()
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(T, oneshot::Sender<R>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[tokio::test]
    async fn a_full_batch_goes_out_beside_the_one_under_way() {
        let gather = Gather::<usize, usize>::default();
        let (release, held) = oneshot::channel::<()>();
        let held = Mutex::new(Some(held));
        let run = |items: Vec<usize>| {
            // The first batch, of the first item alone, is under way until it is released.
            let held = held.lock().unwrap().take();
            async move {
                if let Some(held) = held {
                    held.await.unwrap();
                }
                items
            }
        };
        let first = gather.submit(0, run);
        let others = join_all((1..=BATCH).map(|item| gather.submit(item, run)));
        let others = async {
            let others = others.await;
            release.send(()).unwrap();
            others
        };
        let (first, others) = futures::join!(first, others);
        assert_eq!(first, Some(0));
        assert_eq!(others, (1..=BATCH).map(Some).collect::<Vec<_>>());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nobody_is_forgotten_between_two_batches() {
        let gather = std::sync::Arc::new(Gather::<usize, usize>::default());
        let tasks = tokio_util::task::TaskTracker::new();
        let calls = (0..5_000).map(|item| {
            let gather = std::sync::Arc::clone(&gather);
            tasks.spawn(async move {
                let run = |items: Vec<usize>| async move {
                    tokio::task::yield_now().await;
                    items
                };
                gather.submit(item, run).await
            })
        });
        for (item, call) in join_all(calls).await.into_iter().enumerate() {
            assert_eq!(call.unwrap(), Some(item));
        }
    }

    #[tokio::test]
    async fn those_in_a_batch_that_was_cut_off_are_told_and_the_next_goes_out() {
        let gather = Gather::<u32, u32>::default();
        let never = |_: Vec<u32>| std::future::pending::<Vec<u32>>();
        let mut first = Box::pin(gather.submit(1, never));
        assert!(futures::poll!(first.as_mut()).is_pending());
        let mut second = Box::pin(gather.submit(2, never));
        let mut third = Box::pin(gather.submit(3, never));
        for waiting in [&mut second, &mut third] {
            assert!(futures::poll!(waiting.as_mut()).is_pending());
        }
        drop(first);
        assert!(futures::poll!(second.as_mut()).is_pending(), "it runs both");
        drop(second);
        assert_eq!(third.await, None);
        let result = gather.submit(7, |items| async move { items }).await;
        assert_eq!(result, Some(7));
    }
}
