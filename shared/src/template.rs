//! Ticket templates: minijinja expressions over a request, checked before any ticket depends on them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use minijinja::value::{Object, Serde, Value};
use minijinja::{Environment, UndefinedBehavior, context};
use uuid::Uuid;

use crate::request::{Asked, RequestState};

/// Steps a template may take; a loop over attributes needs far fewer.
const FUEL: u64 = 20_000;

/// What a template may speak of.
#[derive(Debug, Clone, Copy)]
pub struct TemplateInput<'a> {
    /// `bridge`: the name this bridge writes into its tickets.
    pub bridge: &'a str,
    /// `request_id` and, the same, `correlation_id`.
    pub request_id: Uuid,
    /// `source`: the identity system's name.
    pub source: &'a str,
    /// `external_id`, `category`, `item`, `requester`, `requested_for`, `justification`, `priority`, `valid_from`,
    /// `valid_until`, `attributes`.
    pub asked: &'a Asked,
    /// `state`: the state of the request, when a status is written.
    pub state: Option<RequestState>,
    /// `reason`: why the request is in that state.
    pub reason: Option<&'a str>,
}

/// One column whose template did not give a usable value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// Column (or catalog variable).
    pub column: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub fix: String,
}

/// Compiled templates, one a column, with the longest text each column takes.
#[derive(Debug, Clone)]
pub struct FieldTemplates {
    environment: Arc<Environment<'static>>,
    columns: BTreeMap<String, Option<usize>>,
}

impl FieldTemplates {
    /// Compiles `templates` (column → source) and renders each once for a sample request, so that a mistake shows when
    /// the configuration is loaded and not when the first request arrives.
    pub fn compile(
        templates: &BTreeMap<String, String>,
        max_length: impl Fn(&str) -> Option<usize>,
    ) -> Result<Self, Vec<FieldProblem>> {
        let mut environment = environment();
        let mut problems = Vec::new();
        for (column, source) in templates {
            if let Err(error) = environment.add_template_owned(column.clone(), source.clone()) {
                problems.push(unusable(column, &error));
            }
        }
        let columns = templates
            .keys()
            .map(|column| (column.clone(), max_length(column)))
            .collect();
        let compiled = Self {
            environment: Arc::new(environment),
            columns,
        };
        if problems.is_empty() {
            problems = compiled.check_on_sample();
        }
        if problems.is_empty() {
            Ok(compiled)
        } else {
            Err(problems)
        }
    }

    /// The columns that are filled.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }

    /// Renders every column for a request. All problems are reported, not only the first.
    pub fn render(
        &self,
        input: &TemplateInput<'_>,
    ) -> Result<BTreeMap<String, String>, Vec<FieldProblem>> {
        let values = values(input, Value::from(Serde(&input.asked.attributes)));
        let mut rendered = BTreeMap::new();
        let mut problems = Vec::new();
        for (column, max_length) in &self.columns {
            match self.render_one(column, &values) {
                Ok(text) => match too_long(column, &text, *max_length) {
                    Some(problem) => problems.push(problem),
                    None => drop(rendered.insert(column.clone(), text)),
                },
                Err(error) => problems.push(unusable(column, &error)),
            }
        }
        if problems.is_empty() {
            Ok(rendered)
        } else {
            Err(problems)
        }
    }

    fn check_on_sample(&self) -> Vec<FieldProblem> {
        let asked = sample();
        let input = TemplateInput {
            bridge: "TicketBridge",
            request_id: Uuid::nil(),
            source: "sample",
            asked: &asked,
            state: Some(RequestState::Fulfilled),
            reason: Some("sample reason"),
        };
        let values = values(&input, Value::from_object(AnyAttribute));
        self.columns
            .keys()
            .filter_map(|column| Some(unusable(column, &self.render_one(column, &values).err()?)))
            .collect()
    }

    fn render_one(&self, column: &str, values: &Value) -> Result<String, minijinja::Error> {
        self.environment.get_template(column)?.render(values)
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("truncate", truncate);
    environment.add_filter("servicenow_time", servicenow_time);
    environment
}

/// `{{ item | truncate(80) }}`: at most that many characters, with an ellipsis where text was left out.
fn truncate(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let kept: String = text.chars().take(length.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// `{{ valid_until | servicenow_time }}`: `YYYY-MM-DD HH:MM:SS`, UTC, as raw date-times are written (wire contract 2.4).
fn servicenow_time(text: &str) -> Result<String, minijinja::Error> {
    let time: DateTime<Utc> = text.parse().map_err(|error| {
        minijinja::Error::new(
            minijinja::ErrorKind::InvalidOperation,
            format!("`{text}` is no time: {error}"),
        )
    })?;
    Ok(time.format("%Y-%m-%d %H:%M:%S").to_string())
}

fn values(input: &TemplateInput<'_>, attributes: Value) -> Value {
    let asked = input.asked;
    context! {
        bridge => input.bridge,
        request_id => input.request_id.to_string(),
        correlation_id => input.request_id.to_string(),
        source => input.source,
        external_id => asked.external_id.as_str(),
        category => asked.category.as_str(),
        item => asked.item.as_str(),
        requester => asked.requester.as_str(),
        requested_for => asked.requested_for.as_str(),
        justification => asked.justification.as_deref(),
        priority => asked.priority,
        valid_from => asked.valid_from.map(|time| time.to_rfc3339()),
        valid_until => asked.valid_until.map(|time| time.to_rfc3339()),
        attributes => attributes,
        state => input.state.map(RequestState::as_str),
        reason => input.reason,
    }
}

fn sample() -> Asked {
    let text = |word: &str| word.to_owned();
    Asked {
        external_id: text("sample-1"),
        category: text("sample-category"),
        item: text("sample item"),
        requester: text("sample.requester"),
        requested_for: text("sample.person"),
        justification: Some(text("sample justification")),
        priority: 3,
        valid_from: Some(DateTime::UNIX_EPOCH),
        valid_until: Some(DateTime::UNIX_EPOCH),
        attributes: BTreeMap::new(),
        callback_url: None,
    }
}

/// Stands for the attributes of the sample request: any name is there. Which ones a real request carries is known only
/// at intake, where they are checked.
#[derive(Debug)]
struct AnyAttribute;

impl Object for AnyAttribute {
    fn get_value(self: &Arc<Self>, _key: &Value) -> Option<Value> {
        Some(Value::from("sample"))
    }
}

fn unusable(column: &str, error: &minijinja::Error) -> FieldProblem {
    let what = error.detail().map_or_else(
        || error.kind().to_string(),
        |detail| format!("{}: {detail}", error.kind()),
    );
    let line = error
        .line()
        .map(|line| format!(" (line {line})"))
        .unwrap_or_default();
    let fix = match error.kind() {
        minijinja::ErrorKind::UndefinedError => {
            "send the missing attribute, or give the template a default: `{{ attributes.name or 'none' }}`"
        }
        _ => "correct the template of this column in the route",
    };
    FieldProblem {
        column: column.to_owned(),
        problem: format!("the template does not render: {what}{line}"),
        fix: fix.to_owned(),
    }
}

fn too_long(column: &str, text: &str, max_length: Option<usize>) -> Option<FieldProblem> {
    let (length, max) = (text.chars().count(), max_length?);
    (length > max).then(|| FieldProblem {
        column: column.to_owned(),
        problem: format!("the text has {length} characters; the column takes {max}"),
        fix: format!("shorten what the template uses, or add `| truncate({max})` to it"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates(column: &str, source: &str) -> Result<FieldTemplates, Vec<FieldProblem>> {
        let all = BTreeMap::from([(column.to_owned(), source.to_owned())]);
        FieldTemplates::compile(&all, |column| (column == "short_description").then_some(20))
    }

    fn render(source: &str, asked: &Asked) -> Result<BTreeMap<String, String>, Vec<FieldProblem>> {
        let input = TemplateInput {
            bridge: "TicketBridge",
            request_id: Uuid::nil(),
            source: "idm",
            asked,
            state: None,
            reason: None,
        };
        templates("short_description", source)
            .unwrap()
            .render(&input)
    }

    #[test]
    fn columns_are_rendered_without_escaping() {
        let mut asked = sample();
        asked.item = "A & B <x>".into();
        assert_eq!(
            render("{{ item }}", &asked).unwrap()["short_description"],
            "A & B <x>"
        );
    }

    #[test]
    fn a_missing_attribute_names_column_and_fix() {
        let problems = render("{{ attributes.role }}", &sample()).unwrap_err();
        insta::assert_debug_snapshot!(problems);
        assert_eq!(
            render("{{ attributes.role or 'none' }}", &sample()).unwrap()["short_description"],
            "none"
        );
    }

    #[test]
    fn mistakes_show_when_the_configuration_is_loaded() {
        insta::assert_debug_snapshot!([
            templates("description", "{{ item").unwrap_err(),
            templates("description", "{{ itm }}").unwrap_err(),
            templates("description", "{{ item | shout }}").unwrap_err(),
            templates("description", "{% for i in range(100000) %}x{% endfor %}").unwrap_err(),
        ]);
        assert!(templates("description", "{{ attributes.whatever }} {{ reason }}").is_ok());
    }

    #[test]
    fn text_that_does_not_fit_is_reported_and_can_be_cut() {
        let mut asked = sample();
        asked.item = "an item with a very long name".into();
        let problems = render("{{ item }}", &asked).unwrap_err();
        assert_eq!(
            problems[0].problem,
            "the text has 29 characters; the column takes 20"
        );
        assert_eq!(
            render("{{ item | truncate(20) }}", &asked).unwrap()["short_description"],
            "an item with a very…"
        );
    }

    #[test]
    fn times_are_written_as_servicenow_reads_them() {
        let rendered = render("{{ valid_until | servicenow_time }}", &sample()).unwrap();
        assert_eq!(rendered["short_description"], "1970-01-01 00:00:00");
    }
}
