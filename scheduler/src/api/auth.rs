use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use shared::store::sources;

use super::problem::Problem;
use super::problem_kind::Kind;
use crate::Scheduler;

/// Who calls: the source whose token was sent. Everything it sees and changes is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) source: String,
}

impl FromRequestParts<Arc<Scheduler>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        scheduler: &Arc<Scheduler>,
    ) -> Result<Self, Problem> {
        let token = bearer(&parts.headers)?;
        let hash = sources::hash(token);
        let found = sources::authenticate(scheduler.store.conn(), &hash, scheduler.now()).await?;
        let authenticated = found.ok_or_else(|| {
            refused(
                Kind::TokenRefused,
                "The token is not known, has expired or was revoked. Make a new one with `ticketbridge token create`.",
                "Bearer realm=\"ticketbridge\", error=\"invalid_token\"",
            )
        })?;
        tracing::Span::current().record("source", authenticated.source.as_str());
        Ok(Self {
            source: authenticated.source,
        })
    }
}

impl Caller {
    /// Refuses a source that is not the caller's; naming none is fine.
    pub(crate) fn check_source(&self, named: Option<&str>) -> Result<(), Problem> {
        match named {
            Some(named) if named != self.source => {
                let detail = format!(
                    "The body names the source `{}`, the token belongs to `{}`. Leave `source` out, or send the token of \
                     that source.",
                    super::fields::shown(named),
                    self.source
                );
                Err(Problem::new(Kind::ForeignSource, detail))
            }
            _ => Ok(()),
        }
    }
}

pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing =
        |detail: &str| refused(Kind::TokenMissing, detail, "Bearer realm=\"ticketbridge\"");
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Err(missing(
            "Send the header `Authorization: Bearer tb_…`; `ticketbridge token create` makes a token.",
        ));
    };
    let text = value.to_str().unwrap_or_default();
    match text.split_once(' ') {
        Some((scheme, token))
            if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() =>
        {
            Ok(token.trim())
        }
        _ => Err(missing(
            "The Authorization header must read `Bearer` and a token: `Authorization: Bearer tb_…`.",
        )),
    }
}

pub(crate) fn refused(kind: Kind, detail: &str, challenge: &str) -> Problem {
    Problem::new(kind, detail).with_header(WWW_AUTHENTICATE, challenge)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(value: &'static str) -> Result<String, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn only_bearer_tokens_are_taken() {
        assert_eq!(of("Bearer tb_x").unwrap(), "tb_x");
        assert_eq!(of("bearer  tb_x ").unwrap(), "tb_x");
        for odd in ["tb_x", "Bearer", "Bearer ", "Basic dXNlcg=="] {
            assert_eq!(of(odd).unwrap_err().kind, Kind::TokenMissing, "{odd}");
        }
        assert_eq!(
            bearer(&HeaderMap::new()).unwrap_err().kind,
            Kind::TokenMissing
        );
    }

    #[test]
    fn a_source_speaks_for_itself_only() {
        let caller = Caller {
            source: "idm".into(),
        };
        assert_eq!(caller.check_source(None), Ok(()));
        assert_eq!(caller.check_source(Some("idm")), Ok(()));
        insta::assert_json_snapshot!(caller.check_source(Some("hr")).unwrap_err());
    }
}
