//! Who calls: Basic, bearer token, API key or session cookie (wire contract 10).

mod account;
mod authorize;
mod basic;
mod endpoint;
mod jwt;
mod password;
mod token;
pub(crate) mod tokens;

use crate::http::call::Call;
use crate::knobs::{AuthKind, Knobs};
use crate::lock::hold;
use crate::refusal::Refusal;
use crate::sim::Sim;
use crate::world::Actor;
pub(crate) use endpoint::endpoint;

/// What a call shows to prove who it is.
enum Proof {
    Basic { user_name: String, password: String },
    Bearer(String),
    ApiKey(String),
    Session(String),
}

/// Finds out who calls.
///
/// # Errors
/// 401 (A1), the same body for every cause; the cause is in `syslog`.
pub(crate) fn authenticate(sim: &Sim, knobs: &Knobs, call: &Call) -> Result<Actor, Refusal> {
    let denied = || Refusal::Unauthenticated {
        text: knobs.auth_text,
        mfa: false,
    };
    let proof = proof(call).ok_or_else(denied)?;
    let kind = match proof {
        Proof::Basic { .. } => AuthKind::Basic,
        Proof::Bearer(_) => AuthKind::Bearer,
        Proof::ApiKey(_) => AuthKind::ApiKey,
        Proof::Session(_) => AuthKind::Session,
    };
    if !knobs.access_policy.contains(&kind) {
        return Err(denied());
    }
    match proof {
        Proof::Basic {
            user_name,
            password,
        } => basic::check(sim, knobs, &user_name, &password),
        Proof::Bearer(token) => {
            let user = hold(&sim.tokens)
                .user_of(&token, sim.clock.now())
                .ok_or_else(denied)?;
            account::by_id(sim, knobs, &user).ok_or_else(denied)
        }
        Proof::ApiKey(key) => {
            let user = hold(&sim.world)
                .api_keys
                .get(&key)
                .cloned()
                .ok_or_else(denied)?;
            account::by_id(sim, knobs, &user).ok_or_else(denied)
        }
        Proof::Session(id) => {
            // A browser session may write only with its X-UserToken, which no API answer hands out.
            let reading = matches!(call.method.as_str(), "GET" | "HEAD");
            let session = sim.sessions.find(&id, sim.clock.now()).filter(|_| reading);
            let (user_name, _) = session.ok_or_else(denied)?;
            account::by_user_name(sim, knobs, &user_name).ok_or_else(denied)
        }
    }
}

/// The user name a call claims, checked or not: faults and the log go by it.
pub(crate) fn claimed_user(sim: &Sim, call: &Call) -> Option<String> {
    let id = match proof(call)? {
        Proof::Basic { user_name, .. } => return Some(user_name),
        Proof::Session(id) => {
            return sim
                .sessions
                .find(&id, sim.clock.now())
                .map(|(user_name, _)| user_name);
        }
        Proof::Bearer(token) => hold(&sim.tokens).user_of(&token, sim.clock.now())?,
        Proof::ApiKey(key) => hold(&sim.world).api_keys.get(&key).cloned()?,
    };
    let world = hold(&sim.world);
    world
        .fields("sys_user", &id)
        .map(|user| user.get("user_name").to_owned())
}

fn proof(call: &Call) -> Option<Proof> {
    if let Some((scheme, rest)) = call
        .header("authorization")
        .and_then(|value| value.split_once(' '))
    {
        if scheme.eq_ignore_ascii_case("basic") {
            let (user_name, password) = password::decode_basic(rest.trim())?;
            return Some(Proof::Basic {
                user_name,
                password,
            });
        }
        return scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| Proof::Bearer(rest.trim().to_owned()));
    }
    if let Some(key) = call.header("x-sn-apikey") {
        return Some(Proof::ApiKey(key.to_owned()));
    }
    call.cookie("JSESSIONID")
        .map(|id| Proof::Session(id.to_owned()))
}
