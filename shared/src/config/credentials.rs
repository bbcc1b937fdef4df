use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::ConnectionSettings;

/// How the bridge logs in (wire contract 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// OAuth client credentials: `client_id`, `client_secret`.
    ClientCredentials,
    /// Basic: `user`, `password`.
    Basic,
    /// OAuth password grant: `client_id`, `client_secret`, `user`, `password`.
    Password,
    /// OAuth refresh token of an authorization code flow: `client_id`, `client_secret`, `refresh_token`.
    RefreshToken,
    /// API key: `api_key`.
    ApiKey,
}

/// What a connection logs in with: complete.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// OAuth client credentials.
    ClientCredentials {
        /// Client.
        client_id: String,
        /// Its secret.
        client_secret: SecretString,
    },
    /// Basic.
    Basic {
        /// User.
        user: String,
        /// Password.
        password: SecretString,
    },
    /// OAuth password grant.
    Password {
        /// Client.
        client_id: String,
        /// Its secret.
        client_secret: SecretString,
        /// User.
        user: String,
        /// Password.
        password: SecretString,
    },
    /// OAuth refresh token.
    RefreshToken {
        /// Client.
        client_id: String,
        /// Its secret.
        client_secret: SecretString,
        /// Refresh token.
        refresh_token: SecretString,
    },
    /// API key.
    ApiKey {
        /// Header name.
        header: String,
        /// Key.
        key: SecretString,
    },
}

impl ConnectionSettings {
    /// What to log in with, or the keys that `auth` needs and that are not given (none after
    /// [`Settings::load`](super::Settings::load)).
    pub fn credentials(&self) -> Result<Credentials, Vec<&'static str>> {
        let texts = [("client_id", &self.client_id), ("user", &self.user)];
        let secrets = [
            ("client_secret", &self.client_secret),
            ("password", &self.password),
            ("refresh_token", &self.refresh_token),
            ("api_key", &self.api_key),
        ];
        let needed = self.auth.needs();
        let missing_text = texts
            .iter()
            .filter(|(_, value)| value.as_deref().unwrap_or_default().is_empty());
        let missing_secret = secrets.iter().filter(|(_, value)| value.is_none());
        let missing: Vec<&'static str> = missing_text
            .map(|(key, _)| *key)
            .chain(missing_secret.map(|(key, _)| *key))
            .filter(|key| needed.contains(key))
            .collect();
        if missing.is_empty() {
            Ok(self.complete())
        } else {
            Err(missing)
        }
    }

    /// Keys that `auth` does not need are empty here, and not looked at.
    fn complete(&self) -> Credentials {
        let client_id = self.client_id.clone().unwrap_or_default();
        let user = self.user.clone().unwrap_or_default();
        let secret = |value: &Option<SecretString>| value.clone().unwrap_or_default();
        let (client_secret, password) = (secret(&self.client_secret), secret(&self.password));
        match self.auth {
            Auth::ClientCredentials => Credentials::ClientCredentials {
                client_id,
                client_secret,
            },
            Auth::Basic => Credentials::Basic { user, password },
            Auth::Password => Credentials::Password {
                client_id,
                client_secret,
                user,
                password,
            },
            Auth::RefreshToken => {
                let refresh_token = secret(&self.refresh_token);
                Credentials::RefreshToken {
                    client_id,
                    client_secret,
                    refresh_token,
                }
            }
            Auth::ApiKey => Credentials::ApiKey {
                header: self.api_key_header.clone(),
                key: secret(&self.api_key),
            },
        }
    }
}

impl Auth {
    fn needs(self) -> &'static [&'static str] {
        match self {
            Self::ClientCredentials => &["client_id", "client_secret"],
            Self::Basic => &["user", "password"],
            Self::Password => &["client_id", "client_secret", "user", "password"],
            Self::RefreshToken => &["client_id", "client_secret", "refresh_token"],
            Self::ApiKey => &["api_key"],
        }
    }

    /// The word used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Basic => "basic",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
            Self::ApiKey => "api_key",
        }
    }
}
