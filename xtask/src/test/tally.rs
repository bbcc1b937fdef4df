//! Counts tests by what the runner itself says at its end.

use std::fmt;
use std::ops::Add;

/// Tests that passed and tests that did not, whether they failed, timed out or never started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The programs whose summaries are understood.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Runner {
    /// One line at the end.
    Nextest,
    /// One line for each test binary.
    CargoTest,
}

impl Runner {
    /// What the runner counted, or nothing when it printed no summary.
    pub(crate) fn tally(self, lines: &[String]) -> Option<Tally> {
        let plain = lines.iter().map(|line| without_colours(line));
        match self {
            Self::Nextest => plain.filter_map(|line| nextest_summary(&line)).next_back(),
            Self::CargoTest => plain
                .filter_map(|line| libtest_result(&line))
                .reduce(Add::add),
        }
    }
}

/// `Summary [   1.2s] 5/9 tests run: 3 passed (1 slow), 1 failed, 1 timed out, 4 skipped`
fn nextest_summary(line: &str) -> Option<Tally> {
    let rest = line.trim_start().strip_prefix("Summary [")?;
    let (_, counts) = rest.split_once(" run: ")?;
    counted(&without_parentheses(counts), ',')
}

/// `test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished …`
fn libtest_result(line: &str) -> Option<Tally> {
    let rest = line.strip_prefix("test result: ")?;
    let (_, counts) = rest.split_once(". ")?;
    counted(counts, ';')
}

fn counted(counts: &str, separator: char) -> Option<Tally> {
    let mut tally = None;
    for part in counts.split(separator) {
        let Some((number, what)) = part.trim().split_once(' ') else {
            continue;
        };
        let Ok(number) = number.parse::<u64>() else {
            continue;
        };
        let tally = tally.get_or_insert(Tally::default());
        match what.trim() {
            "passed" => tally.passed += number,
            "failed" | "exec failed" | "timed out" => tally.failed += number,
            _ => {}
        }
    }
    tally
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_u32;
    text.chars()
        .filter(|character| {
            match character {
                '(' => depth += 1,
                ')' => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

/// Drops the escape sequences for colours, `ESC [ … m`.
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::{Runner, Tally};

    fn tally(runner: Runner, text: &str) -> Option<Tally> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        runner.tally(&lines)
    }

    #[test]
    fn nextest_counts_all_ways_of_not_passing() {
        let text = "   Summary [   4.012s] 9/12 tests run: 5 passed (1 slow, 1 leaky), \
                    2 failed (1 due to being leaky), 1 exec failed, 1 timed out, 3 skipped";
        assert_eq!(
            tally(Runner::Nextest, text),
            Some(Tally {
                passed: 5,
                failed: 4
            })
        );
    }

    #[test]
    fn nextest_in_colour_is_the_same_to_us() {
        let text = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.1s] \u{1b}[1m1\u{1b}[0m test run: \
                    \u{1b}[1m1\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, \u{1b}[1m0\u{1b}[0m skipped";
        assert_eq!(
            tally(Runner::Nextest, text),
            Some(Tally {
                passed: 1,
                failed: 0
            })
        );
    }

    #[test]
    fn nextest_is_not_misled_by_what_a_test_prints() {
        let text = "test result: FAILED. 0 passed; 7 failed; 0 ignored\n\
                    Summary [ 0.1s] 1 test run: 0 passed, 1 failed, 0 skipped";
        assert_eq!(
            tally(Runner::Nextest, text),
            Some(Tally {
                passed: 0,
                failed: 1
            })
        );
    }

    #[test]
    fn cargo_test_is_added_up_over_its_binaries() {
        let text = "running 2 tests\n\
                    test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                    test result: FAILED. 3 passed; 4 failed; 0 ignored; finished in 0.01s";
        assert_eq!(
            tally(Runner::CargoTest, text),
            Some(Tally {
                passed: 5,
                failed: 4
            })
        );
    }

    #[test]
    fn without_a_summary_nothing_is_invented() {
        let text = "error: could not compile `shared` (lib) due to 1 previous error";
        assert_eq!(tally(Runner::Nextest, text), None);
        assert_eq!(tally(Runner::CargoTest, text), None);
    }

    #[test]
    fn the_closing_line_is_plain() {
        let tally = Tally {
            passed: 12,
            failed: 0,
        };
        assert_eq!(tally.to_string(), "12 passed, 0 failed");
    }
}
