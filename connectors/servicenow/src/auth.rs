//! The kinds of credentials an instance accepts (wire contract 10).

use secrecy::SecretString;

/// How calls are authenticated. Secrets are never printed: `Debug` shows `[REDACTED]` in their place.
#[derive(Debug, Clone)]
pub enum Auth {
    /// No credentials at all. Enough for [`crate::Client::exchange_code`] and for reaching the host.
    Anonymous,
    /// `Authorization: Basic`. Restricted for interactive accounts since 2026 (wire contract 10.2).
    Basic {
        user: String,
        password: SecretString,
    },
    /// OAuth 2.0 `client_credentials`: runs as the application user of the registry entry.
    ClientCredentials {
        client_id: String,
        client_secret: SecretString,
        scope: Option<String>,
    },
    /// OAuth 2.0 `password`: tokens are renewed with the refresh token the instance gives.
    Password {
        client_id: String,
        client_secret: SecretString,
        user: String,
        password: SecretString,
    },
    /// OAuth 2.0 `refresh_token`, for a token that came from an authorization code.
    RefreshToken {
        client_id: String,
        client_secret: SecretString,
        refresh_token: SecretString,
    },
    /// An API key in a header, usually `x-sn-apikey` (wire contract 10.6).
    ApiKey { header: String, key: SecretString },
}

impl Auth {
    /// The secrets held here, so that they can be cut out of anything shown to people.
    pub(crate) fn secrets(&self) -> Vec<SecretString> {
        match self {
            Self::Anonymous => Vec::new(),
            Self::Basic { password, .. } => vec![password.clone()],
            Self::ClientCredentials { client_secret, .. } => vec![client_secret.clone()],
            Self::Password {
                client_secret,
                password,
                ..
            } => vec![client_secret.clone(), password.clone()],
            Self::RefreshToken {
                client_secret,
                refresh_token,
                ..
            } => vec![client_secret.clone(), refresh_token.clone()],
            Self::ApiKey { key, .. } => vec![key.clone()],
        }
    }

    /// Whether calls carry a token that has to be fetched first.
    pub(crate) fn uses_tokens(&self) -> bool {
        matches!(
            self,
            Self::ClientCredentials { .. } | Self::Password { .. } | Self::RefreshToken { .. }
        )
    }
}
