//! The client: credentials, one replay after a 401, and the way from a call to its result.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderName;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use url::Url;

use crate::answer::Answer;
use crate::auth::Auth;
use crate::call::Call;
use crate::catalog::Catalog;
use crate::choices::Choices;
use crate::classify;
use crate::config_error::ConfigError;
use crate::decode;
use crate::error::Error;
use crate::http::{Credential, Http};
use crate::journals::Journals;
use crate::log_ins::{LogInRecord, LogIns};
use crate::meta::Reply;
use crate::options::ClientOptions;
use crate::probe::Probe;
use crate::redact::Redactor;
use crate::table::Table;
use crate::throttle::{Ended, Outgoing, SharedThrottle, Throttle};
use crate::token::TokenCache;
use crate::token_endpoint::{CodeExchange, Tokens, request_tokens};
use crate::users::Users;

/// A client of one instance and one account. Cloning it is cheap and shares connections and token.
///
/// Each call is sent once. The single exception is a 401 for a token: such a request was never executed, so that it is
/// sent once more with a fresh token.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    throttle: Option<SharedThrottle>,
}

struct Inner {
    http: Arc<Http>,
    /// For kinds of credentials that do not change.
    credential: Option<Credential>,
    tokens: Option<TokenCache>,
    log_ins: Arc<LogInRecord>,
    redactor: Redactor,
}

impl Client {
    /// Checks the options; nothing is sent.
    pub fn new(options: ClientOptions) -> Result<Self, ConfigError> {
        options.check()?;
        let http = Arc::new(Http::new(&options)?);
        let redactor = Redactor::new(options.auth.secrets());
        let credential = fixed_credential(&options.auth)?;
        let log_ins = Arc::new(LogInRecord::new(options.now.clone()));
        let tokens = options.auth.uses_tokens().then(|| {
            TokenCache::new(
                options,
                http.clone(),
                redactor.clone(),
                Arc::clone(&log_ins),
            )
        });
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                credential,
                tokens,
                log_ins,
                redactor,
            }),
            throttle: None,
        })
    }

    /// The same client, whose requests ask `throttle` first.
    #[must_use]
    pub fn throttled(&self, throttle: Arc<dyn Throttle>) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            throttle: Some(throttle),
        }
    }

    /// The Table API of one table. The name is checked when a call is made.
    pub fn table(&self, name: impl Into<String>) -> Table {
        Table::new(self.clone(), name.into())
    }

    /// The Service Catalog API.
    pub fn catalog(&self) -> Catalog {
        Catalog::new(self.clone())
    }

    /// Look-ups of people.
    pub fn users(&self) -> Users {
        Users::new(self.clone())
    }

    /// Comments and work notes.
    pub fn journals(&self) -> Journals {
        Journals::new(self.clone())
    }

    /// Which values columns may have.
    pub fn choices(&self) -> Choices {
        Choices::new(self.clone())
    }

    /// Checks of the connection, one step at a time.
    pub fn probe(&self) -> Probe {
        Probe::new(self.clone())
    }

    /// The address of the instance.
    pub fn base_url(&self) -> &Url {
        self.inner.http.base()
    }

    /// What became of the log-ins. The count of refusals begins anew.
    pub fn take_log_ins(&self) -> LogIns {
        self.inner.log_ins.take()
    }

    /// Exchanges an authorization code for tokens (wire contract 10.4). The credentials of this client are not used.
    pub async fn exchange_code(&self, exchange: &CodeExchange) -> Result<Tokens, Error> {
        let redactor = Redactor::new(exchange.secrets());
        request_tokens(&self.inner.http, &exchange.form())
            .await
            .map_err(|error| error.redacted(&redactor))
    }

    /// Sends the call and decodes its `result`.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, call: &Call) -> Result<Reply<T>, Error> {
        let answer = self.answer(call).await?;
        self.decoded(&answer)
    }

    /// Sends the call; the answer passed the success test as far as it can be judged without its body.
    pub(crate) async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let answer = match &self.inner.tokens {
            None => {
                let sending = self.send(call, self.inner.credential.as_ref());
                let answer = self.admitted(call, sending).await?;
                if answer.status() == 401 {
                    self.inner.log_ins.refused();
                } else {
                    self.inner.log_ins.worked();
                }
                answer
            }
            Some(tokens) => self.send_with_token(call, tokens).await?,
        };
        self.shown(classify::check(&answer))?;
        Ok(answer)
    }

    pub(crate) fn decoded<T: DeserializeOwned>(&self, answer: &Answer) -> Result<Reply<T>, Error> {
        self.shown(decode::result(answer))
    }

    pub(crate) fn http(&self) -> &Http {
        &self.inner.http
    }

    pub(crate) fn tokens(&self) -> Option<&TokenCache> {
        self.inner.tokens.as_ref()
    }

    async fn send_with_token(&self, call: &Call, tokens: &TokenCache) -> Result<Answer, Error> {
        let mut generation = 0;
        // Boxed, because it is large and part of every future that makes a call.
        let first = Box::pin(async {
            let token = tokens.token().await?;
            generation = token.generation;
            self.send(call, Some(&token.credential)).await
        });
        let answer = self.admitted(call, first).await?;
        if answer.status() != 401 {
            return Ok(answer);
        }
        match Box::pin(tokens.after_rejection(generation)).await? {
            Some(fresh) => {
                let second = self.send(call, Some(&fresh.credential));
                self.admitted(call, second).await
            }
            None => Ok(answer),
        }
    }

    /// Sends once the throttle lets it, and tells it what came of it.
    pub(crate) async fn admitted(
        &self,
        call: &Call,
        sending: impl Future<Output = Result<Answer, Error>>,
    ) -> Result<Answer, Error> {
        let Some(throttle) = &self.throttle else {
            return sending.await;
        };
        let permit = throttle.admit(Outgoing::of(call)).await?;
        let result = sending.await;
        let judged = match &result {
            Ok(answer) => classify::check(answer).err(),
            Err(error) => Some(error.clone()),
        };
        match (&result, &judged) {
            (Ok(answer), None) => permit.ended(Ended::Answered(&answer.meta)).await,
            (_, Some(error)) => permit.ended(Ended::Failed(error)).await,
            (Err(_), None) => {}
        }
        result
    }

    async fn send(&self, call: &Call, credential: Option<&Credential>) -> Result<Answer, Error> {
        // Boxed, because it is large and part of every future that makes a call.
        self.shown(Box::pin(self.inner.http.send(call, credential)).await)
    }

    /// Cuts the secrets of this client out of an error.
    fn shown<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| error.redacted(&self.inner.redactor))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Client")
            .field("base_url", &self.base_url().as_str())
            .finish_non_exhaustive()
    }
}

fn fixed_credential(auth: &Auth) -> Result<Option<Credential>, ConfigError> {
    let unsendable = |name| ConfigError::CredentialCharacters { name };
    match auth {
        Auth::Basic { user, password } => {
            let pair = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
            let credential = Credential::authorization(&format!("Basic {pair}"));
            credential.ok_or(unsendable("password")).map(Some)
        }
        Auth::ApiKey { header, key } => {
            let name = HeaderName::try_from(header.as_str()).map_err(|_invalid| {
                ConfigError::ApiKeyHeader {
                    header: header.clone(),
                }
            })?;
            let credential = Credential::header(name, key.expose_secret());
            credential.ok_or(unsendable("key")).map(Some)
        }
        Auth::Anonymous
        | Auth::ClientCredentials { .. }
        | Auth::Password { .. }
        | Auth::RefreshToken { .. } => Ok(None),
    }
}
