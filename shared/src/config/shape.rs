use chrono::NaiveDate;
use config::{Map, Value, ValueKind};
use serde_json::Value as Json;

use super::{layers::is_text, report::Report, suggest::did_you_mean};

/// Reads the merged tree along the schema of the settings: names every unknown key, missing key, wrong type, unknown word
/// and number out of range at once, and puts the default in place of what is wrong, so that the rest can still be checked.
///
/// Values are quoted only where the schema lists words or sets limits; nothing secret has either.
pub(super) fn read(
    tree: Map<String, Value>,
    schema: &Json,
    defaults: &Json,
    report: &mut Report,
) -> Json {
    Reader { report }.table(tree, schema, "", Some(defaults))
}

struct Reader<'a> {
    report: &'a mut Report,
}

/// What is wrong with one value, and the fix.
type Wrong = (String, String);

impl Reader<'_> {
    fn table(
        &mut self,
        tree: Map<String, Value>,
        schema: &Json,
        key: &str,
        default: Option<&Json>,
    ) -> Json {
        self.missing(&tree, schema, key);
        let mut read = serde_json::Map::new();
        for (name, value) in tree {
            let whole = if key.is_empty() {
                name.clone()
            } else {
                format!("{key}.{name}")
            };
            let Some(inner) = property(schema, &name) else {
                self.unknown(&whole, &name, &value, schema);
                continue;
            };
            let default = default.and_then(|table| table.get(&name));
            if let Some(value) = self.value(value, inner, &whole, default) {
                read.insert(name, value);
            }
        }
        Json::Object(read)
    }

    fn value(
        &mut self,
        value: Value,
        schema: &Json,
        key: &str,
        default: Option<&Json>,
    ) -> Option<Json> {
        self.report.saw(key, some_origin(&value));
        let schema = without_null(schema);
        let wanted = kind(schema);
        let read = match (wanted, from_text(value, wanted)) {
            ("object", ValueKind::Table(tree)) => Ok(self.table(tree, schema, key, default)),
            ("array", ValueKind::Array(items)) => self.list(items, schema, key),
            ("array", _) if schema["items"]["properties"].is_object() => Err(only_in_the_file(key)),
            ("integer", ValueKind::I64(number)) => in_range(number, schema),
            ("boolean", ValueKind::Boolean(switch)) => Ok(switch.into()),
            ("string", ValueKind::String(word)) => known_word(word, schema),
            (_, found) => Err(wrong_kind(wanted, &found)),
        };
        read.map_err(|(problem, fix)| self.report.add(key, problem, fix))
            .ok()
            .or_else(|| default.cloned())
    }

    fn list(&mut self, items: Vec<Value>, schema: &Json, key: &str) -> Result<Json, Wrong> {
        let limit = |name| schema.get(name).and_then(Json::as_u64);
        let count = items.len() as u64;
        if let Some(least) = limit("minItems").filter(|least| count < *least) {
            return Err((
                format!("{count} items are given"),
                format!("give at least {least}"),
            ));
        }
        if let Some(most) = limit("maxItems").filter(|most| count > *most) {
            return Err((
                format!("{count} items are given"),
                format!("give at most {most}"),
            ));
        }
        let inner = &schema["items"];
        let read = items.into_iter().enumerate();
        Ok(read
            .filter_map(|(index, item)| self.value(item, inner, &format!("{key}[{index}]"), None))
            .collect())
    }

    fn missing(&mut self, tree: &Map<String, Value>, schema: &Json, key: &str) {
        let required = schema
            .get("required")
            .and_then(Json::as_array)
            .into_iter()
            .flatten();
        for name in required
            .filter_map(Json::as_str)
            .filter(|name| !tree.contains_key(*name))
        {
            let whole = if key.is_empty() {
                name.to_owned()
            } else {
                format!("{key}.{name}")
            };
            self.report.add(
                &whole,
                "not given",
                format!("set {name}; config.default.toml describes it"),
            );
        }
    }

    fn unknown(&mut self, whole: &str, name: &str, value: &Value, schema: &Json) {
        self.report.saw(whole, some_origin(value));
        let known = schema
            .get("properties")
            .and_then(Json::as_object)
            .into_iter()
            .flatten();
        self.report.add(
            whole,
            "unknown key",
            did_you_mean(name, known.map(|(known, _)| known.as_str())),
        );
    }
}

/// Values of the environment and the command line are texts; they become what is wanted, where they can.
fn from_text(value: Value, wanted: &str) -> ValueKind {
    let text = is_text(value.origin());
    let origin = value.origin().map(str::to_owned);
    match (wanted, value.kind) {
        ("array", ValueKind::String(joined)) if text => {
            let parts = joined
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            ValueKind::Array(
                parts
                    .map(|part| Value::new(origin.as_ref(), part))
                    .collect(),
            )
        }
        ("integer", ValueKind::String(word)) if text => word
            .trim()
            .parse()
            .map_or(ValueKind::String(word), ValueKind::I64),
        ("boolean", ValueKind::String(word)) if text => word
            .trim()
            .parse()
            .map_or(ValueKind::String(word), ValueKind::Boolean),
        (_, kind) => kind,
    }
}

/// The schema of one key: a known one, or any of a table of names.
fn property<'a>(schema: &'a Json, name: &str) -> Option<&'a Json> {
    let known = schema.get("properties").and_then(|known| known.get(name));
    known.or_else(|| {
        schema
            .get("additionalProperties")
            .filter(|any| any.is_object())
    })
}

/// The schema of an optional value when it is given.
fn without_null(schema: &Json) -> &Json {
    let choices = schema
        .get("anyOf")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    choices
        .into_iter()
        .find(|choice| choice["type"] != "null")
        .unwrap_or(schema)
}

fn kind(schema: &Json) -> &str {
    match &schema["type"] {
        Json::Array(kinds) => kinds
            .iter()
            .filter_map(Json::as_str)
            .find(|kind| *kind != "null"),
        kind => kind.as_str(),
    }
    // Enumerations of described words carry their type inside.
    .unwrap_or("string")
}

fn in_range(number: i64, schema: &Json) -> Result<Json, Wrong> {
    let least = schema.get("minimum").and_then(Json::as_i64).unwrap_or(0);
    let most = schema
        .get("maximum")
        .and_then(Json::as_i64)
        .unwrap_or(i64::MAX);
    if (least..=most).contains(&number) {
        return Ok(number.into());
    }
    Err((
        format!("{number} is out of range"),
        format!("write a number from {least} to {most}"),
    ))
}

fn known_word(word: String, schema: &Json) -> Result<Json, Wrong> {
    if schema["format"] == "date" && word.parse::<NaiveDate>().is_err() {
        return Err((
            "is no date".to_owned(),
            "write year, month and day: 2027-03-31".to_owned(),
        ));
    }
    let known: Vec<&str> = match (&schema["enum"], &schema["oneOf"]) {
        (Json::Array(words), _) => words.iter().filter_map(Json::as_str).collect(),
        (_, Json::Array(described)) => described
            .iter()
            .filter_map(|one| one["const"].as_str())
            .collect(),
        _ => return Ok(word.into()),
    };
    if known.contains(&word.as_str()) {
        return Ok(word.into());
    }
    Err((
        format!("`{word}` is not known here"),
        did_you_mean(&word, known),
    ))
}

fn only_in_the_file(key: &str) -> Wrong {
    let fix = format!("write each as [[{key}]] in the file; variables cannot set parts of a list");
    ("is not a list of tables".to_owned(), fix)
}

fn wrong_kind(expected: &str, found: &ValueKind) -> Wrong {
    let (wanted, fix) = match expected {
        "object" => (
            "a table",
            "write it as a [table]; a table cannot be given as one text",
        ),
        "array" => ("a list", "write it in the file as a list: [\"a\", \"b\"]"),
        "integer" => ("a whole number", "write digits only, without quotes"),
        "boolean" => ("true or false", "write true or false, without quotes"),
        _ => ("a text", "put it in quotes"),
    };
    let is = match found {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "true or false",
        ValueKind::Float(_) => "a number with a fraction",
        ValueKind::String(_) => "a text",
        ValueKind::Table(_) => "a table",
        ValueKind::Array(_) => "a list",
        _ => "a number",
    };
    (format!("is {is}, not {wanted}"), fix.to_owned())
}

/// The origin of a value, or of anything inside it: merged tables have none of their own.
fn some_origin(value: &Value) -> Option<&str> {
    value.origin().or_else(|| match &value.kind {
        ValueKind::Table(inner) => inner.values().find_map(some_origin),
        ValueKind::Array(items) => items.iter().find_map(some_origin),
        _ => None,
    })
}
