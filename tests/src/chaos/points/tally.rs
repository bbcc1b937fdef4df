//! What many runs came to, as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::judge::Finding;
use super::play::Played;

/// Counts over runs.
#[derive(Debug, Default)]
pub struct Tally {
    /// Runs.
    pub runs: usize,
    /// Requests of all runs.
    pub requests: usize,
    /// Faults and deaths by name.
    pub faults: BTreeMap<String, usize>,
    /// Tickets, comments and callbacks that never came.
    pub lost: usize,
    /// Tickets too many.
    pub duplicates: usize,
    /// Stories that differ, and runs that did not come to rest.
    pub wrong: usize,
    /// Comments that stand in a journal twice.
    pub journal_doubles: usize,
    /// What was found, by seed: each can be repeated alone.
    pub failing: BTreeMap<u64, Vec<Finding>>,
}

impl Tally {
    /// Adds a run.
    pub fn add(&mut self, seed: u64, played: Played) {
        self.runs += 1;
        self.requests += played.requests;
        for (name, count) in played.faults {
            *self.faults.entry(name).or_default() += count;
        }
        for finding in &played.findings {
            let count = match finding {
                Finding::Lost(_) => &mut self.lost,
                Finding::Duplicate(_) => &mut self.duplicates,
                Finding::WrongState(_) | Finding::Restless | Finding::Broken(_) => &mut self.wrong,
                Finding::JournalDouble(_) => &mut self.journal_doubles,
            };
            *count += 1;
        }
        if !played.findings.is_empty() {
            self.failing.insert(seed, played.findings);
        }
    }

    /// Adds a run that panicked.
    pub fn add_broken(&mut self, seed: u64, why: &str) {
        self.runs += 1;
        self.wrong += 1;
        self.failing
            .insert(seed, vec![Finding::Broken(why.to_owned())]);
    }

    /// Adds what another thread has counted.
    pub fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        self.requests += other.requests;
        self.lost += other.lost;
        self.duplicates += other.duplicates;
        self.wrong += other.wrong;
        self.journal_doubles += other.journal_doubles;
        self.failing.extend(other.failing);
        for (name, count) in other.faults {
            *self.faults.entry(name).or_default() += count;
        }
    }

    /// Whether every promise was kept.
    pub fn holds(&self) -> bool {
        self.failing.is_empty()
    }

    /// For people.
    pub fn table(&self, first_seed: u64, took: Duration) -> String {
        let mut text = String::new();
        for (seed, findings) in &self.failing {
            row(&mut text, &format!("seed {seed}"), format!("{findings:#?}"));
        }
        row(&mut text, "seeds from", first_seed);
        row(&mut text, "seconds", took.as_secs());
        for (name, count) in &self.faults {
            row(&mut text, name, count);
        }
        row(&mut text, "runs", self.runs);
        row(&mut text, "requests", self.requests);
        row(&mut text, "lost", self.lost);
        row(&mut text, "duplicates", self.duplicates);
        row(&mut text, "wrong states", self.wrong);
        row(&mut text, "journal doubles", self.journal_doubles);
        text
    }
}

fn row(text: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a string does not fail.
    writeln!(text, "{name:<44} {value}").unwrap_or_default();
}
