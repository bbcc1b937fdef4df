//! The points as tests see them: the process that is armed at one dies there, like a process that is killed.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task_local;
use tokio_util::sync::CancellationToken;

use super::Point;

static PROCESSES: AtomicU64 = AtomicU64::new(0);

task_local! {
    static SELF: Arc<Inner>;
}

/// A process that can be killed. Everything it does is done inside of [`Mortal::live`].
#[derive(Debug, Default)]
pub struct Mortal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Fail points are known by name in the whole test program: a number for each process keeps them apart.
    number: u64,
    dead: CancellationToken,
    reached: Mutex<Vec<Point>>,
    halts: Mutex<HashMap<Point, Halt>>,
}

/// A point at which a process stands still once.
#[derive(Debug, Clone, Default)]
pub struct Halt(Arc<(Notify, Notify)>);

impl Halt {
    /// Until the process stands there.
    pub async fn reached(&self) {
        self.0.0.notified().await;
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.0.1.notify_one();
    }

    async fn stand(&self) {
        self.0.0.notify_one();
        self.0.1.notified().await;
    }
}

impl Mortal {
    /// From its `nth` time at `point` on (the first is 0) the process dies there.
    pub fn dies_at(&self, point: Point, nth: usize) {
        let actions = format!("{nth}*off->return");
        // Fails when the actions do not read, or without the feature that this module needs to exist.
        fail::cfg(self.0.name(point), &actions).unwrap_or_else(|error| panic!("{error}"));
    }

    /// When it next comes to `point`, it stands still there until it is let go: for tests of what others do meanwhile.
    pub fn halts_at(&self, point: Point) -> Halt {
        let halt = Halt::default();
        self.0.halts().insert(point, halt.clone());
        halt
    }

    /// Does `work` until it ends or the process dies: then it is dropped wherever it is, and `None` comes back.
    pub async fn live<F: Future>(&self, work: F) -> Option<F::Output> {
        let work = SELF.scope(Arc::clone(&self.0), work);
        self.0.dead.clone().run_until_cancelled(work).await
    }

    /// Ends it from outside, wherever it is.
    pub fn kill(&self) {
        self.0.dead.cancel();
    }

    /// Whether it has died.
    pub fn is_dead(&self) -> bool {
        self.0.dead.is_cancelled()
    }

    /// The points it has come to, each as often as it did.
    pub fn reached(&self) -> Vec<Point> {
        self.0
            .reached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            number: PROCESSES.fetch_add(1, Ordering::Relaxed),
            dead: CancellationToken::new(),
            reached: Mutex::default(),
            halts: Mutex::default(),
        }
    }
}

impl Inner {
    fn name(&self, point: Point) -> String {
        format!("{}/{}", point.name(), self.number)
    }

    /// Whether this time it dies here.
    fn arrive(&self, point: Point) -> bool {
        self.reached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(point);
        fail::eval(&self.name(point), |_| ()).is_some()
    }

    /// Whoever drives the process drops it when it looks next; it never gets further than this.
    fn halts(&self) -> MutexGuard<'_, HashMap<Point, Halt>> {
        self.halts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn die(&self) {
        self.dead.cancel();
        pending::<()>().await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for point in Point::ALL {
            fail::remove(self.name(*point));
        }
    }
}

/// A place where a process may die. Passed by when nobody said that this process can.
pub async fn reach(point: Point) {
    let Ok(process) = SELF.try_with(Arc::clone) else {
        return;
    };
    if process.arrive(point) {
        process.die().await;
    }
    let halt = process.halts().remove(&point);
    if let Some(halt) = halt {
        halt.stand().await;
    }
}

/// A call whose answer may find nobody alive: when the process dies here, the other side has done all its work.
pub async fn in_flight<F: Future>(point: Point, call: F) -> F::Output {
    let answer = call.await;
    reach(point).await;
    answer
}
