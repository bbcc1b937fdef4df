//! Which operator calls, and what they may do.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use chrono::{DateTime, Utc};
use shared::operator::Role;
use shared::server::Peer;
use shared::store::audit::Actor;
use shared::store::operators::TokenCheck;
use shared::store::{operators, sources};

use super::cookie::SessionSecret;
use crate::Scheduler;
use crate::api::auth::{bearer, refused};
use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;

/// A header of calls that are made with a cookie and change something.
pub(crate) const CSRF: &str = "x-csrf-token";
/// Set by proxies in front, each adding whom it was called by at the end.
const FORWARDED: &str = "x-forwarded-for";

/// An operator with a session or a token.
#[derive(Clone)]
pub(crate) struct Operating {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) expires_at: DateTime<Utc>,
    /// Network address they call from, for the audit trail.
    pub(crate) address: String,
    /// The secret of the session; `None` for a token.
    pub(crate) session: Option<SessionSecret>,
}

impl Operating {
    /// By the cookie or token of a call; whether a cookie was sent along on purpose is not looked at.
    pub(crate) async fn find(parts: &Parts, scheduler: &Scheduler) -> Result<Self, Problem> {
        let (headers, now) = (&parts.headers, scheduler.now());
        let conn = scheduler.store.conn();
        let secret = SessionSecret::of(headers, scheduler.is_secure());
        let (found, session) = match secret {
            _ if headers.contains_key(AUTHORIZATION) => {
                let hash = sources::hash(bearer(headers)?);
                let oidc = &scheduler.settings.console.oidc;
                match operators::authenticate(conn, &hash, oidc.token(), now).await? {
                    TokenCheck::Good(found) => (found, None),
                    TokenCheck::Refused => return Err(token_refused()),
                    TokenCheck::SignInTooOld { operator } => {
                        return Err(sign_in_too_old(&operator, oidc.token_days));
                    }
                }
            }
            Some(secret) => {
                let idle = scheduler.settings.console.idle();
                let found = operators::session(conn, &secret.hash(), idle, now).await?;
                (found.ok_or_else(session_ended)?, Some(secret))
            }
            None => return Err(nobody()),
        };
        tracing::Span::current().record("source", format!("operator:{}", found.operator));
        Ok(Self {
            name: found.operator,
            role: found.role,
            expires_at: found.expires_at,
            address: address(parts, scheduler.settings.console.trusted_proxies),
            session,
        })
    }

    /// Refuses who may less than `needed`.
    pub(crate) fn may(&self, needed: Role) -> Result<(), Problem> {
        if self.role >= needed {
            return Ok(());
        }
        let detail = format!(
            "This needs the role `{needed}`; `{}` is {}. Nothing was changed. Ask an administrator to do it, or to give you the \
             role with `ticketbridge operator role {} {needed}`.",
            self.name, self.role, self.name
        );
        Err(Problem::new(Kind::RoleTooLow, detail))
    }

    /// For the audit trail.
    pub(crate) fn actor(&self) -> Actor {
        Actor::Operator(self.name.clone())
    }

    /// What a form of this session must bring along; empty for a token, which no browser sends by itself.
    pub(crate) fn csrf(&self) -> String {
        self.session
            .as_ref()
            .map(SessionSecret::csrf)
            .unwrap_or_default()
    }

    /// Refuses a change that somebody else's page may have caused.
    pub(crate) fn check_csrf(&self, sent: Option<&str>) -> Result<(), Problem> {
        let Some(secret) = &self.session else {
            return Ok(());
        };
        if sent == Some(secret.csrf().as_str()) {
            return Ok(());
        }
        let detail = format!(
            "The form belongs to another session, so nothing was changed. Open the page again and repeat it; programs send the \
             `csrf` of GET /v1/ops/session in the header `{CSRF}`, or use a token."
        );
        Err(Problem::new(Kind::StaleForm, detail))
    }
}

impl FromRequestParts<Arc<Scheduler>> for Operating {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        scheduler: &Arc<Scheduler>,
    ) -> Result<Self, Problem> {
        let operating = Self::find(parts, scheduler).await?;
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            let sent = parts.headers.get(CSRF);
            operating.check_csrf(sent.and_then(|value| value.to_str().ok()))?;
        }
        Ok(operating)
    }
}

/// The network address of the client: what the outermost of our own proxies was called by. Further entries anybody can write.
pub(crate) fn address(parts: &Parts, trusted_proxies: usize) -> String {
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
    forwarded(&parts.headers, trusted_proxies)
        .or(peer)
        .map_or_else(|| "unknown".to_owned(), |it| it.to_string())
}

fn forwarded(headers: &HeaderMap, trusted_proxies: usize) -> Option<IpAddr> {
    let place = trusted_proxies.checked_sub(1)?;
    let all: Vec<&str> = headers
        .get_all(FORWARDED)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .collect();
    all.into_iter().rev().nth(place)?.trim().parse().ok()
}

fn nobody() -> Problem {
    refused(
        Kind::TokenMissing,
        "Log in at /console, or send the header `Authorization: Bearer tbo_…`; `ticketbridge operator token` makes a token.",
        "Bearer realm=\"ticketbridge operators\"",
    )
}

fn token_refused() -> Problem {
    refused(
        Kind::TokenRefused,
        "The token belongs to no operator, has expired or was revoked. Make a new one with `ticketbridge operator token`.",
        "Bearer realm=\"ticketbridge operators\", error=\"invalid_token\"",
    )
}

fn sign_in_too_old(operator: &str, days: u32) -> Problem {
    let detail = format!(
        "The token opens nothing for now: `{operator}` signs in through the identity provider, and has not done so for {days} days \
         (console.oidc.token_days). Sign in again at /console; the token is good again then."
    );
    refused(
        Kind::TokenRefused,
        &detail,
        "Bearer realm=\"ticketbridge operators\", error=\"invalid_token\"",
    )
}

fn session_ended() -> Problem {
    let detail = "The session has ended, so nothing was changed. Log in again at /console.";
    Problem::new(Kind::SessionEnded, detail)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, Request};

    use super::*;

    fn parts(forwarded: &'static str) -> Parts {
        let request = Request::builder().header(FORWARDED, HeaderValue::from_static(forwarded));
        let mut parts = request.body(()).unwrap().into_parts().0;
        parts.extensions.insert(Peer([192, 0, 2, 1].into()));
        parts
    }

    #[test]
    fn only_our_own_proxies_are_believed() {
        let told = "203.0.113.9, 198.51.100.7, 192.0.2.44";
        for (proxies, expected) in [
            (0, "192.0.2.1"),
            (1, "192.0.2.44"),
            (2, "198.51.100.7"),
            (9, "192.0.2.1"),
        ] {
            assert_eq!(
                address(&parts(told), proxies),
                expected,
                "{proxies} proxies"
            );
        }
        assert_eq!(address(&parts("unknown"), 1), "192.0.2.1");
    }

    #[test]
    fn a_refusal_names_the_role_that_is_needed() {
        let viewer = Operating {
            name: "vera".to_owned(),
            role: Role::Viewer,
            expires_at: DateTime::UNIX_EPOCH,
            address: "192.0.2.1".to_owned(),
            session: None,
        };
        assert_eq!(viewer.may(Role::Viewer), Ok(()));
        insta::assert_json_snapshot!(viewer.may(Role::Operator).unwrap_err());
    }
}
