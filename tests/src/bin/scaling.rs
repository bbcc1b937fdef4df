//! Prints the figures of `docs/scaling.md`, writes them into it, or measures one of their parameters. Exit codes: 0 done, 1 it failed,
//! 2 wrong usage.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use tests::scaling::{document, step_cost};
use tests::terminal;

/// Figures of docs/scaling.md.
#[derive(Debug, Parser)]
#[command(name = "scaling")]
struct Arguments {
    /// Writes them into the document.
    #[arg(long, conflicts_with = "steps")]
    write: bool,
    /// Measures what a step of a budget costs Redis instead.
    #[arg(long)]
    steps: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    terminal::speak_as("scaling");
    let arguments = Arguments::parse();
    let done = if arguments.steps {
        step_cost::measure()
            .await
            .map(|text| terminal::print(&text))
    } else if arguments.write {
        write()
    } else {
        terminal::print(&document::figures());
        Ok(())
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn write() -> anyhow::Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scaling.md");
    let kept = std::fs::read_to_string(&file).context("docs/scaling.md")?;
    let renewed = document::renewed(&kept).context("docs/scaling.md has no marks")?;
    std::fs::write(&file, renewed).context("docs/scaling.md")
}
