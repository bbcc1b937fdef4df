//! `ticketbridge`: the command line. It wires the parts together and holds no logic of its own.

mod api;
mod args;
mod commands;
mod demo;
mod exit;
mod output;
mod running;
mod top;
mod wiring;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser as _};
use tikv_jemallocator::Jemalloc;

use crate::args::{Cli, Command};
use crate::exit::Failure;
use crate::output::Output;

// A worker allocates and frees all that a job is made of, on several threads; the allocator of glibc spent half of its processor
// time with that (docs/scaling.md).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    // A second provider in the dependency tree would otherwise make the first TLS handshake panic; an error here only
    // means that one is installed already.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let cli = Cli::parse();
    let run = || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("no async runtime")?;
        runtime.block_on(run(cli))
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let text = failure.to_string();
            if !text.is_empty() {
                anstream::eprintln!("{}: {text}", output::coloured("error", output::Mood::Bad));
            }
            failure.code()
        }
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let output = Output { json: cli.json };
    let config = cli.config;
    match cli.command {
        Command::Demo(demo) => demo::run(demo, output).await,
        Command::Up => commands::up::run(config).await,
        Command::Scheduler => commands::scheduler::run(config).await,
        Command::Worker(worker) => commands::worker::run(config, &worker).await,
        Command::Migrate(migrate) => commands::migrate::run(config, &migrate, output).await,
        Command::Check => commands::check::run(config, output),
        Command::Doctor(doctor) => commands::doctor::run(config, &doctor, output).await,
        Command::Simulator(simulator) => commands::simulator::run(&simulator, output).await,
        Command::Drift(drift) => commands::drift::run(config, drift, output).await,
        Command::Token(token) => commands::token::run(config, token, output).await,
        Command::Requests(requests) => {
            commands::requests::run(&wiring::client(requests.api)?, requests.command, output).await
        }
        Command::Operator(operator) => commands::operator::run(config, operator, output).await,
        Command::Queues(queues) => {
            commands::queues::run(&wiring::client(queues.api)?, queues.command, output).await
        }
        Command::Top(args) => {
            let api = wiring::client(args.api.clone())?;
            top::run(args, &api, output).await
        }
        Command::Jobs(jobs) => {
            commands::jobs::run(&wiring::client(jobs.api)?, jobs.command, output).await
        }
        Command::Operations(operations) => {
            commands::operations::run(&wiring::client(operations.api)?, operations.command, output)
                .await
        }
        Command::Cadences(cadences) => {
            let api = wiring::client(cadences.api)?;
            commands::cadences::run(&api, cadences.command, output).await
        }
        Command::Alerts(alerts) => {
            commands::alerts::run(&wiring::client(alerts.api)?, alerts.command, output).await
        }
        Command::Workers(workers) => {
            commands::workers::run(&wiring::client(workers.api)?, workers.command, output).await
        }
        Command::Routes(routes) => {
            commands::routes::run(&wiring::client(routes.api)?, routes.command, output).await
        }
        Command::Connections(connections) => {
            let api = wiring::client(connections.api)?;
            commands::connections::run(&api, connections.command, output).await
        }
        Command::Audit(audit) => commands::audit::run(config, audit, output).await,
        Command::Health(health) => commands::health::run(&health, output).await,
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Cli::command(),
                "ticketbridge",
                &mut std::io::stdout(),
            );
            Ok(())
        }
        Command::Generate { document } => commands::generate::run(document),
    }
}
