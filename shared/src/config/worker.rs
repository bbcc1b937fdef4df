use std::{net::SocketAddr, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::job::JobKind;

use super::{report::Report, report::Section, suggest::did_you_mean};

/// `[worker]`: who runs jobs, and how many at a time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkerSettings {
    /// Queues this process serves, by name. Empty: all; see [`WorkerSettings::kinds`].
    pub queues: Vec<String>,
    /// `create_ticket` jobs at a time, per connection.
    #[schemars(range(min = 1, max = 1024))]
    pub create_ticket_concurrency: usize,
    /// `get_ticket_status`, `check_drift`, `check_choices` and `check_connection` jobs at a time, per connection.
    #[schemars(range(min = 1, max = 256))]
    pub ticket_status_concurrency: usize,
    /// `update_servicenow_status` jobs at a time, per connection.
    #[schemars(range(min = 1, max = 256))]
    pub update_status_concurrency: usize,
    /// `deliver_callback` jobs at a time.
    #[schemars(range(min = 1, max = 256))]
    pub callback_concurrency: usize,
    /// Address of health and metrics of a worker process. Empty: none.
    pub listen: String,
    /// On stop: seconds for running jobs to end before they are handed back.
    #[schemars(range(min = 0, max = 3600))]
    pub drain_seconds: u64,
    /// How often a worker says that it lives, in milliseconds.
    #[schemars(range(min = 50, max = 60_000))]
    pub heartbeat_ms: u64,
    /// A worker silent for this many milliseconds loses its jobs.
    #[schemars(range(min = 200, max = 600_000))]
    pub lease_ms: u64,
    /// Nothing is written to a remote system when less than this many milliseconds are left of the lease.
    #[schemars(range(min = 0, max = 600_000))]
    pub write_margin_ms: u64,
}

impl WorkerSettings {
    /// One job kind of each of `queues`; of all when it is empty.
    pub fn kinds(&self) -> Vec<JobKind> {
        let served = |kind: &JobKind| {
            self.queues.is_empty() || self.queues.iter().any(|queue| queue == kind.queue())
        };
        JobKind::QUEUES.into_iter().filter(served).collect()
    }

    /// Jobs of a kind at a time: per connection, for callbacks in all.
    pub fn concurrency(&self, kind: JobKind) -> usize {
        match kind {
            JobKind::CreateTicket => self.create_ticket_concurrency,
            JobKind::GetTicketStatus
            | JobKind::CheckDrift
            | JobKind::CheckConnection
            | JobKind::CheckChoices => self.ticket_status_concurrency,
            JobKind::UpdateServicenowStatus => self.update_status_concurrency,
            JobKind::DeliverCallback => self.callback_concurrency,
        }
    }

    /// The most jobs of a kind at a time that can be configured.
    pub fn most_concurrency(kind: JobKind) -> usize {
        match kind {
            JobKind::CreateTicket => 1024,
            JobKind::GetTicketStatus
            | JobKind::CheckDrift
            | JobKind::CheckConnection
            | JobKind::CheckChoices
            | JobKind::UpdateServicenowStatus
            | JobKind::DeliverCallback => 256,
        }
    }

    /// `listen`, parsed; `None` when it is empty.
    pub fn listen_address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    /// `drain_seconds` as a duration.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    /// `heartbeat_ms` as a duration.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }

    /// `lease_ms` as a duration.
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// `write_margin_ms` as a duration.
    pub fn write_margin(&self) -> Duration {
        Duration::from_millis(self.write_margin_ms)
    }

    pub(super) fn check(&self, report: &mut Report) {
        let mut at = report.section("worker");
        self.check_queues(&mut at);
        if !self.listen.is_empty() && self.listen_address().is_none() {
            at.add(
                "listen",
                format!("`{}` is not an address", self.listen),
                "write an IP address and a port, such as 0.0.0.0:8081, or nothing",
            );
        }
        self.check_lease(&mut at);
    }

    fn check_queues(&self, at: &mut Section<'_>) {
        let known = JobKind::QUEUES.map(JobKind::queue);
        for (index, queue) in self.queues.iter().enumerate() {
            if !known.contains(&queue.as_str()) {
                let problem = format!("there is no queue `{queue}`");
                at.add(
                    &format!("queues[{index}]"),
                    problem,
                    did_you_mean(queue, known),
                );
            }
        }
    }

    fn check_lease(&self, at: &mut Section<'_>) {
        let (lease, beat, margin) = (self.lease_ms, self.heartbeat_ms, self.write_margin_ms);
        let needed = (3 * beat).max(margin + beat + 1);
        let fix = format!("make it {needed} or more, or beat more often (worker.heartbeat_ms)");
        if lease < 3 * beat {
            let problem = format!(
                "a lease of {lease} ms is lost when fewer than three heartbeats ({beat} ms) are late"
            );
            at.add("lease_ms", problem, fix);
        } else if lease <= margin + beat {
            let problem = format!(
                "between two heartbeats ({beat} ms) a lease of {lease} ms can have less left than worker.write_margin_ms \
                 ({margin} ms), so that nothing could be written"
            );
            at.add("lease_ms", problem, fix);
        }
    }
}
