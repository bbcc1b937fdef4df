//! `cargo xtask`: the project's own tasks, with nothing but the standard library, so that they
//! compile in a second and can be trusted to run on a fresh clone.

mod bench;
mod chaos;
mod check;
mod environment;
mod failure;
mod generate;
mod terminal;
mod test;

use std::process::ExitCode;

use failure::Failure;

const USAGE: &str = "\
Tasks of this workspace.

Usage: cargo xtask <COMMAND> [ARGUMENTS…]

Commands:
  test [ARGUMENTS…]
        Runs the whole suite against a private PostgreSQL and the installed redis-server.
        Installs those two with apt when they are missing and it may (Debian or Ubuntu, as root);
        otherwise prints the command to run and stops with exit code 2. Stops all it started.
        ARGUMENTS go to `cargo nextest run` (or to `cargo test` where nextest is missing), for
        example `cargo xtask test -p shared retry`. Documentation tests run without arguments only.

  check [--offline] [--install] [STEP…]
        Runs all steps, or those named: fmt clippy doc deny budgets generated vocabulary
        promises.
        --offline  leaves out what needs the network (the advisory database of cargo-deny)
        --install  installs cargo-deny first where it is missing

  chaos --mode MODE [OPTIONS…]
        Breaks the bridge on purpose and counts what is lost or doubled. `cargo xtask chaos --mode MODE --help`
        names the options of a mode, `--mode help` the modes. Needs and starts what `test` does.

  bench [OPTIONS…]
        Measures the bridge, built for release, beside what cannot be beaten, and prints one table of ratios: nginx as the
        instance, PostgreSQL with its durable defaults, Redis with an append-only file. `cargo xtask bench --help` names the
        options. Needs and starts what `test` does, and nginx (with its module echo) and wrk.

  generate
        Writes docs/openapi.json and docs/config.schema.json from the program.

  help
        Prints this text.

Exit codes: 0 all well; 1 something failed; 2 wrong usage or a program is missing; `test` passes
on the exit code of the test runner, `chaos` that of its harness.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            terminal::complain(&failure.message);
            ExitCode::from(failure.code)
        }
    }
}

fn run(arguments: &[String]) -> Result<u8, Failure> {
    let Some((command, rest)) = arguments.split_first() else {
        return Err(Failure::usage(format!("no command given\n\n{USAGE}")));
    };
    match command.as_str() {
        "test" => test::run(rest),
        "bench" => bench::run(rest),
        "chaos" => chaos::run(rest),
        "check" => check::run(rest),
        "generate" if rest.is_empty() => generate::write().map(|()| 0),
        "help" | "--help" | "-h" => {
            terminal::print(USAGE.trim_end());
            Ok(0)
        }
        _ => Err(Failure::usage(format!(
            "unknown command: {}\n\n{USAGE}",
            arguments.join(" ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::{failure::USAGE_CODE, run};

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn wrong_usage_ends_with_its_own_exit_code_and_the_usage_text() {
        for line in ["", "tset", "generate everything", "check no-such-step"] {
            let failure = run(&words(line)).expect_err(line);
            assert_eq!(failure.code, USAGE_CODE, "{line}");
            assert!(
                failure.message.contains("fmt clippy doc deny"),
                "{}",
                failure.message
            );
        }
    }

    #[test]
    fn help_is_no_failure() {
        assert_eq!(run(&words("help")).ok(), Some(0));
    }
}
