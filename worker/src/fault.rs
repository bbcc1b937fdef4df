//! From an error of the connector to the end of a run. Handlers look at the errors that mean something special to them first;
//! the rest is judged here, once for all (wire contract 15.2).

use std::time::Duration;

use chrono::TimeDelta;
use servicenow_client::{ConnectKind, Error, ForbiddenKind, GarbageKind, HtmlKind, InvalidKind};

use crate::outcome::{Outcome, Scope};
use crate::run::Run;

/// First and longest silence while an instance is full or away.
pub(crate) const AWAY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(5));

/// Silence after a 429 that does not say how long.
pub(crate) const RATE_LIMITED: Duration = Duration::from_mins(1);

/// First look after an answer that leaves the result open (wire contract 12.2).
const UNCLEAR: Duration = Duration::from_secs(2);

/// What an error means for a run whose calls are about `table`.
pub(crate) fn judge(run: &Run<'_>, table: &str, error: &Error) -> Outcome {
    let text = error.to_string();
    match error {
        Error::Auth { .. } => park(Scope::Connection, "auth", text),
        Error::Forbidden { kind, .. } => forbidden(run, table, *kind, text),
        Error::NotFound { .. } => Outcome::dead("not_found", text),
        Error::Invalid { kind, .. } => invalid(table, *kind, text),
        Error::RateLimited { retry_after, .. } => hold(
            run,
            "rate_limited",
            Some(retry_after.unwrap_or(RATE_LIMITED)),
            text,
        ),
        Error::Busy { retry_after, .. } => hold(run, "busy", *retry_after, text),
        Error::Maybe { .. } => unclear("maybe", text),
        Error::Garbage { kind, .. } => garbage(run, *kind, text),
        Error::Connect { kind, .. } => hold(run, connect_class(*kind), None, text),
        Error::Untrustworthy { .. } => park(table_scope(table), "untrustworthy", text),
        Error::Query(_) => Outcome::dead("query", text),
        Error::Config(_) => park(Scope::Connection, "config", text),
        // The budget holds all others by itself.
        Error::Held(held) => Outcome::Hold {
            scope: None,
            until: held.until,
            class: "throttled",
            message: text,
        },
    }
}

/// A 403 (wire contract 2.8, E2 to E7). Without access nothing about this table can succeed; a policy or a rule of the instance
/// refuses this one record.
fn forbidden(run: &Run<'_>, table: &str, kind: ForbiddenKind, text: String) -> Outcome {
    match kind {
        ForbiddenKind::Api if run.job.attempts == 0 => Outcome::retry("forbidden_api", text),
        ForbiddenKind::Api => park(table_scope(table), "forbidden_api", text),
        ForbiddenKind::Acl => park(table_scope(table), "forbidden_acl", text),
        ForbiddenKind::Query => park(table_scope(table), "forbidden_query", text),
        ForbiddenKind::DataPolicy => Outcome::dead("data_policy", text),
        ForbiddenKind::BusinessRule => Outcome::dead("business_rule", text),
        ForbiddenKind::Other => Outcome::retry("forbidden", text),
    }
}

fn invalid(table: &str, kind: InvalidKind, text: String) -> Outcome {
    match kind {
        InvalidKind::Table => park(table_scope(table), "invalid_table", text),
        InvalidKind::Path => park(Scope::Connection, "invalid_path", text),
        InvalidKind::Protocol => park(Scope::Connection, "invalid_protocol", text),
        InvalidKind::Request => Outcome::dead("invalid_request", text),
        InvalidKind::TooLong => Outcome::dead("too_long", text),
    }
}

fn garbage(run: &Run<'_>, kind: GarbageKind, text: String) -> Outcome {
    match kind {
        GarbageKind::Html(HtmlKind::Login) => park(Scope::Connection, "login_page", text),
        GarbageKind::Html(HtmlKind::Hibernating) => hold(run, "hibernating", None, text),
        GarbageKind::Html(HtmlKind::Offline) => hold(run, "offline", None, text),
        GarbageKind::Html(HtmlKind::Other) | GarbageKind::Redirect => {
            hold(run, "web_page", None, text)
        }
        GarbageKind::Accepted202 => unclear("thrown_away", text),
        GarbageKind::Cut | GarbageKind::ErrorIn200 | GarbageKind::WrongShape => {
            unclear("garbage", text)
        }
    }
}

fn connect_class(kind: ConnectKind) -> &'static str {
    match kind {
        ConnectKind::Dns => "dns",
        ConnectKind::Tls => "tls",
        ConnectKind::Refused | ConnectKind::Timeout | ConnectKind::Other => "connect",
    }
}

fn unclear(class: &'static str, message: String) -> Outcome {
    Outcome::Retry {
        class,
        after: Some(UNCLEAR),
        message,
    }
}

fn park(scope: Scope, class: &'static str, reason: String) -> Outcome {
    Outcome::Park {
        scope: Some(scope),
        class,
        reason,
    }
}

fn table_scope(table: &str) -> Scope {
    Scope::Table(table.to_owned())
}

/// Nobody calls the connection for as long as it says, or for a time that doubles with each failure in a row.
fn hold(run: &Run<'_>, class: &'static str, asked: Option<Duration>, message: String) -> Outcome {
    let connection = run.job.connection.as_deref().unwrap_or_default();
    let wait = asked
        .and_then(|asked| TimeDelta::from_std(asked).ok())
        .unwrap_or_else(|| run.back_off(connection, AWAY.0, AWAY.1));
    Outcome::Hold {
        scope: Some(Scope::Connection),
        until: run.now() + wait,
        class,
        message,
    }
}
