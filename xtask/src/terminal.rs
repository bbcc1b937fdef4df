//! The only file that prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task talks to the person who started it"
)]

/// A result: standard output.
pub(crate) fn print(text: &str) {
    println!("{text}");
}

/// Progress: standard error, marked, because it stands between the output of other programs.
pub(crate) fn say(text: &str) {
    eprintln!("xtask: {text}");
}

/// A failure: standard error.
pub(crate) fn complain(text: &str) {
    eprintln!("xtask: error: {text}");
}
