//! What a source says about a request it has sent before.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::fields::{Fields, Text, kind_of, shown};
use super::nearest::nearest;
use super::problem::FieldError;

pub(crate) const LONGEST_REASON: usize = 1000;
const LONGEST_COMMENT: usize = 4000;
pub(crate) const LONGEST_ACTOR: usize = 100;

/// The words a source may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StatusWord)]
pub(crate) enum Word {
    /// Somebody on the identity side approved it.
    Approved,
    /// Work has begun on the identity side.
    InProgress,
    /// Work waits for something.
    OnHold,
    /// Done as asked.
    Fulfilled,
    /// Refused; needs a reason.
    Denied,
    /// No longer wanted; needs a reason.
    Withdrawn,
    /// Shall hold longer; needs `valid_until`.
    Extended,
    /// Something to tell whoever works on the ticket; needs `comment`.
    Comment,
}

impl Word {
    pub(crate) const ALL: [Self; 8] = [
        Self::Approved,
        Self::InProgress,
        Self::OnHold,
        Self::Fulfilled,
        Self::Denied,
        Self::Withdrawn,
        Self::Extended,
        Self::Comment,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::InProgress => "in_progress",
            Self::OnHold => "on_hold",
            Self::Fulfilled => "fulfilled",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Extended => "extended",
            Self::Comment => "comment",
        }
    }
}

/// A change on the identity side.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"status": "approved", "actor": "sam.sample", "reason": "Line manager agreed."}))]
pub(crate) struct StatusChange {
    /// What happened.
    pub(crate) status: Word,
    /// Why, in words a requester can read. Needed with `denied` and `withdrawn`.
    #[schema(max_length = 1000)]
    pub(crate) reason: Option<String>,
    /// Text for the journal of the ticket; may go with any status, needed with `comment`.
    #[schema(max_length = 4000)]
    pub(crate) comment: Option<String>,
    /// Whether the requester may see the comment in ServiceNow (`comments`); else it is a work note. Only with a comment.
    #[schema(default = false, required = false)]
    pub(crate) visible: bool,
    /// The new end of validity. Needed with `extended`, and only there.
    pub(crate) valid_until: Option<DateTime<Utc>>,
    /// Who did it on the identity side; shown in the journal and the audit trail.
    #[schema(max_length = 100)]
    pub(crate) actor: Option<String>,
}

impl StatusChange {
    /// Reads a body; every problem is reported.
    pub(crate) fn read(body: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, "").map_err(|error| vec![error])?;
        let status = word(&mut fields);
        let read = Self {
            status: status.unwrap_or(Word::Comment),
            reason: fields.text("reason", LONGEST_REASON, Text::Lines),
            comment: fields.text("comment", LONGEST_COMMENT, Text::Lines),
            visible: fields.flag("visible").unwrap_or(false),
            valid_until: fields.time("valid_until"),
            actor: fields.text("actor", LONGEST_ACTOR, Text::Line),
        };
        if let Some(status) = status {
            check_together(&mut fields, status);
        }
        match fields.finish() {
            errors if errors.is_empty() => Ok(read),
            errors => Err(errors),
        }
    }
}

fn word(fields: &mut Fields<'_>) -> Option<Word> {
    let names = Word::ALL.map(Word::as_str);
    let fix = format!("send one of {}", names.join(", "));
    let Some(value) = fields.value("status") else {
        return fields.missing("status", fix);
    };
    let Some(text) = value.as_str() else {
        fields.problem(
            "status",
            format!("is {}; a text is needed", kind_of(value)),
            fix,
        );
        return None;
    };
    let found = Word::ALL.into_iter().find(|word| word.as_str() == text);
    if found.is_none() {
        let meant = nearest(text, &names)
            .map(|meant| format!("did you mean `{meant}`? "))
            .unwrap_or_default();
        fields.problem(
            "status",
            format!("`{}` is no status", shown(text)),
            format!("{meant}{fix}"),
        );
    }
    found
}

fn check_together(fields: &mut Fields<'_>, status: Word) {
    if matches!(status, Word::Denied | Word::Withdrawn) && !fields.has("reason") {
        fields.missing::<()>(
            "reason",
            format!("say why the request is {}", status.as_str()),
        );
    }
    if status == Word::Comment && !fields.has("comment") {
        fields.missing::<()>("comment", "send the text of the comment");
    }
    if status == Word::Extended && !fields.has("valid_until") {
        fields.missing::<()>("valid_until", "send the new end of validity");
    }
    if status != Word::Extended && fields.has("valid_until") {
        fields.problem(
            "valid_until",
            "does not go with this status",
            "leave it out, or send status `extended`",
        );
    }
    if fields.has("visible") && !fields.has("comment") {
        fields.problem(
            "visible",
            "is about a comment, and there is none",
            "leave it out, or send a comment",
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};
    use utoipa::PartialSchema as _;

    use super::*;

    #[test]
    fn each_word_reads_with_what_it_needs() {
        for word in Word::ALL {
            assert_eq!(serde_json::to_value(word).unwrap(), word.as_str());
            let mut body = json!({"status": word, "reason": "because", "comment": "a\nb", "visible": true, "actor": "x"});
            if word == Word::Extended {
                body["valid_until"] = json!("2030-01-01T00:00:00Z");
            }
            assert_eq!(StatusChange::read(&body).unwrap().status, word);
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let bad = [
            json!({}),
            json!({"status": 1}),
            json!({"status": "aproved"}),
            json!({"status": "closed", "reason": ""}),
            json!({"status": "denied"}),
            json!({"status": "withdrawn", "reason": "x".repeat(1001)}),
            json!({"status": "comment", "visible": true}),
            json!({"status": "comment", "comment": "x", "visible": "yes"}),
            json!({"status": "extended"}),
            json!({"status": "approved", "valid_until": "2030-01-01T00:00:00Z", "note": "x"}),
        ];
        let errors: Vec<_> = bad
            .iter()
            .map(|body| StatusChange::read(body).unwrap_err())
            .collect();
        insta::assert_json_snapshot!(errors);
    }

    #[test]
    fn the_document_names_exactly_the_fields_that_are_read() {
        let schema = serde_json::to_value(StatusChange::schema()).unwrap();
        let documented: Map<String, Value> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(|name| (name.clone(), json!([])))
            .collect();
        let errors = StatusChange::read(&documented.clone().into()).unwrap_err();
        assert_eq!(
            errors.len(),
            documented.len(),
            "each refuses an array, none is unknown: {errors:?}"
        );
    }
}
