use crate::job::JobKind;

use super::{
    Settings,
    problem::Problems,
    queue::QueueKind,
    report::{Report, Section},
};

/// Jobs at a time that share a connection to PostgreSQL.
const JOBS_PER_CONNECTION: usize = 16;

/// What is about to start: some settings fit one process and not several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessKind {
    /// Scheduler and worker in one process: `up`, `demo`.
    All,
    /// A scheduler beside workers.
    Scheduler,
    /// A worker beside schedulers.
    Worker,
}

impl Settings {
    /// Checks what depends on the process that is about to start.
    pub fn check_for(&self, kind: ProcessKind) -> Result<(), Problems> {
        let mut report = Report::resume(&self.origins);
        if kind != ProcessKind::All {
            self.check_shared(&mut report);
        }
        if kind != ProcessKind::Scheduler {
            self.check_pool(&mut report.section("database"));
        }
        if report.is_clean() {
            Ok(())
        } else {
            Err(report.into_problems())
        }
    }

    fn check_shared(&self, report: &mut Report) {
        if self.queue.kind == QueueKind::Memory {
            report.add(
                "queue.kind",
                "\"memory\" joins scheduler and worker inside one process only",
                "set queue.kind = \"redis\" and redis.url, or run `ticketbridge up`",
            );
        }
        if self.database.is_sqlite() {
            report.add(
                "database.url",
                "a SQLite file serves one process only",
                "name a PostgreSQL database, or run `ticketbridge up`",
            );
        }
    }

    /// Jobs at a time that the pool of a worker bears; `None` on SQLite.
    pub fn jobs_that_fit(&self) -> Option<usize> {
        let pool = usize::try_from(self.database.max_connections).unwrap_or(usize::MAX);
        let room = pool.saturating_mul(JOBS_PER_CONNECTION);
        (!self.database.is_sqlite()).then_some(room)
    }

    /// A job has a connection for the moments of its statements only, and those of a process go out together; most of its time it
    /// waits for the instance. SQLite is left out: its one writer queues everybody, whatever the pool.
    fn check_pool(&self, at: &mut Section<'_>) {
        let connections = self.connections.len().max(1);
        let jobs = self.worker.kinds().into_iter().map(|kind| match kind {
            JobKind::DeliverCallback => self.worker.concurrency(kind),
            _ => self.worker.concurrency(kind) * connections,
        });
        let jobs: usize = jobs.sum();
        let pool = self.database.max_connections;
        let enough = jobs.div_ceil(JOBS_PER_CONNECTION);
        if self.jobs_that_fit().is_some_and(|room| jobs > room) {
            at.add(
                "max_connections",
                format!("a pool of {pool} is too small for {jobs} jobs at a time"),
                format!(
                    "make it {enough} or more, or lower worker.*_concurrency, or serve fewer queues with worker.queues"
                ),
            );
        }
    }
}
