//! Serves a simulated instance until it is interrupted:
//! `cargo run -p simulator --example serve [listen address] [public URL]`.
//!
//! The public URL is the start of all links in answers, for instance that of a TLS proxy in front.

use std::io::Write;

use simulator::{Options, run};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    let options = Options {
        public_url: arguments.next(),
        ..Options::default()
    };
    run(listener, options, std::future::pending()).await?;
    Ok(())
}
