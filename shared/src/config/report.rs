use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::layers::FROM_DEFAULTS;
use super::problem::{Problem, Problems};

/// Where each value came from.
#[derive(Debug, Clone, Default)]
pub(super) struct Origins {
    known: BTreeMap<String, String>,
    /// Named for keys that no layer gives.
    fallback: String,
}

/// Gathers problems, and knows where each value came from.
pub(super) struct Report {
    problems: Vec<Problem>,
    origins: Origins,
    silent: BTreeSet<String>,
}

impl Report {
    pub(super) fn new(file: Option<&Path>) -> Self {
        let fallback = file.map_or_else(
            || FROM_DEFAULTS.to_owned(),
            |file| file.display().to_string(),
        );
        Self::resume(&Origins {
            known: BTreeMap::new(),
            fallback,
        })
    }

    /// A new report about values that have been read before.
    pub(super) fn resume(origins: &Origins) -> Self {
        Self {
            problems: Vec::new(),
            origins: origins.clone(),
            silent: BTreeSet::new(),
        }
    }

    /// What was seen of the origins of values.
    pub(super) fn origins(&self) -> Origins {
        self.origins.clone()
    }

    /// Remembers where the value of a key came from.
    pub(super) fn saw(&mut self, key: &str, origin: Option<&str>) {
        if let Some(origin) = origin {
            self.origins.known.insert(key.to_owned(), origin.to_owned());
        }
    }

    /// Adds a problem, unless the key has one: what follows from a value that is wrong already would only confuse.
    pub(super) fn add(&mut self, key: &str, problem: impl Into<String>, fix: impl Into<String>) {
        if self.silent.insert(key.to_owned()) {
            let at = self.origins.of(key);
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
}

impl Origins {
    /// The origin of the key; of something inside it; of something beside it.
    fn of(&self, key: &str) -> String {
        if let Some(origin) = self.known.get(key) {
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
                .known
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
