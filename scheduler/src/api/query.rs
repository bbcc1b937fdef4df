//! Reads query parameters and collects everything that is wrong with them.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};

use super::fields::{Text, shown, unfit};
use super::nearest::nearest;
use super::problem::{FieldError, Problem};
use super::problem_kind::Kind;

/// The parameters of one call, as they are read. [`Params::finish`] tells about those that nobody asked for.
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Params {
    pub(crate) fn of(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
        Self {
            pairs,
            known: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// A parameter that may be given once.
    pub(crate) fn one(&mut self, name: &'static str) -> Option<String> {
        let mut all = self.all(name);
        if all.len() > 1 {
            self.wrong::<()>(
                name,
                "is given more than once".to_owned(),
                "give it once".to_owned(),
            );
        }
        all.pop()
    }

    /// A text of 1 to `longest` characters.
    pub(crate) fn text(&mut self, name: &'static str, longest: usize) -> Option<String> {
        let text = self.one(name)?;
        match unfit(&text, longest, Text::Line) {
            None => Some(text),
            Some((problem, fix)) => self.wrong(name, problem, fix),
        }
    }

    /// Something with a form of its own; `fix` says which.
    pub(crate) fn parsed<T: std::str::FromStr>(
        &mut self,
        name: &'static str,
        fix: &str,
    ) -> Option<T> {
        let text = self.one(name)?;
        match text.parse() {
            Ok(it) => Some(it),
            Err(_) => self.wrong(name, format!("is `{}`", shown(&text)), fix.to_owned()),
        }
    }

    /// Every value of a parameter that may be repeated, or hold several values with commas between them.
    pub(crate) fn list<T: std::str::FromStr>(&mut self, name: &'static str, fix: &str) -> Vec<T> {
        let mut found = Vec::new();
        for text in self.all(name).iter().flat_map(|all| all.split(',')) {
            match text.trim().parse() {
                Ok(it) => found.push(it),
                Err(_) => {
                    drop(self.wrong::<T>(name, format!("has `{}`", shown(text)), fix.to_owned()));
                }
            }
        }
        found
    }

    pub(crate) fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.parsed(name, "send true or false")
    }

    pub(crate) fn time(&mut self, name: &'static str) -> Option<DateTime<Utc>> {
        self.parsed(
            name,
            "send RFC 3339 with an offset, such as 2030-01-31T12:00:00Z; write a `+` as %2B",
        )
    }

    pub(crate) fn limit(&mut self, range: RangeInclusive<u64>, usual: u64) -> u64 {
        self.number("limit", range, usual)
    }

    pub(crate) fn number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
        usual: u64,
    ) -> u64 {
        let fix = format!(
            "send a whole number from {} to {}",
            range.start(),
            range.end()
        );
        match self.parsed(name, &fix) {
            Some(number) if range.contains(&number) => number,
            Some(number) => self
                .wrong(name, format!("is {number}"), fix)
                .unwrap_or(usual),
            None => usual,
        }
    }

    /// The problem of this query, if there is one.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in &self.pairs {
            if self.known.contains(&name.as_str()) {
                continue;
            }
            let fix = match nearest(name, &self.known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if self.known.is_empty() => {
                    "leave it out; this operation has no parameters".to_owned()
                }
                None => format!("leave it out; known parameters: {}", self.known.join(", ")),
            };
            self.errors.push(FieldError::new(
                shown(name),
                "is not a parameter of this operation",
                fix,
            ));
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        let detail = "Correct the parameters and call again.";
        Err(Problem::new(Kind::BadQuery, detail).with_errors(self.errors))
    }

    fn all(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        self.pairs
            .iter()
            .filter(|(found, _)| found == name)
            .map(|(_, value)| value.clone())
            .collect()
    }

    fn wrong<T>(&mut self, name: &str, problem: String, fix: String) -> Option<T> {
        self.errors.push(FieldError::new(name, problem, fix));
        None
    }
}

#[cfg(test)]
mod tests {
    use shared::request::RequestState;

    use super::*;

    const STATES: &str = "send request states";

    #[test]
    fn parameters_are_read_decoded() {
        let mut params = Params::of(Some(
            "text=a%20b&state=open,on_hold&state=denied&limit=7&attention=true",
        ));
        assert_eq!(params.text("text", 10).as_deref(), Some("a b"));
        assert_eq!(
            params.list::<RequestState>("state", STATES),
            [
                RequestState::Open,
                RequestState::OnHold,
                RequestState::Denied
            ]
        );
        assert_eq!(params.limit(1..=10, 5), 7);
        assert_eq!(params.flag("attention"), Some(true));
        assert_eq!(params.time("created_after"), None);
        assert_eq!(params.finish(), Ok(()));
    }

    #[test]
    fn every_problem_of_a_query_is_told_at_once() {
        let query = "text=&state=closed&limit=11&attention=maybe&created_after=today&stat=open&q=1&route=a&route=b";
        let mut params = Params::of(Some(query));
        assert_eq!(params.text("text", 10), None);
        assert_eq!(params.text("route", 10).as_deref(), Some("b"));
        assert_eq!(params.list::<RequestState>("state", STATES), []);
        assert_eq!(params.limit(1..=10, 5), 5);
        assert_eq!(params.flag("attention"), None);
        assert_eq!(params.time("created_after"), None);
        insta::assert_json_snapshot!(params.finish().unwrap_err());
    }
}
