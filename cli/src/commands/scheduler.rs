//! `scheduler`: one of any number.

use std::path::PathBuf;

use shared::config::ProcessKind;
use shared::process::{Process, shutdown_signal};

use crate::exit::Failure;
use crate::running::{Parts, run_to_stop, start_scheduler};
use crate::wiring;

pub(crate) async fn run(config: Option<PathBuf>) -> Result<(), Failure> {
    let settings = wiring::settings(config)?;
    let asked_to_stop = shutdown_signal();
    let logging = shared::telemetry::init(&settings.telemetry)?;
    let parts = Parts::build(settings, ProcessKind::Scheduler).await?;
    let mut process = Process::new();
    start_scheduler(&parts, &mut process).await?;
    run_to_stop(parts, process, logging, asked_to_stop).await
}
