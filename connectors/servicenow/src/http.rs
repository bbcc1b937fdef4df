//! The HTTP client: no cookies, no redirects, no retries, HTTP/1.1 with kept connections (wire contract 1.4, 15.1).

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Response};
use tokio::time::Instant;
use url::Url;

use crate::answer::Answer;
use crate::call::Call;
use crate::clock::Clock;
use crate::config_error::ConfigError;
use crate::error::Error;
use crate::kinds::{GarbageKind, MaybeKind};
use crate::meta::CallMeta;
use crate::options::{ClientOptions, TraceContext};
use crate::transport_error::transport_error;

/// Shorter than the 20 s after which instances close idle connections, so that a request is not written to a
/// connection that the other side has just left.
const POOL_IDLE: Duration = Duration::from_secs(15);
/// No page of a sensible size comes near it; it bounds memory when something else answers.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Sends one request once and reads the whole answer.
pub(crate) struct Http {
    client: reqwest::Client,
    base: Url,
    now: Clock,
    trace_context: Option<TraceContext>,
}

/// The header that carries the credentials.
#[derive(Debug, Clone)]
pub(crate) struct Credential {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

impl Credential {
    pub(crate) fn authorization(value: &str) -> Option<Self> {
        Self::header(AUTHORIZATION, value)
    }

    pub(crate) fn header(name: HeaderName, value: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        Some(Self { name, value })
    }
}

impl Http {
    pub(crate) fn new(options: &ClientOptions) -> Result<Self, ConfigError> {
        install_crypto_provider();
        let agent = HeaderValue::from_str(&options.user_agent)
            .map_err(|_invalid| ConfigError::UserAgent)?;
        let builder = reqwest::Client::builder()
            .user_agent(agent)
            .http1_only()
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(options.connect_timeout)
            .timeout(options.request_timeout)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(options.pool_max_idle_per_host);
        let roots = root_certificates(&options.extra_root_certificates)?;
        let builder = if options.base_url.scheme() == "https" {
            builder.https_only(true).tls_certs_merge(roots)
        } else {
            // Plain HTTP to this machine needs none of the system's certificates, which may be missing.
            builder.tls_certs_only(roots)
        };
        let client = builder.build().map_err(|error| ConfigError::Http {
            reason: chain(&error),
        })?;
        Ok(Self {
            client,
            base: options.base_url.clone(),
            now: options.now.clone(),
            trace_context: options.trace_context.clone(),
        })
    }

    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Any answer at all is a success here; [`crate::classify::check`] judges it.
    pub(crate) async fn send(
        &self,
        call: &Call,
        credential: Option<&Credential>,
    ) -> Result<Answer, Error> {
        let started = Instant::now();
        let lost = |error| transport_error(call, error, started.elapsed());
        let response = self.request(call, credential).send().await.map_err(lost)?;
        let answer = self.read(call, response, started).await?;
        tracing::debug!(
            method = %call.method,
            path = %call.path,
            status = answer.meta.status,
            transaction_id = answer.meta.transaction_id.as_deref(),
            duration_ms = u64::try_from(answer.meta.duration.as_millis()).unwrap_or(u64::MAX),
            "ServiceNow call"
        );
        Ok(answer)
    }

    fn request(&self, call: &Call, credential: Option<&Credential>) -> reqwest::RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&call.path);
        url.set_query((!call.query.is_empty()).then_some(call.query.as_str()));
        let mut request = self
            .client
            .request(call.method.clone(), url)
            .header(ACCEPT, "application/json");
        if let Some(traceparent) = self.trace_context.as_ref().and_then(|of_task| of_task()) {
            request = request.header("traceparent", traceparent);
        }
        if let Some(credential) = credential {
            request = request.header(credential.name.clone(), credential.value.clone());
        }
        if let Some(body) = &call.body {
            request = request
                .header(CONTENT_TYPE, body.content_type())
                .body(body.bytes());
        }
        request
    }

    async fn read(
        &self,
        call: &Call,
        mut response: Response,
        started: Instant,
    ) -> Result<Answer, Error> {
        let headers = response.headers().clone();
        let status = response.status().as_u16();
        let meta = CallMeta::of(call, status, &headers, started.elapsed());
        let mut answer = Answer::new(call, meta, headers, (self.now)());
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => answer.body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) if error.is_timeout() => return Err(late_body(&answer, error)),
                Err(_broken) => {
                    answer.is_cut = true;
                    break;
                }
            }
            if answer.body.len() > MAX_BODY_BYTES {
                let message = "the answer is larger than this client takes";
                return Err(crate::classify::garbage(
                    &answer,
                    GarbageKind::WrongShape,
                    message,
                ));
            }
        }
        answer.meta.duration = started.elapsed();
        Ok(answer)
    }
}

fn late_body(answer: &Answer, error: reqwest::Error) -> Error {
    let mut failure = answer.failure("the body did not come in time", None);
    failure.source = Some(std::sync::Arc::new(error.without_url()));
    Error::Maybe {
        kind: MaybeKind::Timeout,
        failure,
    }
}

/// The HTTP library is built without a crypto provider and panics when there is none.
fn install_crypto_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been quicker; either way there is one now.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}

fn root_certificates(bundles: &[Vec<u8>]) -> Result<Vec<Certificate>, ConfigError> {
    let mut roots = Vec::new();
    for bundle in bundles {
        let certificates =
            Certificate::from_pem_bundle(bundle).map_err(|error| ConfigError::RootCertificate {
                reason: chain(&error),
            })?;
        if certificates.is_empty() {
            return Err(ConfigError::RootCertificate {
                reason: "it holds no certificate".to_owned(),
            });
        }
        roots.extend(certificates);
    }
    Ok(roots)
}

/// An error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |cause| cause.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
