//! `simulator`: a ServiceNow instance that exists only here.

use anyhow::Context as _;
use shared::process::shutdown_signal;
use simulator::Options;

use crate::args::Simulator;
use crate::exit::Failure;
use crate::output::Output;

pub(crate) async fn run(args: &Simulator, output: Output) -> Result<(), Failure> {
    let listener = scheduler::bind(&args.listen.to_string())
        .await
        .context("the simulator cannot start")?;
    let address = listener
        .local_addr()
        .context("the listener has no address")?;
    output.show(&serde_json::json!({"url": format!("http://{address}")}), |_| {
        format!(
            "A simulated ServiceNow instance answers at http://{address}\n\
             OAuth client for the bridge: client_id ticketbridge-demo, client_secret ticketbridge-demo-secret\n\
             Knobs, call log, dump and agent actions: http://{address}/_sim\n\
             Ctrl-C stops it; nothing is kept."
        )
    });
    let options = Options {
        seed: args.seed,
        ..Options::default()
    };
    simulator::run(listener, options, shutdown_signal())
        .await
        .context("the simulator failed")?;
    Ok(())
}
