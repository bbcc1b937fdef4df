//! Reads the fields of a JSON object and collects everything that is wrong with them, instead of stopping at the first.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike as _, SubsecRound as _, Utc};
use serde_json::{Map, Value};

use super::nearest::nearest;
use super::problem::FieldError;

/// The fields of one object, as they are read. [`Fields::finish`] tells about fields that nobody asked for.
pub(crate) struct Fields<'a> {
    at: String,
    object: &'a Map<String, Value>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

/// Which characters a text may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    /// No control characters.
    Line,
    /// No control characters but newline (with or without carriage return) and tab.
    Lines,
}

impl<'a> Fields<'a> {
    /// The fields of `value`, which is found at the JSON pointer `at` (empty for the whole body).
    pub(crate) fn of(value: &'a Value, at: &str) -> Result<Self, FieldError> {
        let object = value.as_object().ok_or_else(|| {
            FieldError::new(
                at,
                format!("is {}; an object is needed", kind_of(value)),
                "send a JSON object: {\"field\": value, …}",
            )
        })?;
        Ok(Self {
            at: at.to_owned(),
            object,
            known: Vec::new(),
            errors: Vec::new(),
        })
    }

    /// A value of any type; null counts as not sent.
    pub(crate) fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// A text of 1 to `longest` characters that may be left out.
    pub(crate) fn text(
        &mut self,
        name: &'static str,
        longest: usize,
        text: Text,
    ) -> Option<String> {
        match self.value(name)? {
            Value::String(it) => match unfit(it, longest, text) {
                None => Some(it.clone()),
                Some((problem, fix)) => self.wrong(name, problem, fix),
            },
            other => {
                let problem = format!("is {}; a text is needed", kind_of(other));
                self.wrong(
                    name,
                    problem,
                    "send a JSON string, in double quotes".to_owned(),
                )
            }
        }
    }

    /// A text that must be there. Empty after a problem, which [`Fields::finish`] reports.
    pub(crate) fn needed_text(&mut self, name: &'static str, longest: usize, text: Text) -> String {
        if self.object.get(name).is_none_or(Value::is_null) {
            self.known.push(name);
            return self.missing(name, format!("send a text of 1 to {longest} characters"));
        }
        self.text(name, longest, text).unwrap_or_default()
    }

    /// A whole number.
    pub(crate) fn integer(
        &mut self,
        name: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let value = self.value(name)?;
        let fix = format!(
            "send a whole number from {} to {}",
            range.start(),
            range.end()
        );
        match value.as_i64() {
            Some(it) if range.contains(&it) => Some(it),
            Some(it) => {
                let problem = format!("is {it}; the range is {} to {}", range.start(), range.end());
                self.wrong(name, problem, fix)
            }
            None => {
                let problem = format!("is {}; a whole number is needed", kind_of(value));
                self.wrong(name, problem, fix)
            }
        }
    }

    /// Yes or no.
    pub(crate) fn flag(&mut self, name: &'static str) -> Option<bool> {
        let value = self.value(name)?;
        match value.as_bool() {
            Some(it) => Some(it),
            None => self.wrong(
                name,
                format!("is {}; true or false is needed", kind_of(value)),
                "send true or false, without quotes".to_owned(),
            ),
        }
    }

    /// A moment in time, cut to the microseconds that the databases keep.
    pub(crate) fn time(&mut self, name: &'static str) -> Option<DateTime<Utc>> {
        let value = self.value(name)?;
        let fix = "send RFC 3339 with an offset, such as 2030-01-31T12:00:00Z".to_owned();
        let Some(text) = value.as_str() else {
            return self.wrong(
                name,
                format!("is {}; a time is needed", kind_of(value)),
                fix,
            );
        };
        match DateTime::parse_from_rfc3339(text) {
            // An offset can carry a time out of the four digits that RFC 3339 has for a year; nobody could read it back.
            Ok(time) if (0..=9999).contains(&time.to_utc().year()) => {
                Some(time.to_utc().trunc_subsecs(6))
            }
            Ok(_) => self.wrong(
                name,
                format!(
                    "`{}` lies outside of the years 0 to 9999 in UTC",
                    shown(text)
                ),
                fix,
            ),
            Err(_) => self.wrong(name, format!("`{}` is no RFC 3339 time", shown(text)), fix),
        }
    }

    /// Notes a problem of a field (a name, or a path below it such as `attributes/role`).
    pub(crate) fn problem(
        &mut self,
        name: &str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let field = format!("{}/{name}", self.at);
        self.errors.push(FieldError::new(field, problem, fix));
    }

    /// Whether the field was sent.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(|value| !value.is_null())
    }

    /// Notes that a field is missing.
    pub(crate) fn missing<T: Default>(&mut self, name: &'static str, fix: impl Into<String>) -> T {
        self.problem(name, "is missing", fix);
        T::default()
    }

    /// Every problem found, fields that nobody asked for included.
    pub(crate) fn finish(mut self) -> Vec<FieldError> {
        for name in self.object.keys() {
            if self.known.contains(&name.as_str()) {
                continue;
            }
            let fix = match nearest(name, &self.known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("leave it out; known fields: {}", self.known.join(", ")),
            };
            let field = format!("{}/{}", self.at, escaped(name));
            self.errors
                .push(FieldError::new(field, "is not a field of this object", fix));
        }
        self.errors
    }

    fn wrong<T>(&mut self, name: &str, problem: String, fix: String) -> Option<T> {
        self.problem(name, problem, fix);
        None
    }
}

/// Why a text does not fit, and what to do; `None` when it does.
pub(crate) fn unfit(it: &str, longest: usize, text: Text) -> Option<(String, String)> {
    let length = it.chars().count();
    if length > longest {
        let problem = format!("has {length} characters; at most {longest} are taken");
        return Some((problem, format!("shorten it to {longest} characters")));
    }
    if it.trim().is_empty() {
        return Some((
            "is empty".to_owned(),
            format!("send 1 to {longest} characters"),
        ));
    }
    let bad =
        |c: &char| c.is_control() && !(text == Text::Lines && matches!(c, '\n' | '\r' | '\t'));
    let (position, found) = it.chars().enumerate().find(|(_, c)| bad(c))?;
    let allowed = match text {
        Text::Line => "remove it",
        Text::Lines => "remove it; only newline and tab are taken",
    };
    Some((
        format!(
            "has the control character U+{:04X} at position {}",
            u32::from(found),
            position + 1
        ),
        allowed.to_owned(),
    ))
}

/// What a JSON value is, in words.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A name as a step of a JSON pointer (RFC 6901), shortened so that a problem stays readable.
pub(crate) fn escaped(name: &str) -> String {
    shown(name).replace('~', "~0").replace('/', "~1")
}

/// The first characters of a text, for a message.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut start: String = text.chars().take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        start.push('…');
    }
    start
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_problem_of_an_object_is_told_at_once() {
        let body = json!({
            "id": "x".repeat(11), "name": 5, "line": "a\u{7}b", "empty": "  ", "lines": "a\n\tb", "count": 1.5, "many": 9,
            "flag": "yes", "when": "tomorrow", "then": "2030-01-31T12:00:00", "nmae": 1, "a/b~c": 2, "nothing": null
        });
        let mut fields = Fields::of(&body, "/items/0").unwrap();
        assert_eq!(fields.needed_text("id", 10, Text::Line), "");
        assert_eq!(fields.text("name", 10, Text::Line), None);
        assert_eq!(fields.text("line", 10, Text::Line), None);
        assert_eq!(fields.text("empty", 10, Text::Line), None);
        assert_eq!(
            fields.text("lines", 10, Text::Lines).as_deref(),
            Some("a\n\tb")
        );
        assert_eq!(fields.integer("count", 1..=5), None);
        assert_eq!(fields.integer("many", 1..=5), None);
        assert_eq!(fields.flag("flag"), None);
        assert_eq!(fields.time("when"), None);
        assert_eq!(fields.time("then"), None);
        assert_eq!(fields.needed_text("nothing", 10, Text::Line), "");
        insta::assert_json_snapshot!(fields.finish());
    }

    #[test]
    fn only_objects_have_fields() {
        assert!(Fields::of(&json!([1]), "").is_err());
        assert!(Fields::of(&json!({}), "").unwrap().finish().is_empty());
    }

    #[test]
    fn times_that_nobody_could_read_back_are_refused() {
        let body =
            json!({"late": "9999-12-31T23:59:59-01:00", "early": "0000-01-01T00:00:00+01:00"});
        let mut fields = Fields::of(&body, "").unwrap();
        assert_eq!((fields.time("late"), fields.time("early")), (None, None));
        assert_eq!(fields.finish().len(), 2);
    }

    #[test]
    fn times_are_cut_to_what_the_databases_keep() {
        let body = json!({"at": "2030-01-31T13:00:00.123456789+01:00"});
        let time = Fields::of(&body, "").unwrap().time("at").unwrap();
        assert_eq!(time.to_rfc3339(), "2030-01-31T12:00:00.123456+00:00");
    }
}
