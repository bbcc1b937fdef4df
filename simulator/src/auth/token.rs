//! `/oauth_token.do`: five grants, one answer (wire contract 10.3).

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::tokens::{Grant, Tokens};
use super::{account, jwt, password};
use crate::http::call::Call;
use crate::knobs::Knobs;
use crate::lock::hold;
use crate::sim::Sim;
use crate::world::{Act, Actor, Fields};

/// Why no token is given. The caller never learns it; `syslog` does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denial {
    #[error("the body is not a form")]
    NotAForm,
    #[error("invalid_request: {0} is missing")]
    Missing(&'static str),
    #[error("invalid_client: unknown, inactive or wrong secret")]
    Client,
    #[error("unsupported_grant_type")]
    UnknownGrant,
    #[error("the grant type is disabled")]
    Disabled,
    #[error("invalid_grant: {0}")]
    Grant(&'static str),
    #[error("access_denied: the user cannot log in")]
    User,
}

/// A token as the caller gets it.
#[derive(Debug)]
pub(super) struct Issued {
    access: String,
    refresh: Option<String>,
    scope: String,
    /// Remaining life in seconds.
    expires_in: i64,
    pub(super) user_name: String,
}

impl Issued {
    pub(super) fn document(&self) -> Value {
        let mut document = json!({
            "access_token": self.access,
            "scope": self.scope,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
        });
        if let (Some(refresh), Some(map)) = (&self.refresh, document.as_object_mut()) {
            map.insert("refresh_token".to_owned(), json!(refresh));
        }
        document
    }
}

/// The form's fields and the client they name.
struct Request<'a> {
    sim: &'a Sim,
    knobs: &'a Knobs,
    form: HashMap<String, String>,
    client: Fields,
    now: DateTime<Utc>,
}

pub(super) fn issue(sim: &Sim, knobs: &Knobs, call: &Call) -> Result<Issued, Denial> {
    if call.method != "POST"
        || call.media_type("content-type").as_deref() != Some("application/x-www-form-urlencoded")
    {
        return Err(Denial::NotAForm);
    }
    let mut form: HashMap<String, String> = call.form().into_iter().collect();
    let basic = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(password::decode_basic);
    if let Some((id, secret)) = basic {
        form.entry("client_id".to_owned()).or_insert(id);
        form.entry("client_secret".to_owned()).or_insert(secret);
    }
    let client = client(sim, &form)?;
    let request = Request {
        sim,
        knobs,
        form,
        client,
        now: sim.clock.now(),
    };
    let user = request.user()?;
    request.grant(&user)
}

/// The registry entry the form names, its secret checked; public clients have none.
fn client(sim: &Sim, form: &HashMap<String, String>) -> Result<Fields, Denial> {
    let id = form.get("client_id").ok_or(Denial::Missing("client_id"))?;
    let world = hold(&sim.world);
    let client = world
        .find("oauth_entity", "client_id", id)
        .filter(|client| client.is_true("active"))
        .ok_or(Denial::Client)?;
    let secret = form.get("client_secret").map_or("", String::as_str);
    if !client.is_true("public_client") && client.get("client_secret") != secret {
        return Err(Denial::Client);
    }
    Ok(client.clone())
}

impl Request<'_> {
    fn field(&self, name: &'static str) -> Result<&str, Denial> {
        self.form
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
            .ok_or(Denial::Missing(name))
    }

    /// The user id the grant stands for.
    fn user(&self) -> Result<String, Denial> {
        match self.field("grant_type")? {
            "password" => self.by_password(),
            "client_credentials" => self.by_client(),
            "refresh_token" => self.by_refresh(),
            "authorization_code" => self.by_code(),
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => self.by_assertion(),
            _ => Err(Denial::UnknownGrant),
        }
    }

    fn by_password(&self) -> Result<String, Denial> {
        if !self.knobs.oauth_password_grant {
            return Err(Denial::Disabled);
        }
        let (user_name, given) = (self.field("username")?, self.field("password")?);
        let system = Actor::system();
        let act = Act {
            actor: &system,
            knobs: self.knobs,
            now: self.now,
        };
        let right = password::check(&mut hold(&self.sim.world), &act, user_name, given);
        right.map(|right| right.user_id).map_err(|_| Denial::User)
    }

    fn by_client(&self) -> Result<String, Denial> {
        let user = self.client.get("user");
        if !self.knobs.oauth_client_credentials {
            return Err(Denial::Disabled);
        }
        if user.is_empty() {
            Err(Denial::Grant("no OAuth application user"))
        } else {
            Ok(user.to_owned())
        }
    }

    fn by_refresh(&self) -> Result<String, Denial> {
        let grant = hold(&self.sim.tokens).refresh_grant(self.field("refresh_token")?, self.now);
        let grant = grant.filter(|grant| grant.client == self.client.get("client_id"));
        grant
            .map(|grant| grant.user)
            .ok_or(Denial::Grant("unknown or expired refresh token"))
    }

    fn by_code(&self) -> Result<String, Denial> {
        let code = hold(&self.sim.tokens).take_code(self.field("code")?, self.now);
        let code = code
            .filter(|code| code.grant.client == self.client.get("client_id"))
            .ok_or(Denial::Grant("unknown code"))?;
        if code.redirect_uri != self.field("redirect_uri")? {
            return Err(Denial::Grant("another redirect_uri"));
        }
        let proven = match &code.challenge {
            None => !self.client.is_true("public_client"),
            Some((challenge, hashed)) => {
                let verifier = self.field("code_verifier")?;
                let computed = if *hashed {
                    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
                } else {
                    verifier.to_owned()
                };
                computed == *challenge
            }
        };
        if proven {
            Ok(code.grant.user)
        } else {
            Err(Denial::Grant("code_verifier does not fit"))
        }
    }

    fn by_assertion(&self) -> Result<String, Denial> {
        let (id, secret) = (
            self.client.get("client_id"),
            self.client.get("client_secret"),
        );
        let claims = jwt::verify(self.field("assertion")?, secret, id, self.now)
            .ok_or(Denial::Grant("assertion refused"))?;
        if !hold(&self.sim.tokens).first_use(&claims.id) {
            return Err(Denial::Grant("assertion used before"));
        }
        let world = hold(&self.sim.world);
        world
            .find("sys_user", "user_name", &claims.subject)
            .map(|user| user.sys_id().to_owned())
            .ok_or(Denial::User)
    }

    /// Gives the user's current token, or a new one.
    fn grant(&self, user: &str) -> Result<Issued, Denial> {
        let actor = account::by_id(self.sim, self.knobs, user).ok_or(Denial::User)?;
        let scope = self
            .form
            .get("scope")
            .filter(|scope| !scope.is_empty())
            .map_or("useraccount", String::as_str);
        let wanted = Grant {
            client: self.client.get("client_id").to_owned(),
            user: user.to_owned(),
            scope: scope.to_owned(),
            expires: self.now,
        };
        let mut tokens = hold(&self.sim.tokens);
        let (access, expires) = self.access(&mut tokens, &wanted);
        let refresh = self.refresh(&mut tokens, &wanted);
        Ok(Issued {
            access,
            refresh,
            scope: wanted.scope,
            expires_in: (expires - self.now).num_seconds(),
            user_name: actor.user_name,
        })
    }

    fn access(&self, tokens: &mut Tokens, wanted: &Grant) -> (String, DateTime<Utc>) {
        let current = tokens
            .current(wanted, self.now)
            .filter(|_| self.knobs.oauth_same_token);
        current.unwrap_or_else(|| {
            let grant = wanted
                .clone()
                .until(self.now, self.client.number("access_token_lifespan").max(1));
            let (token, expires) = (hold(&self.sim.dice).token(86), grant.expires);
            tokens.add(token.clone(), grant);
            (token, expires)
        })
    }

    /// Client credentials and public clients get no refresh token; others keep theirs until it expires, unless tokens rotate.
    fn refresh(&self, tokens: &mut Tokens, wanted: &Grant) -> Option<String> {
        let kind = self.form.get("grant_type").map(String::as_str);
        if kind == Some("client_credentials") || self.client.is_true("public_client") {
            return None;
        }
        let asked = self.form.get("refresh_token");
        match asked.filter(|_| kind == Some("refresh_token")) {
            Some(used) if self.knobs.oauth_rotating_refresh => tokens.end_refresh(used),
            Some(used) => return Some(used.clone()),
            None => {
                if let Some((token, _)) = tokens.current_refresh(wanted, self.now) {
                    return Some(token);
                }
            }
        }
        let grant = wanted.clone().until(
            self.now,
            self.client.number("refresh_token_lifespan").max(1),
        );
        let token = hold(&self.sim.dice).token(86);
        tokens.add_refresh(token.clone(), grant);
        Some(token)
    }
}
