//! The audit trail of a request in plain words.

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::store::audit::AuditRow;
use utoipa::ToSchema;

/// One thing that happened to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct TimelineEntry {
    /// When.
    at: DateTime<Utc>,
    /// Who: `source:idm`, `servicenow:nina.agent`, `operator:…`, `system:…`.
    #[schema(example = "source:idm")]
    actor: String,
    /// What, as a word that programs can branch on.
    #[schema(example = "request.accepted")]
    action: String,
    /// State before.
    from: Option<String>,
    /// State after.
    to: Option<String>,
    /// Why.
    reason: Option<String>,
    /// All of it as a sentence.
    #[schema(example = "Taken in from idm.")]
    text: String,
}

impl From<AuditRow> for TimelineEntry {
    fn from(row: AuditRow) -> Self {
        Self {
            text: sentence(&row),
            at: row.at,
            actor: row.actor,
            action: row.action,
            from: row.from,
            to: row.to,
            reason: row.reason,
        }
    }
}

fn sentence(row: &AuditRow) -> String {
    let what = match (row.from.as_deref(), row.to.as_deref()) {
        (None, Some("accepted")) => "Taken in".to_owned(),
        (Some(from), Some(to)) if from != to => {
            format!("Moved from {} to {}", spoken(from), spoken(to))
        }
        _ if row.action == "request.comment" => "Commented".to_owned(),
        _ => capitalised(&spoken(row.action.rsplit('.').next().unwrap_or_default())),
    };
    let until = changed_to(row, "valid_until").map(|until| format!(" until {until}"));
    let flag =
        changed_to(row, "attention").map(|flag| format!(" Needs attention: {}", closed(flag)));
    let why = row.reason.as_deref().map(|reason| format!(": {reason}"));
    let told = [Some(format!("{what} by {}", who(&row.actor))), until, why]
        .into_iter()
        .flatten()
        .collect::<String>();
    closed(&told) + &flag.unwrap_or_default()
}

/// What a field of the request became, if this entry changed it.
fn changed_to<'a>(row: &'a AuditRow, field: &str) -> Option<&'a str> {
    row.detail.get(field)?.get(1)?.as_str()
}

fn closed(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

fn who(actor: &str) -> String {
    match actor.split_once(':') {
        Some(("source", name)) => name.to_owned(),
        Some(("operator", name)) => format!("{name} (operator)"),
        Some(("servicenow", name)) => format!("{name} in ServiceNow"),
        Some(("system", part)) => format!("the bridge ({})", spoken(part)),
        _ => actor.to_owned(),
    }
}

fn spoken(word: &str) -> String {
    word.replace(['_', '-'], " ")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn entries_read_as_sentences() {
        let row = |actor: &str,
                   action: &str,
                   from: Option<&str>,
                   to: Option<&str>,
                   reason: Option<&str>| AuditRow {
            id: 1,
            at: DateTime::UNIX_EPOCH,
            actor: actor.into(),
            action: action.into(),
            subject_kind: "request".into(),
            subject_id: "1".into(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
            reason: reason.map(str::to_owned),
            detail: Value::Null,
        };
        let rows = [
            row(
                "source:idm",
                "request.accepted",
                None,
                Some("accepted"),
                None,
            ),
            row(
                "system:create_ticket",
                "request.opened",
                Some("accepted"),
                Some("open"),
                None,
            ),
            row(
                "servicenow:nina.agent",
                "request.moved",
                Some("open"),
                Some("on_hold"),
                Some("Waits for a vendor."),
            ),
            row(
                "operator:root",
                "request.touched",
                Some("open"),
                Some("open"),
                None,
            ),
            row("source:idm", "request.approved", None, None, None),
            AuditRow {
                detail: json!({"version": 3, "valid_until": [null, "2030-01-31T12:00:00Z"]}),
                ..row(
                    "source:idm/sam.sample",
                    "request.extended",
                    Some("open"),
                    Some("open"),
                    None,
                )
            },
            AuditRow {
                detail: json!({"attention": [null, "The state `17` is not in the map."]}),
                ..row(
                    "system:worker",
                    "request.seen",
                    Some("open"),
                    Some("open"),
                    None,
                )
            },
        ];
        let text: Vec<String> = rows.iter().map(sentence).collect();
        insta::assert_snapshot!(text.join("\n"));
    }
}
