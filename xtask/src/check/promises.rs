//! The promises of the documentation name their tests: a test that was renamed or removed must not leave its promise behind.

use std::collections::HashSet;
use std::path::Path;

use super::{Outcome, tracked};
use crate::failure::Failure;

/// Where promises are made.
const DOCUMENTS: [&str; 4] = [
    "ARCHITECTURE.md",
    "docs/guarantees.md",
    "docs/redis.md",
    "docs/scaling.md",
];

/// A test is named by a sentence, a setting or a column by a few words.
const WORDS_OF_A_TEST: usize = 5;

pub(super) fn check() -> Result<Outcome, Failure> {
    let documents = tracked::text_files(|path| DOCUMENTS.contains(&path))?;
    let sources = tracked::text_files(|path| Path::new(path).extension() == Some("rs".as_ref()))?;
    let known: HashSet<&str> = sources.iter().flat_map(|file| words(&file.text)).collect();
    let mut named = 0;
    let mut missing = Vec::new();
    for document in &documents {
        for name in tests_named(&document.text) {
            named += 1;
            if !known.contains(name) {
                missing.push(format!("{}: no test is called {name}", document.path));
            }
        }
    }
    Ok(if missing.is_empty() {
        Outcome::Passed(format!("{named} tests named"))
    } else {
        Outcome::Failed(missing.join("\n"))
    })
}

/// The names between backticks that are long enough to be those of tests.
fn tests_named(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|quoted| {
        quoted.split('_').count() >= WORDS_OF_A_TEST && words(quoted).eq([*quoted])
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::tests_named;

    #[test]
    fn tests_are_told_from_settings_and_code() {
        let text = "`jobs`: `one_call_makes_one_ticket`, not `sys_updated_on`, nor `a_b_c_d_e()`.";
        let named: Vec<&str> = tests_named(text).collect();
        assert_eq!(named, ["one_call_makes_one_ticket"]);
    }
}
