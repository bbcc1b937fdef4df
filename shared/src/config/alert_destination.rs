use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::report::{Report, Section};
use super::urls::{self, Plain};
use super::{certificates, names, secret};

/// `[alerts.destinations.<name>]`: somebody who is told.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["kind"]))]
pub struct AlertDestination {
    /// How; says which of the keys below are needed.
    pub kind: DestinationKind,
    /// Webhook: its address, which is often a secret of its own.
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub url: Option<SecretString>,
    /// A file that holds it and nothing else.
    pub url_file: Option<PathBuf>,
    /// Webhook: what messages are signed with, as Standard Webhooks. Without one they are not signed.
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub secret: Option<SecretString>,
    /// A file that holds it and nothing else.
    pub secret_file: Option<PathBuf>,
    /// Webhook: permit `http://` (tests, private networks).
    pub allow_http: bool,
    /// Mail: the server that takes it.
    pub smtp_host: String,
    /// Mail: its port.
    #[schemars(range(min = 1, max = 65_535))]
    pub smtp_port: u16,
    /// Mail: how the line is kept private.
    pub tls: MailTls,
    /// Mail: a file with certificates (PEM) of authorities that are trusted for this server, beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Mail: who logs in; empty: nobody.
    pub user: String,
    /// Mail: the password of `user`.
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub password: Option<SecretString>,
    /// A file that holds it and nothing else.
    pub password_file: Option<PathBuf>,
    /// Mail: who sends.
    pub from: String,
    /// Mail: who gets it.
    pub to: Vec<String>,
}

/// How a destination is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DestinationKind {
    /// JSON by POST: `url`, `secret`.
    Webhook,
    /// SMTP: `smtp_host`, `smtp_port`, `tls`, `user`, `password`, `from`, `to`.
    Mail,
}

/// How the line to a mail server is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// It begins in the clear and changes to TLS; where it does not, nothing is sent. Usually port 587.
    Starttls,
    /// TLS from the beginning. Usually port 465.
    Tls,
    /// In the clear.
    None,
}

impl Default for AlertDestination {
    fn default() -> Self {
        Self {
            kind: DestinationKind::Webhook,
            url: None,
            url_file: None,
            secret: None,
            secret_file: None,
            allow_http: false,
            smtp_host: String::new(),
            smtp_port: 587,
            tls: MailTls::Starttls,
            ca_file: None,
            user: String::new(),
            password: None,
            password_file: None,
            from: String::new(),
            to: Vec::new(),
        }
    }
}

impl AlertDestination {
    /// Where it is, for operators: without what may be secret.
    pub fn shown(&self) -> String {
        match self.kind {
            DestinationKind::Webhook => {
                let url = self.url.as_ref().map(|url| url.expose_secret().parse());
                match url {
                    Some(Ok(url)) => url::Url::origin(&url).ascii_serialization(),
                    _ => String::new(),
                }
            }
            DestinationKind::Mail => format!("{} by {}", self.to.join(", "), self.smtp_host),
        }
    }

    pub(super) fn resolve_secrets(&mut self, name: &str, report: &mut Report) {
        let mut at = report.section(&format!("alerts.destinations.{name}"));
        let at = &mut at;
        secret::resolve(at, "url", &mut self.url, self.url_file.as_deref());
        secret::resolve(at, "secret", &mut self.secret, self.secret_file.as_deref());
        let file = self.password_file.as_deref();
        secret::resolve(at, "password", &mut self.password, file);
    }

    pub(super) fn check(&self, name: &str, report: &mut Report) {
        names::check(&mut report.section("alerts.destinations"), name, name);
        let mut at = report.section(&format!("alerts.destinations.{name}"));
        match self.kind {
            DestinationKind::Webhook => self.check_webhook(&mut at),
            DestinationKind::Mail => self.check_mail(&mut at),
        }
    }

    fn check_webhook(&self, at: &mut Section<'_>) {
        match &self.url {
            None => at.add(
                "url",
                "not given, but kind = \"webhook\" needs it",
                format!(
                    "set {}, or name a file in {}",
                    at.key("url"),
                    at.key("url_file")
                ),
            ),
            Some(url) => {
                let allowed = if self.allow_http {
                    Plain::HttpOrHttps
                } else {
                    Plain::HttpsOnly
                };
                urls::check(at, "url", url.expose_secret(), allowed);
            }
        }
        if let Some(secret) = &self.secret {
            secret::check_signing(at, "secret", secret);
        }
        let of_mail = [
            ("smtp_host", !self.smtp_host.is_empty()),
            ("user", !self.user.is_empty()),
            ("password", self.password.is_some()),
            ("ca_file", self.ca_file.is_some()),
            ("from", !self.from.is_empty()),
            ("to", !self.to.is_empty()),
        ];
        foreign(at, of_mail, "webhook");
    }

    fn check_mail(&self, at: &mut Section<'_>) {
        if url::Host::parse(&self.smtp_host).is_err() {
            let problem = match self.smtp_host.as_str() {
                "" => "not given, but kind = \"mail\" needs it".to_owned(),
                host => format!("`{host}` is not a host name"),
            };
            let fix = "write the name of the mail server alone: smtp.example.com";
            at.add("smtp_host", problem, fix);
        }
        check_address(at, "from", &self.from);
        if self.to.is_empty() {
            let fix = "give at least one address: [\"oncall@example.com\"]";
            at.add("to", "nobody gets it", fix);
        }
        for (index, address) in self.to.iter().enumerate() {
            check_address(at, &format!("to[{index}]"), address);
        }
        self.check_login(at);
        match &self.ca_file {
            Some(_) if self.tls == MailTls::None => {
                let problem = "is not used with tls = \"none\"";
                at.add(
                    "ca_file",
                    problem,
                    "remove it, or use \"starttls\" or \"tls\"",
                );
            }
            Some(file) => certificates::check(at, "ca_file", file),
            None => {}
        }
        let of_webhooks = [
            ("url", self.url.is_some()),
            ("secret", self.secret.is_some()),
            ("allow_http", self.allow_http),
        ];
        foreign(at, of_webhooks, "mail");
    }

    fn check_login(&self, at: &mut Section<'_>) {
        match (self.user.is_empty(), &self.password) {
            (false, None) => at.add(
                "password",
                "not given, but there is a user",
                format!(
                    "set {}, or name a file in {}",
                    at.key("password"),
                    at.key("password_file")
                ),
            ),
            (true, Some(_)) => at.add("user", "not given, but there is a password", "set both"),
            (false, Some(_)) if self.tls == MailTls::None && !is_local(&self.smtp_host) => at.add(
                "tls",
                "the password would go to another machine in the clear",
                "use \"starttls\" or \"tls\"",
            ),
            _ => {}
        }
    }
}

/// Keys that a destination of this kind does not use.
fn foreign<const N: usize>(at: &mut Section<'_>, keys: [(&str, bool); N], kind: &str) {
    for (key, _) in keys.into_iter().filter(|(_, is_given)| *is_given) {
        let problem = format!("is not used by kind = \"{kind}\"");
        at.add(key, problem, "remove it, or correct kind");
    }
}

/// An address of somebody, without a name around it: local@domain.
fn check_address(at: &mut Section<'_>, key: &str, address: &str) {
    let is_plain = |c: char| c.is_ascii_graphic() && !"<>()[],;:\\\"".contains(c);
    let is_one = address.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && local.len() <= 64
            && local.chars().all(is_plain)
            && !domain.contains('@')
            && url::Host::parse(domain).is_ok()
    });
    if !is_one {
        let problem = match address {
            "" => "not given".to_owned(),
            address => format!("`{address}` is not an address"),
        };
        at.add(key, problem, "write the address alone: bridge@example.com");
    }
}

fn is_local(host: &str) -> bool {
    match url::Host::parse(host) {
        Ok(url::Host::Domain(name)) => name == "localhost",
        Ok(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Ok(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Err(_) => false,
    }
}
