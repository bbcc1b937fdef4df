//! `cargo xtask check`: everything about the source that a machine can judge.

mod budgets;
mod deny;
mod functions;
mod generated;
mod mask;
mod promises;
mod statistics;
mod test_items;
mod tracked;
mod vocabulary;

use std::process::Command;

use crate::environment;
use crate::failure::{During, Failure};
use crate::{USAGE, terminal};

/// How a step ended, with what there is to say about it.
pub(crate) enum Outcome {
    Passed(String),
    Skipped(String),
    Failed(String),
}

/// What the command line allows.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    pub(crate) offline: bool,
    pub(crate) install: bool,
}

type Step = fn(Options) -> Result<Outcome, Failure>;

const STEPS: [(&str, Step); 8] = [
    ("fmt", |_| cargo(&["fmt", "--all", "--check"], None)),
    ("clippy", |_| {
        let line = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        cargo(&line, None)
    }),
    ("doc", |_| {
        let strict = Some(("RUSTDOCFLAGS", "-D warnings"));
        cargo(&["doc", "--workspace", "--no-deps"], strict)
    }),
    ("deny", deny::check),
    ("budgets", |_| budgets::check()),
    ("generated", |_| generated::check()),
    ("vocabulary", |_| vocabulary::check()),
    ("promises", |_| promises::check()),
];

/// Runs all steps, or those named, to the end. Returns 1 when one of them failed.
pub(crate) fn run(arguments: &[String]) -> Result<u8, Failure> {
    let (options, chosen) = parse(arguments)?;
    let mut results = Vec::new();
    for (name, step) in STEPS {
        if chosen.is_empty() || chosen.contains(&name) {
            terminal::say(&format!("check {name}"));
            let outcome = step(options).unwrap_or_else(|failure| Outcome::Failed(failure.message));
            results.push((name, outcome));
        }
    }
    Ok(report(&results))
}

fn parse(arguments: &[String]) -> Result<(Options, Vec<&'static str>), Failure> {
    let mut options = Options::default();
    let mut chosen = Vec::new();
    for argument in arguments {
        match argument.as_str() {
            "--offline" => options.offline = true,
            "--install" => options.install = true,
            word => match STEPS.iter().find(|(name, _)| *name == word) {
                Some((name, _)) => chosen.push(*name),
                None => return Err(Failure::usage(format!("no such step: {word}\n\n{USAGE}"))),
            },
        }
    }
    Ok((options, chosen))
}

fn report(results: &[(&str, Outcome)]) -> u8 {
    let mut code = 0;
    terminal::print("");
    for (name, outcome) in results {
        let (word, text) = match outcome {
            Outcome::Passed(text) => ("ok", text),
            Outcome::Skipped(text) => ("SKIPPED", text),
            Outcome::Failed(text) => {
                code = 1;
                ("FAILED", text)
            }
        };
        let text = text.trim_end().replace('\n', "\n                      ");
        terminal::print(format!("{name:<11} {word:<9} {text}").trim_end());
    }
    code
}

fn cargo(line: &[&str], variable: Option<(&str, &str)>) -> Result<Outcome, Failure> {
    let mut command = environment::cargo();
    command.args(line).envs(variable);
    judge(&mut command)
}

/// Runs a command whose exit code is the verdict and whose output speaks for itself.
pub(crate) fn judge(command: &mut Command) -> Result<Outcome, Failure> {
    let status = command.status().during("starting cargo")?;
    Ok(if status.success() {
        Outcome::Passed(String::new())
    } else {
        Outcome::Failed("see above".to_owned())
    })
}
