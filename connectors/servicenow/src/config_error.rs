//! What can be wrong with the options of a client, each with its fix.

/// A client could not be built from its options. The message names the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "the base URL has the scheme `{scheme}`: use https, for example https://acme.service-now.com"
    )]
    Scheme { scheme: String },
    #[error(
        "the base URL `http://{host}` would send credentials in the clear: use https (plain http is accepted for localhost, 127.0.0.1 and [::1], and elsewhere only where it was allowed on purpose)"
    )]
    InsecureHttp { host: String },
    #[error(
        "the base URL has no host: give the address of the instance, for example https://acme.service-now.com"
    )]
    NoHost,
    #[error(
        "the base URL has the path `{path}`: give the address of the instance only, without /api or any other path"
    )]
    Path { path: String },
    #[error("the base URL has a query or a fragment: remove everything from `?` or `#` on")]
    Query,
    #[error(
        "the base URL holds a user name or password: remove them and set the credentials apart"
    )]
    UserInfo,
    #[error("the credential `{name}` is empty: set it")]
    EmptyCredential { name: &'static str },
    #[error(
        "the API key header `{header}` is not a header name: use `x-sn-apikey` or the name set in the inbound authentication profile"
    )]
    ApiKeyHeader { header: String },
    #[error(
        "the credential `{name}` has characters that cannot be sent in a header: check for line ends and blanks around it"
    )]
    CredentialCharacters { name: &'static str },
    #[error("the user agent has characters that cannot be sent in a header: use printable ASCII")]
    UserAgent,
    #[error("`{name}` is zero: set a positive duration")]
    ZeroTimeout { name: &'static str },
    #[error("an extra root certificate cannot be read as PEM: {reason}")]
    RootCertificate { reason: String },
    #[error("the HTTP client cannot be built: {reason}")]
    Http { reason: String },
}
