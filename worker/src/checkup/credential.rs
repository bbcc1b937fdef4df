//! How long the credential of a connection lives, and since when it is refused (N13).

use chrono::{DateTime, Utc};
use shared::checkup::{Step, Verdict};
use shared::config::{Auth, ConnectionSettings, CredentialEnd};
use shared::store::credentials::Credential;

const STEP: &str = "credential";

/// What is configured, and what the workers remember where that is known.
pub fn examine(
    name: &str,
    settings: &ConnectionSettings,
    known: Option<&Credential>,
    now: DateTime<Utc>,
) -> Step {
    let first_worked_at = known.and_then(|known| known.first_worked_at);
    let age = age(
        name,
        settings,
        settings.credential_end(first_worked_at),
        now,
    );
    match known.and_then(refusals) {
        Some(refusals) => Step {
            verdict: Verdict::Warning,
            found: format!("{refusals}; {}", age.found),
            fix: if age.fix.is_empty() {
                replace(settings)
            } else {
                age.fix
            },
            ..age
        },
        None => age,
    }
}

fn refusals(known: &Credential) -> Option<String> {
    let since = known.failing_since?;
    let since = since.format("%Y-%m-%d %H:%M UTC");
    Some(format!("refused {} times since {since}", known.refused))
}

fn age(
    name: &str,
    settings: &ConnectionSettings,
    end: Option<CredentialEnd>,
    now: DateTime<Utc>,
) -> Step {
    let Some(end) = end else {
        if settings.auth == Auth::RefreshToken {
            let fix = format!(
                "set connections.{name}.credential_expires_on, or name a refresh_token_file, whose age tells it"
            );
            let found = "nothing tells when the refresh token dies";
            return Step::new(name, STEP, Verdict::Warning, found, fix);
        }
        return Step::new(name, STEP, Verdict::Good, "nothing says that it dies", "");
    };
    let day = end.at.format("%Y-%m-%d");
    let source = if end.is_configured {
        "credential_expires_on"
    } else {
        "the age of the refresh token"
    };
    let left = end.days_left(now);
    let found = if end.at <= now {
        format!("dead since {day}, by {source}")
    } else {
        format!("{left} days left, until {day}, by {source}")
    };
    match end.threshold(now) {
        None => Step::new(name, STEP, Verdict::Good, found, ""),
        Some(_) => Step::new(name, STEP, Verdict::Warning, found, replace(settings)),
    }
}

fn replace(settings: &ConnectionSettings) -> String {
    let how = match (settings.auth, &settings.refresh_token_file) {
        (Auth::RefreshToken, Some(_)) => {
            "authorize anew and put the new token into refresh_token_file: it is found without a restart"
        }
        (Auth::RefreshToken, None) => {
            "authorize anew, put the new token into a file, name it in refresh_token_file and restart"
        }
        _ => "have it replaced or unlocked in ServiceNow, change it here and restart",
    };
    let date = settings
        .credential_expires_on
        .map(|_| "; set credential_expires_on anew");
    format!("{how}{}", date.unwrap_or_default())
}
