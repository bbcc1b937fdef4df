//! The token of a client: fetched once for all callers, renewed before it dies, never hammered for.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::auth::Auth;
use crate::clock::Clock;
use crate::error::Error;
use crate::http::{Credential, Http};
use crate::log_ins::LogInRecord;
use crate::options::{ClientOptions, RefreshTokenHook, RefreshTokenSource};
use crate::redact::Redactor;
use crate::token_endpoint::{Tokens, request_tokens};

/// A token is renewed when less than this is left of it.
const EARLY: Duration = Duration::from_mins(1);
/// After a token was renewed because the API refused it, further refusals do not renew it for this long.
const AFTER_REJECTION: Duration = Duration::from_secs(30);

/// A token and until when it is used.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) credential: Credential,
    pub(crate) expires_at: DateTime<Utc>,
    renew_at: DateTime<Utc>,
    /// Counts the tokens of this cache, so that a caller can say which one was refused.
    pub(crate) generation: u64,
    access: SecretString,
}

pub(crate) struct TokenCache {
    auth: Auth,
    http: Arc<Http>,
    now: Clock,
    redactor: Redactor,
    hook: Option<RefreshTokenHook>,
    source: Option<RefreshTokenSource>,
    log_ins: Arc<LogInRecord>,
    current: RwLock<Option<Arc<Token>>>,
    /// Held while a token is being fetched: the others wait for its result.
    renewal: Mutex<Renewal>,
}

#[derive(Default)]
struct Renewal {
    refresh_token: Option<SecretString>,
    /// What its source gave last.
    stored: Option<SecretString>,
    failure: Option<Remembered>,
    rejected_until: Option<DateTime<Utc>>,
}

/// A failed fetch, answered from memory until its time is over.
struct Remembered {
    error: Error,
    until: DateTime<Utc>,
    in_a_row: u32,
}

impl TokenCache {
    pub(crate) fn new(
        options: ClientOptions,
        http: Arc<Http>,
        redactor: Redactor,
        log_ins: Arc<LogInRecord>,
    ) -> Self {
        let refresh_token = match &options.auth {
            Auth::RefreshToken { refresh_token, .. } => Some(refresh_token.clone()),
            _ => None,
        };
        Self {
            auth: options.auth,
            http,
            now: options.now,
            redactor,
            hook: options.on_refresh_token,
            source: options.refresh_token_source,
            log_ins,
            current: RwLock::default(),
            renewal: Mutex::new(Renewal {
                refresh_token,
                ..Renewal::default()
            }),
        }
    }

    /// The token to send. While a token that is still good is being renewed, the others go on with it.
    pub(crate) async fn token(&self) -> Result<Arc<Token>, Error> {
        let now = (self.now)();
        let current = self.current();
        let seen = current.as_ref().map(|token| token.generation);
        if let Some(token) = current.filter(|token| now < token.expires_at) {
            if now < token.renew_at {
                return Ok(token);
            }
            let Ok(mut renewal) = self.renewal.try_lock() else {
                return Ok(token);
            };
            return Ok(self.renewed(&mut renewal, seen).await.unwrap_or(token));
        }
        let mut renewal = self.renewal.lock().await;
        self.renewed(&mut renewal, seen).await
    }

    /// A token to try once more with after the API refused the one of this generation; `None` when there is no
    /// other to be had.
    pub(crate) async fn after_rejection(
        &self,
        generation: u64,
    ) -> Result<Option<Arc<Token>>, Error> {
        let mut renewal = self.renewal.lock().await;
        let now = (self.now)();
        let current = self.current();
        if let Some(token) = &current
            && token.generation != generation
        {
            return Ok(current);
        }
        if renewal.rejected_until.is_some_and(|until| now < until) {
            return Ok(None);
        }
        renewal.rejected_until = Some(now + AFTER_REJECTION);
        let fresh = self.renewed(&mut renewal, Some(generation)).await?;
        let is_same =
            current.is_some_and(|old| old.access.expose_secret() == fresh.access.expose_secret());
        Ok((!is_same).then_some(fresh))
    }

    pub(crate) fn current(&self) -> Option<Arc<Token>> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Fetches a token, unless somebody did so since `seen`, or failed to a moment ago.
    async fn renewed(&self, renewal: &mut Renewal, seen: Option<u64>) -> Result<Arc<Token>, Error> {
        let now = (self.now)();
        if let Some(token) = self.current()
            && Some(token.generation) != seen
        {
            return Ok(token);
        }
        if let Some(remembered) = &renewal.failure
            && now < remembered.until
        {
            let left = (remembered.until - now).to_std().unwrap_or_default();
            return Err(remembered.error.clone().with_retry_after(left));
        }
        match self.fetch(renewal).await {
            Ok(tokens) => {
                renewal.failure = None;
                self.log_ins.worked();
                let generation = seen.map_or(0, |seen| seen + 1);
                self.store(renewal, tokens, now, generation)
            }
            Err(error) => {
                if matches!(error, Error::Auth { .. }) {
                    self.log_ins.refused();
                }
                let error = error.redacted(&self.redactor);
                let in_a_row = renewal.failure.as_ref().map_or(0, |last| last.in_a_row) + 1;
                renewal.failure = Some(Remembered {
                    error: error.clone(),
                    until: (self.now)() + back_off(&error, in_a_row),
                    in_a_row,
                });
                Err(error)
            }
        }
    }

    /// The refresh grant where there is a refresh token, else, or when that is refused, the primary grant once.
    async fn fetch(&self, renewal: &mut Renewal) -> Result<Tokens, Error> {
        self.take_stored(renewal);
        if let Some(refresh_token) = renewal.refresh_token.clone() {
            let mut result = self.refresh(&refresh_token).await;
            // Another process with the same token may have been faster: then its successor is stored by now.
            if matches!(result, Err(Error::Auth { .. }))
                && self.take_stored(renewal)
                && let Some(successor) = renewal.refresh_token.clone()
            {
                result = self.refresh(&successor).await;
            }
            let may_fall_back = matches!(self.auth, Auth::Password { .. });
            match result {
                Err(Error::Auth { .. }) if may_fall_back => renewal.refresh_token = None,
                other => return other,
            }
        }
        request_tokens(&self.http, &primary_form(&self.auth)).await
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<Tokens, Error> {
        let form = refresh_form(&self.auth, refresh_token.expose_secret());
        request_tokens(&self.http, &form).await
    }

    /// Takes over the stored refresh token when it is not what was stored at the last look: one that could not be stored is not
    /// given up for its predecessor. True when another token is in use now.
    fn take_stored(&self, renewal: &mut Renewal) -> bool {
        let Some(stored) = self.source.as_ref().and_then(|source| source()) else {
            return false;
        };
        if is(renewal.stored.as_ref(), &stored) {
            return false;
        }
        let is_another = !is(renewal.refresh_token.as_ref(), &stored);
        self.redactor.also(stored.clone());
        renewal.stored = Some(stored.clone());
        renewal.refresh_token = Some(stored);
        is_another
    }

    fn store(
        &self,
        renewal: &mut Renewal,
        tokens: Tokens,
        asked_at: DateTime<Utc>,
        generation: u64,
    ) -> Result<Arc<Token>, Error> {
        let expires_at = asked_at + tokens.expires_in;
        // The endpoint gives the same token until it dies, so that asking early for a short rest brings nothing.
        let renew_at = if tokens.expires_in > EARLY {
            expires_at - EARLY
        } else {
            expires_at
        };
        let value = format!("Bearer {}", tokens.access_token.expose_secret());
        let credential = Credential::authorization(&value).ok_or(Error::Config(
            crate::ConfigError::CredentialCharacters {
                name: "access_token",
            },
        ))?;
        let token = Arc::new(Token {
            credential,
            expires_at,
            renew_at,
            generation,
            access: tokens.access_token.clone(),
        });
        let refresh_token = tokens.refresh_token;
        let secrets = std::iter::once(tokens.access_token).chain(refresh_token.clone());
        self.redactor.set_current(secrets.collect());
        if let Some(refresh_token) = refresh_token {
            self.keep_refresh_token(renewal, refresh_token);
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }

    fn keep_refresh_token(&self, renewal: &mut Renewal, fresh: SecretString) {
        // Client credentials have no use for one, should an instance send it.
        if matches!(self.auth, Auth::ClientCredentials { .. }) {
            return;
        }
        let is_new = !is(renewal.refresh_token.as_ref(), &fresh);
        if is_new && let Some(hook) = &self.hook {
            hook(&fresh);
        }
        renewal.refresh_token = Some(fresh);
    }
}

fn is(known: Option<&SecretString>, other: &SecretString) -> bool {
    known.is_some_and(|known| known.expose_secret() == other.expose_secret())
}

/// Each refused password counts as a failed log-in, so that refusals wait longer than outages.
fn back_off(error: &Error, in_a_row: u32) -> Duration {
    let (first, longest) = match error {
        Error::Auth { .. } => (30, 300),
        _ => (2, 30),
    };
    let doublings = in_a_row.saturating_sub(1).min(10);
    let own = Duration::from_secs((first << doublings).min(longest));
    error.retry_after().map_or(own, |asked| asked.max(own))
}

fn primary_form(auth: &Auth) -> Vec<(&'static str, &str)> {
    match auth {
        Auth::ClientCredentials {
            client_id,
            client_secret,
            scope,
        } => {
            let mut form = vec![
                ("grant_type", "client_credentials"),
                ("client_id", client_id.as_str()),
                ("client_secret", client_secret.expose_secret()),
            ];
            form.extend(scope.as_deref().map(|scope| ("scope", scope)));
            form
        }
        Auth::Password {
            client_id,
            client_secret,
            user,
            password,
        } => vec![
            ("grant_type", "password"),
            ("client_id", client_id),
            ("client_secret", client_secret.expose_secret()),
            ("username", user),
            ("password", password.expose_secret()),
        ],
        // The others have no primary grant; a refresh token is always there for its kind.
        Auth::RefreshToken { .. } | Auth::Anonymous | Auth::Basic { .. } | Auth::ApiKey { .. } => {
            Vec::new()
        }
    }
}

fn refresh_form<'a>(auth: &'a Auth, refresh_token: &'a str) -> Vec<(&'static str, &'a str)> {
    let mut form = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
    ];
    if let Auth::Password {
        client_id,
        client_secret,
        ..
    }
    | Auth::RefreshToken {
        client_id,
        client_secret,
        ..
    } = auth
    {
        form.push(("client_id", client_id));
        form.push(("client_secret", client_secret.expose_secret()));
    }
    form
}
