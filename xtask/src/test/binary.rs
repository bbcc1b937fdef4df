//! Builds a program, such as the one that the process tests start, and finds out where cargo has put it.

use std::io::Read;
use std::path::PathBuf;
use std::process::Stdio;

use super::watchdog::Watchdog;
use crate::environment;
use crate::failure::{During, Failure};
use crate::terminal;

/// The path of the freshly built program of this name.
pub(crate) fn build(
    watchdog: &mut Watchdog,
    name: &str,
    arguments: &[&str],
) -> Result<PathBuf, Failure> {
    terminal::say(&format!("cargo build {}", arguments.join(" ")));
    let mut command = watchdog.command(environment::cargo_program());
    environment::at_root(&mut command);
    command
        .arg("build")
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped());
    let mut child = watchdog.spawn(&mut command)?;
    let mut messages = String::new();
    if let Some(output) = &mut child.stdout {
        output
            .read_to_string(&mut messages)
            .during("reading from cargo build")?;
    }
    if !watchdog.wait(&mut child)?.success() {
        return Err(Failure::broken("the build failed, so nothing was run"));
    }
    executable(name, &messages)
        .ok_or_else(|| Failure::broken("cargo build did not say where the program is"))
}

/// The path that cargo names for the program. The test build of the same target names one as
/// well, in another folder and with a hash; the program itself has exactly the target's name.
fn executable(name: &str, messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| {
            let (_, rest) = line.split_once("\"executable\":\"")?;
            let (path, _) = rest.split_once('"')?;
            Some(PathBuf::from(path))
        })
        .find(|path| path.file_name().is_some_and(|file| file == name))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::executable;

    #[test]
    fn the_program_is_told_from_its_test_build() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"shared"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","executable":"/b/debug/deps/ticketbridge-1f0e"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","executable":"/b/debug/ticketbridge","fresh":true}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(
            executable("ticketbridge", messages),
            Some(PathBuf::from("/b/debug/ticketbridge"))
        );
        assert_eq!(executable("ticketbridge", ""), None);
    }
}
