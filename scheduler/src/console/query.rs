//! From the query of a page to that of the API: fields that were left empty are none, and times are written as people's browsers do.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

/// Windows of time that can be chosen.
const WINDOWS: [(&str, &str, i64); 5] = [
    ("15m", "Last 15 min", 15),
    ("1h", "Last hour", 60),
    ("24h", "Last 24 h", 24 * 60),
    ("7d", "Last 7 days", 7 * 24 * 60),
    ("30d", "Last 30 days", 30 * 24 * 60),
];

const TIMES: [&str; 8] = [
    "created_after",
    "created_before",
    "started_after",
    "started_before",
    "finished_after",
    "finished_before",
    "after",
    "before",
];

/// The fields of a query that are not empty, without the flash.
pub(super) fn chosen(query: Option<&str>) -> Vec<(String, String)> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .filter(|(name, value)| !value.trim().is_empty() && name != "flash")
        .collect()
}

/// For templates, which ask for fields by name: those of `names` that were not chosen are empty.
pub(super) fn for_template(chosen: &[(String, String)], names: &[&str]) -> Value {
    let value = |name: &str| {
        let found = chosen.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let map: Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), Value::String(value(name))))
        .collect();
    Value::Object(map)
}

/// The windows as templates show them.
pub(super) fn windows() -> Vec<Value> {
    WINDOWS
        .iter()
        .map(|(word, label, _)| json!({ "word": word, "label": label }))
        .collect()
}

/// The same fields without the place of the page.
pub(super) fn without_place(chosen: &[(String, String)]) -> Vec<(String, String)> {
    let kept = chosen.iter().filter(|(name, _)| name != "cursor");
    kept.cloned().collect()
}

/// The same fields as a query of this page, without the place of the page.
pub(super) fn again(chosen: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(without_place(chosen))
        .finish()
}

/// The same filter for an export, behind its own parameters.
pub(super) fn export(chosen: &[(String, String)], window_of: &str, now: DateTime<Utc>) -> String {
    let query = for_api(&without_place(chosen), window_of, now);
    if query.is_empty() {
        query
    } else {
        format!("&{query}")
    }
}

/// The same fields as the API wants them. The window is counted back from `now` as `window_of`.
pub(super) fn for_api(chosen: &[(String, String)], window_of: &str, now: DateTime<Utc>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in chosen {
        if name == "window" {
            if let Some((_, _, minutes)) = WINDOWS.iter().find(|(word, ..)| word == value) {
                let from = now - TimeDelta::minutes(*minutes);
                query.append_pair(
                    window_of,
                    &from.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                );
            }
        } else if TIMES.contains(&name.as_str()) {
            query.append_pair(name, &moment(value));
        } else {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

/// What a browser calls local is UTC here, as the label beside it says.
fn moment(text: &str) -> String {
    match text.len() {
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_of_a_page_becomes_one_of_the_api() {
        let now = DateTime::from_timestamp(1_900_000_000, 0).unwrap();
        let all = chosen(Some(
            "state=dead&text=&window=1h&finished_before=2030-01-31T12%3A30&cursor=x&flash=paused&lane=a%40b",
        ));
        assert_eq!(
            for_api(&all, "created_after", now),
            "state=dead&created_after=2030-03-17T16%3A46%3A40Z&finished_before=2030-01-31T12%3A30%3A00Z&cursor=x&lane=a%40b"
        );
        assert_eq!(
            again(&all),
            "state=dead&window=1h&finished_before=2030-01-31T12%3A30&lane=a%40b"
        );
        assert_eq!(
            export(&all, "created_after", now),
            "&state=dead&created_after=2030-03-17T16%3A46%3A40Z&finished_before=2030-01-31T12%3A30%3A00Z&lane=a%40b"
        );
        assert_eq!(export(&[], "created_after", now), "");
        let shown = for_template(&all, &["state", "text"]);
        assert_eq!(shown, serde_json::json!({"state": "dead", "text": ""}));
    }
}
