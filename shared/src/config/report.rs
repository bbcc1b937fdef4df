use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::layers::FROM_DEFAULTS;
use super::problem::{Problem, Problems};

/// Gathers problems, and knows where each value came from.
pub(super) struct Report {
    problems: Vec<Problem>,
    origins: BTreeMap<String, String>,
    silent: BTreeSet<String>,
    /// Named for keys that no layer gives.
    fallback: String,
}

impl Report {
    pub(super) fn new(file: Option<&Path>) -> Self {
        let fallback = file.map_or_else(
            || FROM_DEFAULTS.to_owned(),
            |file| file.display().to_string(),
        );
        Self {
            problems: Vec::new(),
            origins: BTreeMap::new(),
            silent: BTreeSet::new(),
            fallback,
        }
    }

    /// Remembers where the value of a key came from.
    pub(super) fn saw(&mut self, key: &str, origin: Option<&str>) {
        if let Some(origin) = origin {
            self.origins.insert(key.to_owned(), origin.to_owned());
        }
    }

    /// Adds a problem, unless the key has one: what follows from a value that is wrong already would only confuse.
    pub(super) fn add(&mut self, key: &str, problem: impl Into<String>, fix: impl Into<String>) {
        if self.silent.insert(key.to_owned()) {
            let at = self.origin(key);
            self.problems.push(Problem {
                at,
                key: key.to_owned(),
                problem: problem.into(),
                fix: fix.into(),
            });
        }
    }

    /// A view that puts `prefix.` before every key.
    pub(super) fn section(&mut self, prefix: &str) -> Section<'_> {
        Section {
            report: self,
            prefix: prefix.to_owned(),
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// All problems, by key.
    pub(super) fn into_problems(mut self) -> Problems {
        self.problems.sort_by(|a, b| a.key.cmp(&b.key));
        Problems(self.problems)
    }

    /// The origin of the key; of something inside it; of something beside it.
    fn origin(&self, key: &str) -> String {
        if let Some(origin) = self.origins.get(key) {
            return origin.clone();
        }
        let mut around = key;
        loop {
            let inside = |known: &str| {
                known
                    .strip_prefix(around)
                    .is_some_and(|rest| rest.starts_with(['.', '[']))
            };
            let given = self
                .origins
                .iter()
                .find(|(known, origin)| inside(known) && *origin != FROM_DEFAULTS);
            match (given, around.rfind(['.', '['])) {
                (Some((_, origin)), _) => return origin.clone(),
                (None, Some(end)) => around = &around[..end],
                (None, None) => return self.fallback.clone(),
            }
        }
    }
}

/// Problems of one section.
pub(super) struct Section<'a> {
    report: &'a mut Report,
    prefix: String,
}

impl Section<'_> {
    /// The whole key.
    pub(super) fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.prefix)
    }

    /// Adds a problem of a key of this section.
    pub(super) fn add(&mut self, key: &str, problem: impl Into<String>, fix: impl Into<String>) {
        self.report.add(&self.key(key), problem, fix);
    }

    /// No problem of this key is wanted any more: its cause has been told.
    pub(super) fn silence(&mut self, key: &str) {
        self.report.silent.insert(self.key(key));
    }
}
