//! `worker`: one of any number.

use std::path::PathBuf;

use shared::config::ProcessKind;
use shared::process::{Process, shutdown_signal};

use crate::args::Worker;
use crate::exit::Failure;
use crate::running::{Parts, run_to_stop, start_worker};
use crate::wiring;

pub(crate) async fn run(config: Option<PathBuf>, args: &Worker) -> Result<(), Failure> {
    let mut settings = wiring::settings(config)?;
    if !args.queues.is_empty() {
        settings.worker.queues.clone_from(&args.queues);
    }
    let asked_to_stop = shutdown_signal();
    let logging = shared::telemetry::init(&settings.telemetry)?;
    let parts = Parts::build(settings, ProcessKind::Worker).await?;
    let mut process = Process::new();
    start_worker(&parts, "worker", &mut process).await?;
    run_to_stop(parts, process, logging, asked_to_stop).await
}
