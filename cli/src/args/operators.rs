//! What operators type.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::Api;

/// Who may operate the bridge; on the machine of the database, for the first of them has nobody to ask.
#[derive(Debug, Subcommand)]
pub(crate) enum Operator {
    /// Give somebody access. The password is asked for, or read from standard input when that is no terminal.
    Create {
        /// Name they log in with.
        name: String,
        /// What they may do.
        #[arg(long, default_value = "operator", value_parser = roles())]
        role: String,
        /// Without a password: they use tokens only.
        #[arg(long)]
        no_password: bool,
    },
    /// List who has access.
    List,
    /// Change what somebody may do; their sessions end.
    Role {
        /// Their name.
        name: String,
        /// What they may do from now on.
        #[arg(value_parser = roles())]
        role: String,
    },
    /// Set a new password; their sessions end.
    Password {
        /// Their name.
        name: String,
    },
    /// Take somebody's access away, at once.
    Disable {
        /// Their name.
        name: String,
    },
    /// Give it back.
    Enable {
        /// Their name.
        name: String,
    },
    /// Make a token for the command line or a script and print it; it is shown this once.
    Token {
        /// Whose it is.
        name: String,
        /// What it is for; shown in lists.
        #[arg(long, default_value = "")]
        label: String,
        /// Days until it expires; it does not when not given.
        #[arg(long, value_name = "DAYS")]
        expires_days: Option<u32>,
    },
    /// List the tokens of operators, without their secret part.
    Tokens,
    /// Make a token useless at once.
    Revoke {
        /// Id from the list.
        id: Uuid,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Queues {
    #[command(flatten)]
    pub(crate) api: Api,
    #[command(subcommand)]
    pub(crate) command: QueueCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// Show every lane with what waits in it.
    List,
    /// Show what was done: by the minute, the quarter of an hour or the hour.
    History {
        /// How far back.
        #[arg(long, default_value = "1h", value_parser = PossibleValuesParser::new(["1h", "24h", "7d"]))]
        range: String,
        /// Only this lane; all of them together when not given.
        #[arg(long)]
        lane: Option<String>,
    },
    /// Let no job of a lane be claimed until it is resumed.
    Pause {
        /// The lane, or `all`.
        lane: String,
        /// Why; others see it.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let the jobs of a lane be claimed again.
    Resume {
        /// The lane, or `all`.
        lane: String,
    },
    /// Set how many jobs of a lane each worker runs at a time; workers take it up while they run.
    Concurrency {
        /// The lane.
        lane: String,
        /// So many, or `default` for the configured figure.
        #[arg(value_name = "N|default", value_parser = jobs_at_a_time)]
        jobs: JobsAtATime,
        /// Why; others see it.
        #[arg(long)]
        reason: Option<String>,
    },
}

/// A number, or the configured one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobsAtATime {
    Set(u32),
    Configured,
}

fn jobs_at_a_time(text: &str) -> Result<JobsAtATime, String> {
    match (text, text.parse()) {
        ("default", _) => Ok(JobsAtATime::Configured),
        (_, Ok(jobs)) => Ok(JobsAtATime::Set(jobs)),
        (_, Err(_)) => Err("write a whole number, or `default`".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    #[command(flatten)]
    pub(crate) api: Api,
    /// Print one frame as text and end.
    #[arg(long)]
    pub(crate) once: bool,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) every: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Cadences {
    #[command(flatten)]
    pub(crate) api: Api,
    #[command(subcommand)]
    pub(crate) command: CadenceCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CadenceCommand {
    /// Show what is read how often.
    List,
    /// Let the turn of one come at once.
    Run {
        /// Its name: `changes:main:incident`.
        name: String,
    },
    /// Let one not run until it is resumed.
    Pause {
        /// Its name.
        name: String,
    },
    /// Let one run again.
    Resume {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Alerts {
    #[command(flatten)]
    pub(crate) api: Api,
    #[command(subcommand)]
    pub(crate) command: AlertCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// Show where each alert stands, firing ones first.
    List,
    /// Tell nobody that an alert holds until the silence ends.
    Silence {
        /// Its name: `dead_jobs`.
        name: String,
        /// For how long, in minutes; 30 days at most.
        #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=43_200))]
        minutes: u32,
        /// Until then (RFC 3339), in the place of --minutes.
        #[arg(long, value_name = "TIME", conflicts_with = "minutes")]
        until: Option<String>,
        /// Why; others see it.
        #[arg(long)]
        reason: String,
    },
    /// End a silence.
    Resume {
        /// The name of the alert.
        name: String,
    },
    /// Send a test message to a destination; exit code 6 when it does not take it.
    Test {
        /// The name of the destination.
        destination: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Workers {
    #[command(flatten)]
    pub(crate) api: Api,
    #[command(subcommand)]
    pub(crate) command: WorkerCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkerCommand {
    /// List the workers that live.
    List,
    /// Let one take no new job and end.
    Drain {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Routes {
    #[command(flatten)]
    pub(crate) api: Api,
    #[command(subcommand)]
    pub(crate) command: RouteCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RouteCommand {
    /// List the routes, and whether they take new requests.
    List,
    /// Show one with its map of states and the values that nobody mapped.
    Show {
        /// Its name.
        name: String,
    },
    /// Let one take no new requests until it is switched on; what was taken in before goes on.
    Off {
        /// Its name.
        name: String,
        /// Why; sources read it in the refusal.
        #[arg(long)]
        reason: String,
    },
    /// Let one take new requests again.
    On {
        /// Its name.
        name: String,
        /// Why; it goes into the audit trail.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Connections {
    #[command(flatten)]
    pub(crate) api: Api,
    #[command(subcommand)]
    pub(crate) command: ConnectionCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// List the connections: what holds them back, how they answered last, what the last check found.
    List,
    /// Show one with what its last check found, step by step.
    Show {
        /// Its name.
        name: String,
    },
    /// Let a worker try one step by step, and wait for what it finds; exit code 6 when something is to be mended.
    Check {
        /// Its name.
        name: String,
        /// Seconds to wait for the end of the check.
        #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=3600))]
        wait: u64,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    pub(crate) api: Api,
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List entries, newest first.
    List {
        #[command(flatten)]
        filter: AuditFilter,
        /// At most this many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Prove that the trail is as it was sealed, in the database itself; exit code 6 when it is not.
    Verify {
        /// The head that an earlier proof has printed, kept elsewhere: it must still be part of the chain.
        #[arg(long, value_name = "HEX")]
        head: Option<String>,
    },
    /// Print all that match as CSV or as JSON lines.
    Export {
        #[command(flatten)]
        filter: AuditFilter,
        /// As what.
        #[arg(long, default_value = "csv", value_parser = PossibleValuesParser::new(["csv", "jsonl"]))]
        format: String,
    },
}

/// Which entries.
#[derive(Debug, Args)]
pub(crate) struct AuditFilter {
    /// Only by this actor: `operator:vera`.
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Only this action: `job.revived`.
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Only about things of this kind: `request`.
    #[arg(long)]
    pub(crate) subject_kind: Option<String>,
    /// Only about this thing.
    #[arg(long)]
    pub(crate) subject_id: Option<String>,
    /// Only from then on (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(crate) after: Option<String>,
    /// Only before then.
    #[arg(long, value_name = "TIME")]
    pub(crate) before: Option<String>,
}

fn roles() -> PossibleValuesParser {
    PossibleValuesParser::new(shared::operator::Role::ALL.map(shared::operator::Role::as_str))
}
