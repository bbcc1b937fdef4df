//! The only file of the tools that prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to the person who started it"
)]

use std::sync::OnceLock;

/// What the lines of progress begin with; a test that runs a part of a tool has not said it.
static TOOL: OnceLock<&str> = OnceLock::new();

/// Says which tool this process is. The modules of one are used by others, so it is not theirs to say.
pub fn speak_as(tool: &'static str) {
    TOOL.get_or_init(|| tool);
}

/// A result: standard output.
pub fn print(text: &str) {
    println!("{}", text.trim_end());
}

/// Progress: standard error.
pub fn say(text: &str) {
    let tool = TOOL.get().unwrap_or(&"tests");
    eprintln!("{tool}: {text}");
}
