//! The only file of the chaos modes that prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to the person who started it"
)]

/// A result: standard output.
pub fn print(text: &str) {
    println!("{}", text.trim_end());
}

/// Progress: standard error.
pub fn say(text: &str) {
    eprintln!("chaos: {text}");
}
