//! What a client is built from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::auth::Auth;
use crate::clock::{Clock, system_clock};
use crate::config_error::ConfigError;

/// Told of each new refresh token, so that the caller can store it: tokens may rotate (wire contract 10.3).
/// It is called on the task that renewed the token, before the token is used, and must be short.
pub type RefreshTokenHook = Arc<dyn Fn(&SecretString) + Send + Sync>;

/// Gives the refresh token as it is stored now, which another process with the same one may have replaced; `None` when it cannot
/// be read. Asked before each refresh, and once more when the token is refused.
pub type RefreshTokenSource = Arc<dyn Fn() -> Option<SecretString> + Send + Sync>;

/// Gives the W3C trace context of the calling task, if there is one.
pub type TraceContext = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// The options of a [`crate::Client`]. Start from [`ClientOptions::new`] and change what differs.
#[derive(Clone)]
pub struct ClientOptions {
    /// The address of the instance, without a path: `https://acme.service-now.com`.
    pub base_url: Url,
    /// Whether plain http may be used with other hosts than this machine: credentials then travel in the clear. Default no.
    pub allow_http: bool,
    pub auth: Auth,
    /// Time for DNS, TCP and TLS together. Default 10 s.
    pub connect_timeout: Duration,
    /// Time for one whole call. Default 70 s: the 60 s quota of an instance and some slack (wire contract 11.6).
    pub request_timeout: Duration,
    pub user_agent: String,
    /// Idle connections kept for re-use. Default 8.
    pub pool_max_idle_per_host: usize,
    /// The clock that token expiry, back-off and `Retry-After` dates are measured with.
    pub now: Clock,
    /// PEM bundles trusted in addition to the roots of the operating system.
    pub extra_root_certificates: Vec<Vec<u8>>,
    /// Told of each new refresh token.
    pub on_refresh_token: Option<RefreshTokenHook>,
    /// Where refresh tokens are stored, for [`Auth::RefreshToken`].
    pub refresh_token_source: Option<RefreshTokenSource>,
    /// Asked at each call; what it gives is sent as `traceparent`, which gateways and proxies on the way can log.
    pub trace_context: Option<TraceContext>,
}

impl ClientOptions {
    /// Options with the defaults named at each field.
    pub fn new(base_url: Url, auth: Auth) -> Self {
        Self {
            base_url,
            allow_http: false,
            auth,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(70),
            user_agent: concat!("servicenow-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            pool_max_idle_per_host: 8,
            now: system_clock(),
            extra_root_certificates: Vec::new(),
            on_refresh_token: None,
            refresh_token_source: None,
            trace_context: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        check_base_url(&self.base_url, self.allow_http)?;
        check_credentials(&self.auth)?;
        for (name, value) in [
            ("connect_timeout", self.connect_timeout),
            ("request_timeout", self.request_timeout),
        ] {
            if value.is_zero() {
                return Err(ConfigError::ZeroTimeout { name });
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientOptions")
            .field("base_url", &self.base_url.host_str())
            .field("auth", &self.auth)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}

fn check_base_url(url: &Url, allow_http: bool) -> Result<(), ConfigError> {
    let host = url.host().ok_or(ConfigError::NoHost);
    match url.scheme() {
        "https" => {
            host?;
        }
        "http" => {
            let host = host?;
            if !allow_http && !is_loopback(&host) {
                return Err(ConfigError::InsecureHttp {
                    host: host.to_string(),
                });
            }
        }
        scheme => {
            return Err(ConfigError::Scheme {
                scheme: scheme.to_owned(),
            });
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConfigError::UserInfo);
    }
    if !matches!(url.path(), "" | "/") {
        return Err(ConfigError::Path {
            path: url.path().to_owned(),
        });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(ConfigError::Query);
    }
    Ok(())
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

fn check_credentials(auth: &Auth) -> Result<(), ConfigError> {
    let filled: Vec<(&'static str, &str)> = match auth {
        Auth::Anonymous => Vec::new(),
        Auth::Basic { user, password } => {
            vec![("user", user), ("password", password.expose_secret())]
        }
        Auth::ClientCredentials {
            client_id,
            client_secret,
            ..
        } => vec![
            ("client_id", client_id),
            ("client_secret", client_secret.expose_secret()),
        ],
        Auth::Password {
            client_id,
            client_secret,
            user,
            password,
        } => vec![
            ("client_id", client_id),
            ("client_secret", client_secret.expose_secret()),
            ("user", user),
            ("password", password.expose_secret()),
        ],
        // A public client with PKCE has no secret, so only the other two must be there.
        Auth::RefreshToken {
            client_id,
            refresh_token,
            ..
        } => vec![
            ("client_id", client_id),
            ("refresh_token", refresh_token.expose_secret()),
        ],
        Auth::ApiKey { key, .. } => vec![("key", key.expose_secret())],
    };
    match filled.iter().find(|(_, value)| value.trim().is_empty()) {
        Some((name, _)) => Err(ConfigError::EmptyCredential { name }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(url: &str) -> ConfigError {
        check_base_url(&Url::parse(url).unwrap(), false).unwrap_err()
    }

    #[test]
    fn good_base_urls_pass() {
        for url in [
            "https://acme.service-now.com",
            "https://acme.service-now.com/",
            "http://127.0.0.1:8080",
            "http://localhost:1",
            "http://[::1]:9",
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(check_base_url(&url, false), Ok(()), "{url}");
        }
    }

    #[test]
    fn plain_http_elsewhere_wants_a_word() {
        let url = Url::parse("http://simulator:8089").unwrap();
        assert!(check_base_url(&url, false).is_err());
        assert_eq!(check_base_url(&url, true), Ok(()));
    }

    #[test]
    fn each_base_url_problem_says_its_fix() {
        insta::assert_snapshot!(
            [
                "ftp://acme.service-now.com",
                "data:text/plain,x",
                "http://acme.service-now.com",
                "https://acme.service-now.com/api/now",
                "https://acme.service-now.com/?x=1",
                "https://acme.service-now.com/#x",
                "https://ann:secret@acme.service-now.com",
            ]
            .map(|url| problem(url).to_string())
            .join("\n")
        );
    }

    #[test]
    fn empty_credentials_are_named() {
        let auth = Auth::Basic {
            user: "bridge".to_owned(),
            password: " ".into(),
        };
        assert_eq!(
            check_credentials(&auth),
            Err(ConfigError::EmptyCredential { name: "password" })
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let auth = Auth::Basic {
            user: "bridge".to_owned(),
            password: "wonderful-secret".into(),
        };
        let url = Url::parse("https://acme.service-now.com").unwrap();
        let text = format!("{:?}", ClientOptions::new(url, auth));
        assert!(text.contains("bridge") && !text.contains("wonderful-secret"));
    }
}
