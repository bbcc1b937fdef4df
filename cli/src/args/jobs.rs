//! What operators type to find jobs and to act on them.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::Api;

#[derive(Debug, Args)]
pub(crate) struct Jobs {
    #[command(flatten)]
    pub(crate) api: Api,
    #[command(subcommand)]
    pub(crate) command: JobCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// List jobs, newest first.
    List {
        #[command(flatten)]
        filter: JobFilter,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Show one job with its runs and their calls.
    Show {
        /// Its id.
        id: Uuid,
    },
    /// Give dead or parked jobs a fresh start.
    Retry(Act),
    /// Let jobs run now that wait for their time.
    RunNow(Act),
    /// End jobs that no worker has had.
    Cancel(Act),
    /// End jobs as dead with their next claim.
    Kill(Act),
    /// Print all that match as CSV or as JSON lines.
    Export {
        #[command(flatten)]
        filter: JobFilter,
        /// As what.
        #[arg(long, default_value = "csv", value_parser = PossibleValuesParser::new(["csv", "jsonl"]))]
        format: String,
    },
}

/// Which jobs.
#[derive(Debug, Args)]
pub(crate) struct JobFilter {
    /// Only these states.
    #[arg(long, value_delimiter = ',')]
    pub(crate) state: Vec<String>,
    /// Only this kind: `create_ticket.v1`.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Only this lane: `create-ticket@main`.
    #[arg(long)]
    pub(crate) lane: Option<String>,
    /// Only this connection.
    #[arg(long)]
    pub(crate) connection: Option<String>,
    /// Only about this request.
    #[arg(long)]
    pub(crate) request_id: Option<Uuid>,
    /// Only with this class of the last error.
    #[arg(long)]
    pub(crate) error_class: Option<String>,
    /// Only with these words in the last error.
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// Only stored from then on (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(crate) created_after: Option<String>,
    /// Only stored before then.
    #[arg(long, value_name = "TIME")]
    pub(crate) created_before: Option<String>,
    /// Only ended from then on.
    #[arg(long, value_name = "TIME")]
    pub(crate) finished_after: Option<String>,
    /// Only ended before then.
    #[arg(long, value_name = "TIME")]
    pub(crate) finished_before: Option<String>,
}

/// With which jobs, and how.
#[derive(Debug, Args)]
pub(crate) struct Act {
    /// Ids of jobs; without any, all that match the filter.
    pub(crate) ids: Vec<Uuid>,
    #[command(flatten)]
    pub(crate) filter: JobFilter,
    /// So many a minute at most, bounded by the calls that the instance has left.
    #[arg(long, value_name = "N")]
    pub(crate) per_minute: Option<u32>,
    /// Wait until the circuits are over that hold the jobs, for retry and run-now; what is paced does so anyway.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Why; it goes into the audit trail.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Only say how many there are and what would happen.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Operations {
    #[command(flatten)]
    pub(crate) api: Api,
    #[command(subcommand)]
    pub(crate) command: OperationCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OperationCommand {
    /// List what was done with jobs, and what is being done.
    List,
    /// Show how far one is.
    Show {
        /// Its id.
        id: Uuid,
    },
    /// Stop one; what it has done stays done.
    Stop {
        /// Its id.
        id: Uuid,
    },
}
