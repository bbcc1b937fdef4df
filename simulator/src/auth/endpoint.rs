//! The three OAuth pages.

use std::time::Duration;

use serde_json::json;

use super::{authorize, token};
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::knobs::Knobs;
use crate::lock::hold;
use crate::sim::Sim;
use crate::world::{Act, Actor};

/// Answers `/oauth_token.do`, `/oauth_auth.do` and `/oauth_revoke.do`.
pub(crate) fn endpoint(sim: &Sim, knobs: &Knobs, call: &Call) -> Answer {
    match call.path.as_str() {
        "/oauth_token.do" => answer_token(sim, knobs, call),
        "/oauth_auth.do" => authorize::answer(sim, knobs, call),
        "/oauth_revoke.do" => revoke(sim, call),
        _ => Answer::html(404, "<html><body>Page not found</body></html>"),
    }
}

/// The token, or A17 for nearly every failure; the cause is only in `syslog` (wire contract 10.3).
fn answer_token(sim: &Sim, knobs: &Knobs, call: &Call) -> Answer {
    match token::issue(sim, knobs, call) {
        Ok(issued) => {
            let life = Duration::from_secs(knobs.session_timeout_s);
            let answer = Answer::json(200, &issued.document());
            sim.sessions.open(
                &issued.user_name,
                sim.clock.now(),
                life,
                &mut hold(&sim.dice),
                answer,
            )
        }
        Err(denial) => {
            note(sim, knobs, &denial.to_string());
            let body = match denial {
                token::Denial::UnknownGrant => json!({"error": "unsupported_grant_type"}),
                _ => json!({"error_description": "access_denied", "error": "server_error"}),
            };
            Answer::json(401, &body)
        }
    }
}

fn revoke(sim: &Sim, call: &Call) -> Answer {
    let given = call
        .params()
        .into_iter()
        .chain(call.form())
        .find(|(name, _)| name == "token");
    match given {
        Some((_, token)) => {
            hold(&sim.tokens).revoke(&token);
            Answer::empty(200)
        }
        None => Answer::json(400, &json!({"error": "invalid_request"})),
    }
}

fn note(sim: &Sim, knobs: &Knobs, cause: &str) {
    let system = Actor::system();
    let act = Act {
        actor: &system,
        knobs,
        now: sim.clock.now(),
    };
    let message = format!("Exception on token flow - {cause}");
    let made = hold(&sim.world).make(
        &act,
        "syslog",
        &[("level", "2"), ("message", &message), ("source", "OAuth")],
    );
    if let Err(refusal) = made {
        tracing::warn!(?refusal, "a log entry was refused");
    }
}
