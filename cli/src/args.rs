//! What can be typed.

#[cfg(test)]
mod documents;
mod jobs;
mod operators;

pub(crate) use jobs::{Act, JobCommand, JobFilter, Jobs, OperationCommand, Operations};
pub(crate) use operators::{
    AlertCommand, Alerts, Audit, AuditCommand, AuditFilter, CadenceCommand, Cadences,
    ConnectionCommand, Connections, JobsAtATime, Operator, QueueCommand, Queues, RouteCommand,
    Routes, Top, WorkerCommand, Workers,
};

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use shared::job::JobKind;
use url::Url;
use uuid::Uuid;

const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed while running; 2 wrong usage; 3 the configuration has problems; \
4 nothing found; 5 a server or database cannot be reached; 6 a check found something to mend; 7 refused by the API.";

/// Keeps access requests and ServiceNow tickets in step, both ways: exactly one ticket for each request.
#[derive(Debug, Parser)]
#[command(name = "ticketbridge", version, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) struct Cli {
    /// Configuration file (TOML). Without it, `ticketbridge.toml` in the working folder is read if it is there.
    #[arg(
        long,
        short,
        global = true,
        env = "TICKETBRIDGE_CONFIG",
        value_name = "FILE"
    )]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show it working: simulator, scheduler and worker in this process, with fictional requests.
    Demo(Demo),
    /// Run scheduler and worker in this process, on SQLite or PostgreSQL.
    Up,
    /// Run a scheduler: the API, the relay, polling and the sweeper.
    Scheduler,
    /// Run a worker: the jobs that call ServiceNow and deliver callbacks.
    Worker(Worker),
    /// Bring the database to the newest schema.
    Migrate(Migrate),
    /// Read the whole configuration and report every problem.
    Check,
    /// Try every connection step by step and say how to mend what fails.
    Doctor(Doctor),
    /// Run a simulated ServiceNow instance.
    Simulator(Simulator),
    /// Compare tickets with the instances' own count, or show what that found.
    #[command(subcommand)]
    Drift(Drift),
    /// Manage the tokens with which sources call the API.
    #[command(subcommand)]
    Token(Token),
    /// Look at requests and act on them, through the API of a running bridge.
    Requests(Requests),
    /// Decide who may operate the bridge.
    #[command(subcommand)]
    Operator(Operator),
    /// Look at the queues, pause and resume them, and say how many of their jobs run at a time.
    Queues(Queues),
    /// Watch lanes, throughput, budgets and workers in the terminal.
    Top(Top),
    /// Find jobs and act on them.
    Jobs(Jobs),
    /// See what was done with many jobs, and stop it.
    Operations(Operations),
    /// See what is read how often, run it now, pause and resume it.
    Cadences(Cadences),
    /// See what is wrong and who is told, silence it, test a destination.
    Alerts(Alerts),
    /// See the workers, and drain one.
    Workers(Workers),
    /// See the routes, switch them off and on.
    Routes(Routes),
    /// See the connections, and let a worker check one.
    Connections(Connections),
    /// Read the audit trail.
    Audit(Audit),
    /// Ask a running process whether it is ready; for container health checks.
    ///
    /// Exit code 0 when it is ready, also when it is degraded because connections are not called for now; 5 when it is not.
    Health(Health),
    /// Print the completion script of a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print generated documents.
    #[command(hide = true)]
    Generate {
        /// Which document.
        document: Document,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// How many requests to send; without it they keep coming until Ctrl-C (with --once: 50).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) requests: Option<u32>,
    /// End when every request has ended, print a summary as one JSON line and exit.
    #[arg(long)]
    pub(crate) once: bool,
    /// Seed of the fictional requests and of the scripted agent.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// Queues to serve; all when not given.
    #[arg(long, value_delimiter = ',', value_name = "QUEUE", value_parser = PossibleValuesParser::new(queues()))]
    pub(crate) queues: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Only say what would be applied; exit code 6 when something is pending.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Only this connection.
    #[arg(long, value_name = "NAME")]
    pub(crate) connection: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Simulator {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8089", value_name = "ADDRESS")]
    pub(crate) listen: std::net::SocketAddr,
    /// Seed of everything that is random in it.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Drift {
    /// Compare every table that routes write to, now; a running worker does it.
    Run {
        /// Only this connection.
        #[arg(long, value_name = "NAME")]
        connection: Option<String>,
    },
    /// Show the newest comparisons.
    Show {
        /// Only this connection.
        #[arg(long, value_name = "NAME")]
        connection: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token for a source and print it; it is shown this once.
    Create {
        /// Name of the source, as in the configuration.
        #[arg(long)]
        source: String,
        /// What it is for; shown in lists.
        #[arg(long, default_value = "")]
        label: String,
        /// Days until it expires; it does not when not given.
        #[arg(long, value_name = "DAYS")]
        expires_days: Option<u32>,
    },
    /// List tokens, without their secret part.
    List,
    /// Make a token useless at once.
    Revoke {
        /// Id from the list.
        id: Uuid,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Requests {
    #[command(flatten)]
    pub(crate) api: Api,
    #[command(subcommand)]
    pub(crate) command: RequestCommand,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Api {
    /// Address of the bridge's API.
    #[arg(
        long,
        global = true,
        env = "TICKETBRIDGE_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    pub(crate) url: Url,
    /// Token of a source (tb_…), or of an operator (tbo_…) for what operators do.
    #[arg(
        long,
        global = true,
        env = "TICKETBRIDGE_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RequestCommand {
    /// List requests, newest first.
    List {
        /// Only these states.
        #[arg(long, value_delimiter = ',')]
        state: Vec<String>,
        /// Only this category.
        #[arg(long)]
        category: Option<String>,
        /// Only those with this text in item, people or ids.
        #[arg(long)]
        text: Option<String>,
        /// Only those that need a human.
        #[arg(long)]
        attention: bool,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Show one request with its ticket, timeline and attempts.
    Show {
        /// Its id.
        id: Uuid,
    },
    /// Wait until a request has its ticket or has ended, then show it; exit code 6 when it takes longer.
    Wait {
        /// Its id.
        id: Uuid,
        /// What to wait for.
        #[arg(long = "for", value_name = "WHAT", default_value = "end", value_parser = PossibleValuesParser::new(["ticket", "end"]))]
        goal: String,
        /// Longest wait, in seconds.
        #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
        timeout_seconds: u64,
    },
    /// Send a request.
    Create(CreateRequest),
    /// Withdraw a request.
    Cancel {
        /// Its id.
        id: Uuid,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateRequest {
    /// The source's own id of the request.
    #[arg(long)]
    pub(crate) external_id: String,
    /// Service category; chooses the route.
    #[arg(long)]
    pub(crate) category: String,
    /// What is asked for.
    #[arg(long)]
    pub(crate) item: String,
    /// Who asks.
    #[arg(long)]
    pub(crate) requester: String,
    /// For whom; the requester when not given.
    #[arg(long)]
    pub(crate) requested_for: Option<String>,
    /// Why.
    #[arg(long)]
    pub(crate) justification: Option<String>,
    /// 1 (highest) to 5.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) priority: u8,
    /// A free attribute; may be repeated.
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = attribute)]
    pub(crate) attributes: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(crate) struct Health {
    /// What to ask.
    #[arg(long, default_value = "http://127.0.0.1:8080/readyz")]
    pub(crate) url: Url,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Document {
    /// The OpenAPI document of the API.
    Openapi,
    /// The JSON schema of the configuration file.
    ConfigSchema,
}

fn queues() -> [&'static str; 4] {
    JobKind::QUEUES.map(JobKind::queue)
}

fn attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as name=value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_as_people_read_it() {
        let mut text = Cli::command()
            .term_width(100)
            .render_long_help()
            .to_string();
        for name in [
            "demo",
            "worker",
            "token",
            "requests",
            "operator",
            "queues",
            "top",
            "jobs",
            "operations",
            "cadences",
            "alerts",
            "workers",
            "routes",
            "connections",
            "audit",
        ] {
            let mut command = Cli::command().term_width(100);
            let sub = command.find_subcommand_mut(name).expect("it is a command");
            let help = sub.clone().render_long_help().to_string();
            text.push_str(
                &[
                    "
----- ", name, " -----
", &help,
                ]
                .concat(),
            );
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn an_attribute_needs_a_name_and_a_value() {
        assert_eq!(attribute("role=Z_FI"), Ok(("role".into(), "Z_FI".into())));
        assert!(attribute("role").is_err());
        assert!(attribute("=x").is_err());
    }
}
