//! How long files and functions may be. The limits fail the check; the aims are reported.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Outcome;
use super::functions::functions;
use super::mask::mask;
use super::statistics::{Spread, spread};
use super::test_items::{module_files, strip};
use super::tracked::{self, TextFile};
use crate::failure::Failure;

/// What one kind of thing may measure, in lines that are not for tests.
struct Budget {
    what: &'static str,
    median: usize,
    p90: usize,
    limit: usize,
}

const FILES: Budget = Budget {
    what: "files",
    median: 120,
    p90: 300,
    limit: 450,
};
const FUNCTIONS: Budget = Budget {
    what: "functions",
    median: 12,
    p90: 35,
    limit: 90,
};

/// The size of something and where it is.
type Measured = (usize, String);

pub(super) fn check() -> Result<Outcome, Failure> {
    let sources = tracked::text_files(is_counted)?;
    let (files, functions) = measure(&sources);
    let (file_report, mut over) = judge(&FILES, files);
    let (function_report, long_functions) = judge(&FUNCTIONS, functions);
    over.extend(long_functions);
    let report = format!("{file_report}\n{function_report}");
    Ok(if over.is_empty() {
        Outcome::Passed(report)
    } else {
        Outcome::Failed(format!("{report}\n{}", over.join("\n")))
    })
}

/// Rust outside the folders for tests.
fn is_counted(path: &str) -> bool {
    let is_rust = Path::new(path)
        .extension()
        .is_some_and(|ending| ending == "rs");
    is_rust
        && !path
            .split('/')
            .any(|part| part == "tests" || part == "tests.rs")
}

fn measure(sources: &[TextFile]) -> (Vec<Measured>, Vec<Measured>) {
    let mut files = Vec::new();
    let mut all_functions = Vec::new();
    let mut for_tests: BTreeSet<PathBuf> = BTreeSet::new();
    for source in sources {
        let stripped = strip(&mask(&source.text));
        for name in &stripped.test_modules {
            for_tests.extend(module_files(Path::new(&source.path), name));
        }
        files.push((stripped.lines, source.path.clone()));
        for function in functions(&stripped.masked) {
            let place = format!("{}:{} {}", source.path, function.line, function.name);
            all_functions.push((function.lines, place));
        }
    }
    let counts = |(_, place): &Measured| {
        let path = Path::new(place.split(':').next().unwrap_or(place));
        !path.ancestors().any(|folder| for_tests.contains(folder))
    };
    files.retain(counts);
    all_functions.retain(counts);
    (files, all_functions)
}

fn judge(budget: &Budget, measured: Vec<Measured>) -> (String, Vec<String>) {
    let figures = spread(measured.iter().map(|(lines, _)| *lines).collect());
    let report = describe(budget, measured.len(), &figures);
    let over = measured
        .into_iter()
        .filter(|(lines, _)| *lines > budget.limit)
        .map(|(lines, place)| format!("{place}: {lines} lines, allowed are {}", budget.limit))
        .collect();
    (report, over)
}

fn describe(budget: &Budget, count: usize, figures: &Spread) -> String {
    let against = |figure: usize, aim: usize| {
        let mark = if figure > aim { ", OVER THE AIM" } else { "" };
        format!("{figure} (aim {aim}{mark})")
    };
    format!(
        "{count} {}: median {}, p90 {}, largest {} (limit {})",
        budget.what,
        against(figures.median, budget.median),
        against(figures.p90, budget.p90),
        figures.largest,
        budget.limit
    )
}

#[cfg(test)]
mod tests {
    use super::{Budget, FILES, is_counted, judge, measure};
    use crate::check::tracked::TextFile;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn tests_are_not_counted() {
        assert!(is_counted("shared/src/retry.rs"));
        for path in [
            "tests/src/lib.rs",
            "shared/tests/queue.rs",
            "shared/src/x/tests.rs",
            "docs/a.md",
        ] {
            assert!(!is_counted(path), "{path}");
        }
    }

    #[test]
    fn a_module_for_tests_is_not_counted_and_neither_is_what_lies_below_it() {
        let sources = [
            file("a/src/lib.rs", "#[cfg(test)]\nmod support;\nfn f() {}\n"),
            file("a/src/support.rs", "fn g() {}\n"),
            file("a/src/support/deep.rs", "fn h() {}\n"),
        ];
        let (files, functions) = measure(&sources);
        assert_eq!(files, [(1, "a/src/lib.rs".to_owned())]);
        assert_eq!(functions, [(1, "a/src/lib.rs:3 f".to_owned())]);
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        let budget = Budget { limit: 3, ..FILES };
        let measured = vec![(3, "a.rs".to_owned()), (4, "b.rs".to_owned())];
        let (_, over) = judge(&budget, measured);
        assert_eq!(over, ["b.rs: 4 lines, allowed are 3"]);
    }

    #[test]
    fn an_aim_that_is_missed_is_reported_and_no_failure() {
        let (report, over) = judge(&FILES, vec![(200, "a.rs".to_owned())]);
        assert!(
            report.contains("median 200 (aim 120, OVER THE AIM), p90 200 (aim 300)"),
            "{report}"
        );
        assert_eq!(over, Vec::<String>::new());
    }
}
