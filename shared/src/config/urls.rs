use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use super::report::Section;

/// Whether an address may be `http://`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// Never.
    HttpsOnly,
    /// On this machine.
    HttpsOrLocal,
    /// Anywhere.
    HttpOrHttps,
}

/// Checks a web address. It is never quoted: people put passwords into them.
pub(super) fn check(at: &mut Section<'_>, key: &str, text: &str, plain: Plain) {
    let fix = "write it as https://host.example.com";
    if text.is_empty() {
        return at.add(key, "is empty", fix);
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return at.add(key, format!("not a URL: {error}"), fix),
    };
    match (url.scheme(), plain) {
        ("https", _) | ("http", Plain::HttpOrHttps) => {}
        ("http", Plain::HttpsOrLocal) if is_local(&url) => {}
        ("http", _) => {
            let fix = format!(
                "use https://, or permit it with {} = true",
                at.key("allow_http")
            );
            return at.add(key, "http:// sends secrets in the clear", fix);
        }
        (scheme, _) => return at.add(key, format!("`{scheme}:` is not a web address"), fix),
    }
    if !url.username().is_empty() || url.password().is_some() {
        at.add(
            key,
            "holds a user or a password",
            "remove them; credentials have keys of their own",
        );
    } else if url.fragment().is_some() {
        at.add(key, "holds a `#` part, which is never sent", "remove it");
    }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The URL with a password that was given beside it.
pub(super) fn with_password(url: &SecretString, password: Option<&SecretString>) -> SecretString {
    let (Some(password), Ok(mut parsed)) = (password, Url::parse(url.expose_secret())) else {
        return url.clone();
    };
    // Fails only for URLs without a host, which were refused when the settings were checked.
    match parsed.set_password(Some(password.expose_secret())) {
        Ok(()) => String::from(parsed).into(),
        Err(()) => url.clone(),
    }
}

/// Scheme, host, port and path: what can be shown.
pub(super) fn shown(url: &SecretString) -> String {
    let text = url.expose_secret();
    match Url::parse(text) {
        Ok(url) => match url.host_str() {
            Some(host) => {
                let port = url
                    .port()
                    .map_or_else(String::new, |port| format!(":{port}"));
                format!("{}://{host}{port}{}", url.scheme(), url.path())
            }
            // Without a host there is no user either: the name of a file.
            None => text.split('?').next().unwrap_or_default().to_owned(),
        },
        Err(_) => "(not a URL)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_in_and_never_out() {
        let url =
            SecretString::from("postgres://bridge@db.example.com:5433/tickets?sslmode=require");
        let whole = with_password(&url, Some(&"p@ss/word".into()));
        assert_eq!(
            whole.expose_secret(),
            "postgres://bridge:p%40ss%2Fword@db.example.com:5433/tickets?sslmode=require"
        );
        assert_eq!(shown(&whole), "postgres://db.example.com:5433/tickets");
        let redis = with_password(&"redis://cache/0".into(), Some(&"x".into()));
        assert_eq!(redis.expose_secret(), "redis://:x@cache/0");
    }

    #[test]
    fn files_are_shown_as_they_are() {
        assert_eq!(
            shown(&"sqlite://ticketbridge.db?mode=rwc".into()),
            "sqlite://ticketbridge.db"
        );
        assert_eq!(
            shown(&"sqlite:///var/lib/bridge.db".into()),
            "sqlite:///var/lib/bridge.db"
        );
    }
}
