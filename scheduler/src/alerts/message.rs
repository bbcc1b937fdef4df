//! The message about a change: one text for mail and for chat, and the same as data.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use shared::alert::Told;
use shared::config::{AlertRule, Settings};
use shared::store::alerts::Alert;

use super::wording::{Words, headline, span, words};

/// Findings that a text names one by one.
const NAMED: usize = 10;

/// Subject and body. `alert` is shown as it stands; of one that is over, as it was.
pub(super) fn compose(
    settings: &Settings,
    alert: &Alert,
    rule: &AlertRule,
    told: Told,
    now: DateTime<Utc>,
) -> (String, Value) {
    let words = words(alert.name);
    let figure = alert.figure.unwrap_or_default();
    let headline = headline(alert.name, figure, alert.findings.len());
    let about = match told {
        Told::Fired => format!("{}: {headline}", rule.severity),
        Told::Repeated => format!("{}, still: {headline}", rule.severity),
        Told::Resolved => format!("over: {}", words.title),
    };
    let subject = format!("[{}] {about}", settings.environment);
    let text = text(settings, alert, rule, told, now);
    let body = json!({
        "type": format!("alert.{told}"),
        "timestamp": now,
        "text": format!("{subject}\n{text}"),
        "data": {
            "alert": alert.name,
            "severity": rule.severity,
            "environment": settings.environment,
            "bridge": settings.bridge_name,
            "headline": headline,
            "figure": alert.figure,
            "threshold": rule.threshold,
            "since": alert.standing.since,
            "until": (told == Told::Resolved).then_some(now),
            "findings": alert.findings,
            "console_url": page(settings, &words),
            "runbook": runbook(settings, &words),
            "advice": words.advice,
        },
    });
    (subject, body)
}

/// The body of a message that only tries a destination.
pub(crate) fn test_body(settings: &Settings, by: &str, now: DateTime<Utc>) -> (String, Value) {
    let subject = format!("[{}] test of an alert destination", settings.environment);
    let console = format!("{}/console/alerts", settings.server.base_url());
    let text = format!(
        "{subject}\n{by} tries whether messages about alerts arrive here. Nothing is wrong, and nothing has to be done.\nSee {console}"
    );
    let body = json!({
        "type": "alert.test",
        "timestamp": now,
        "text": text,
        "data": {
            "environment": settings.environment,
            "bridge": settings.bridge_name,
            "console_url": console,
        },
    });
    (subject, body)
}

fn text(
    settings: &Settings,
    alert: &Alert,
    rule: &AlertRule,
    told: Told,
    now: DateTime<Utc>,
) -> String {
    let words = words(alert.name);
    let since = alert.standing.since;
    let held = span((now - since).num_seconds());
    let since = since.format("%Y-%m-%d %H:%M:%S UTC");
    let mut lines = Vec::new();
    if told == Told::Resolved {
        lines.push(format!("It held since {since}, for {held}. Last seen:"));
    } else {
        lines.push(format!("Since {since}, for {held}:"));
    }
    let named = alert.findings.iter().take(NAMED);
    lines.extend(named.map(|it| format!("- {}: {}", it.at, it.what)));
    match alert.findings.len().saturating_sub(NAMED) {
        0 => {}
        more => lines.push(format!("- and {more} more")),
    }
    lines.push(format!("See {}", page(settings, &words)));
    if told != Told::Resolved {
        lines.push(format!("Do: {}", words.advice));
        lines.push(format!("More: {}", runbook(settings, &words)));
        lines.push(format!(
            "It is told again after {} while it holds, and once when it is over.",
            span(rule.quiet().num_seconds())
        ));
    }
    lines.join("\n")
}

fn page(settings: &Settings, words: &Words) -> String {
    format!("{}{}", settings.server.base_url(), words.page)
}

/// Where the heading is; by name where nobody has said where the runbook can be read.
pub(crate) fn runbook(settings: &Settings, words: &Words) -> String {
    let at = match settings.alerts.runbook_url.as_str() {
        "" => "docs/operating.md",
        url => url,
    };
    format!("{at}#{}", words.heading)
}
