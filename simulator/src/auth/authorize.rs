//! `/oauth_auth.do`: consent is given at once, by the user the page would have asked.

use std::collections::HashMap;

use url::Url;

use super::tokens::{Code, Grant};
use super::{account, password};
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::knobs::Knobs;
use crate::lock::hold;
use crate::sim::Sim;

/// How long a code may wait, in seconds.
const CODE_LIFE: i64 = 60;

/// Redirects back with a code. The user is the one of a Basic header, of `login_hint`, or the
/// registry entry's application user.
pub(super) fn answer(sim: &Sim, knobs: &Knobs, call: &Call) -> Answer {
    let params: HashMap<String, String> = call.params().into_iter().collect();
    let get = |name: &str| {
        params
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    };
    if knobs.oauth_state_required && get("state").is_none() {
        return page("Missing State parameter in request");
    }
    let client = get("client_id").and_then(|id| {
        hold(&sim.world)
            .find("oauth_entity", "client_id", id)
            .cloned()
    });
    let Some(client) = client.filter(|client| client.is_true("active")) else {
        return page("Invalid client_id");
    };
    let mut known = client.get("redirect_url").split(',').map(str::trim);
    let redirect = get("redirect_uri").filter(|uri| known.any(|known| known == *uri));
    let Some(mut target) = redirect.and_then(|uri| Url::parse(uri).ok()) else {
        return page("Invalid redirect_uri");
    };
    let challenge = get("code_challenge").map(|text| {
        (
            text.to_owned(),
            get("code_challenge_method") == Some("S256"),
        )
    });
    if get("response_type") != Some("code")
        || (client.is_true("public_client") && challenge.is_none())
    {
        return page("Invalid request");
    }
    let Some(user) = consenting(sim, knobs, call, get("login_hint"), client.get("user")) else {
        return Answer::empty(302).with("Location", &format!("{}/login.do", sim.base_url));
    };
    let now = sim.clock.now();
    let grant = Grant {
        client: client.get("client_id").to_owned(),
        user,
        scope: "useraccount".to_owned(),
        expires: now,
    };
    let code = hold(&sim.dice).token(86);
    let content = Code {
        grant: grant.until(now, CODE_LIFE),
        redirect_uri: redirect.unwrap_or_default().to_owned(),
        challenge,
    };
    hold(&sim.tokens).add_code(code.clone(), content);
    target.query_pairs_mut().append_pair("code", &code);
    if let Some(state) = get("state") {
        target.query_pairs_mut().append_pair("state", state);
    }
    Answer::empty(302).with("Location", target.as_str())
}

fn consenting(
    sim: &Sim,
    knobs: &Knobs,
    call: &Call,
    hint: Option<&str>,
    application_user: &str,
) -> Option<String> {
    let basic = call
        .header("authorization")
        .and_then(|value| password::decode_basic(value.strip_prefix("Basic ")?));
    let named = basic
        .map(|(user_name, _)| user_name)
        .or_else(|| hint.map(str::to_owned));
    let actor = match named {
        Some(user_name) => account::by_user_name(sim, knobs, &user_name),
        None => account::by_id(sim, knobs, application_user),
    };
    actor.map(|actor| actor.id)
}

fn page(text: &str) -> Answer {
    Answer::html(
        200,
        &format!("<html><head><title>Error</title></head><body>{text}</body></html>"),
    )
}
