//! Tokens, codes and used assertions: what `oauth_credential` holds.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

/// Everything the token endpoint has given out.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    access: HashMap<String, Grant>,
    refresh: HashMap<String, Grant>,
    codes: HashMap<String, Code>,
    used: HashSet<String>,
}

/// Who a token stands for, through which client, until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) client: String,
    pub(crate) user: String,
    pub(crate) scope: String,
    pub(crate) expires: DateTime<Utc>,
}

/// An authorization code waiting to be redeemed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) grant: Grant,
    pub(crate) redirect_uri: String,
    /// Challenge and whether it is the SHA-256 of the verifier.
    pub(crate) challenge: Option<(String, bool)>,
}

impl Tokens {
    /// The user id behind a live access token.
    pub(crate) fn user_of(&self, token: &str, now: DateTime<Utc>) -> Option<String> {
        self.access
            .get(token)
            .filter(|grant| now < grant.expires)
            .map(|grant| grant.user.clone())
    }

    /// The token that a client already has for a user and scope.
    pub(crate) fn current(
        &self,
        wanted: &Grant,
        now: DateTime<Utc>,
    ) -> Option<(String, DateTime<Utc>)> {
        current(&self.access, wanted, now)
    }

    pub(crate) fn current_refresh(
        &self,
        wanted: &Grant,
        now: DateTime<Utc>,
    ) -> Option<(String, DateTime<Utc>)> {
        current(&self.refresh, wanted, now)
    }

    pub(crate) fn add(&mut self, token: String, grant: Grant) {
        self.access.insert(token, grant);
    }

    pub(crate) fn add_refresh(&mut self, token: String, grant: Grant) {
        self.refresh.insert(token, grant);
    }

    pub(crate) fn refresh_grant(&self, token: &str, now: DateTime<Utc>) -> Option<Grant> {
        self.refresh
            .get(token)
            .filter(|grant| now < grant.expires)
            .cloned()
    }

    /// Ends a refresh token; its access tokens live on.
    pub(crate) fn end_refresh(&mut self, token: &str) {
        self.refresh.remove(token);
    }

    pub(crate) fn add_code(&mut self, code: String, content: Code) {
        self.codes.insert(code, content);
    }

    /// Redeems a code, which works once.
    pub(crate) fn take_code(&mut self, code: &str, now: DateTime<Utc>) -> Option<Code> {
        self.codes
            .remove(code)
            .filter(|code| now < code.grant.expires)
    }

    /// Whether an assertion's id is seen for the first time.
    pub(crate) fn first_use(&mut self, assertion: &str) -> bool {
        self.used.insert(assertion.to_owned())
    }

    /// Ends a token, access or refresh; a refresh token takes its access tokens with it.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        if let Some(refresh) = self.refresh.remove(token) {
            self.access.retain(|_, grant| !grant.is_for(&refresh));
            return true;
        }
        self.access.remove(token).is_some()
    }

    /// Ends all tokens.
    pub(crate) fn revoke_all(&mut self) {
        *self = Self::default();
    }
}

impl Grant {
    fn is_for(&self, other: &Self) -> bool {
        self.client == other.client && self.user == other.user && self.scope == other.scope
    }

    pub(crate) fn until(self, now: DateTime<Utc>, seconds: i64) -> Self {
        Self {
            expires: now + TimeDelta::seconds(seconds),
            ..self
        }
    }
}

fn current(
    tokens: &HashMap<String, Grant>,
    wanted: &Grant,
    now: DateTime<Utc>,
) -> Option<(String, DateTime<Utc>)> {
    let live = tokens
        .iter()
        .filter(|(_, grant)| grant.is_for(wanted) && now < grant.expires);
    live.max_by_key(|(_, grant)| grant.expires)
        .map(|(token, grant)| (token.clone(), grant.expires))
}
