use std::path::PathBuf;

use chrono::TimeDelta;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::report::{Report, Section};
use super::secret;
use super::server::ServerSettings;
use super::urls::{self, Plain};
use crate::operator::Role;

/// `[console.oidc]`: sign-in of operators through an identity provider (OpenID Connect Core 1.0, code flow).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// Issuer of the provider. Empty: off.
    pub issuer: String,
    /// Permit an `http://` issuer that is not on this machine.
    pub allow_http: bool,
    /// What the bridge is called at the provider.
    pub client_id: String,
    /// Its secret; none for a public client.
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub client_secret: Option<SecretString>,
    /// A file that holds it and nothing else.
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for; `openid` among it.
    pub scopes: Vec<String>,
    /// Claims that name an operator; the first that is there counts.
    pub name_claims: Vec<String>,
    /// Claim with groups or roles; a dot leads into an object.
    pub roles_claim: String,
    /// What the button says.
    pub button: String,
    /// Where browsers come back to. Empty: `server.public_url`.
    pub redirect_base_url: String,
    /// Days after the last sign-in for which tokens of an operator of the provider are good.
    #[schemars(range(min = 1, max = 365))]
    pub token_days: u32,
    /// Values of the claim by role.
    pub roles: RoleValues,
}

/// `[console.oidc.roles]`: which values of the claim give which role.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleValues {
    /// Viewers.
    pub viewer: Vec<String>,
    /// Operators.
    pub operator: Vec<String>,
    /// Admins.
    pub admin: Vec<String>,
}

impl RoleValues {
    /// The highest role that one of `values` gives.
    pub fn highest(&self, values: &[String]) -> Option<Role> {
        let gives = |role: &Role| self.of(*role).iter().any(|value| values.contains(value));
        Role::ALL.into_iter().rev().find(gives)
    }

    fn of(&self, role: Role) -> &[String] {
        match role {
            Role::Viewer => &self.viewer,
            Role::Operator => &self.operator,
            Role::Admin => &self.admin,
        }
    }
}

impl OidcSettings {
    /// Whether operators may sign in this way.
    pub fn is_on(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// The address that browsers come back to, without a closing slash and a path of ours.
    pub fn base_url(&self, server: &ServerSettings) -> String {
        match self.redirect_base_url.as_str() {
            "" => server.base_url(),
            url => url.trim_end_matches('/').to_owned(),
        }
    }

    /// `token_days` as a duration.
    pub fn token(&self) -> TimeDelta {
        TimeDelta::days(i64::from(self.token_days))
    }

    pub(super) fn resolve_secrets(&mut self, report: &mut Report) {
        let mut at = report.section("console.oidc");
        let file = self.client_secret_file.as_deref();
        secret::resolve(&mut at, "client_secret", &mut self.client_secret, file);
    }

    pub(super) fn check(&self, server: &ServerSettings, report: &mut Report) {
        let mut at = report.section("console.oidc");
        if !self.is_on() {
            if !self.client_id.is_empty() {
                let fix = "set it to the issuer of the provider, or remove the other keys of console.oidc";
                at.add("issuer", "is empty, but client_id is given", fix);
            }
            return;
        }
        self.check_provider(&mut at);
        self.check_claims(&mut at);
        if !self.redirect_base_url.is_empty() {
            let allowed = Plain::HttpOrHttps;
            urls::check(
                &mut at,
                "redirect_base_url",
                &self.redirect_base_url,
                allowed,
            );
        } else if server.public_url.is_empty()
            && server
                .listen_address()
                .is_some_and(|it| it.ip().is_unspecified())
        {
            at.add(
                "redirect_base_url",
                "is empty, and so is server.public_url: browsers would be sent back to no address",
                "set server.public_url to the address by which people reach the console",
            );
        }
    }

    fn check_provider(&self, at: &mut Section<'_>) {
        let allowed = if self.allow_http {
            Plain::HttpOrHttps
        } else {
            Plain::HttpsOrLocal
        };
        urls::check(at, "issuer", &self.issuer, allowed);
        if Url::parse(&self.issuer).is_ok_and(|url| url.query().is_some()) {
            let fix = "give the `issuer` of its /.well-known/openid-configuration";
            at.add("issuer", "has a query, which no issuer has", fix);
        }
        if self.client_id.is_empty() {
            let fix = "set it to the id under which the provider knows the bridge";
            at.add("client_id", "is empty, but an issuer is set", fix);
        }
        if !self.scopes.iter().any(|scope| scope == "openid") {
            let fix = "add it: without it the provider sends no ID token";
            at.add("scopes", "`openid` is missing", fix);
        }
        if self.button.trim().is_empty() {
            at.add("button", "is empty", "write what the button is to say");
        }
    }

    fn check_claims(&self, at: &mut Section<'_>) {
        if self.name_claims.is_empty() {
            let fix = "name the claim with the name, usually preferred_username";
            at.add("name_claims", "is empty", fix);
        }
        if self.roles_claim.is_empty() {
            let fix = "name the claim with groups or roles, usually groups or roles";
            at.add("roles_claim", "is empty", fix);
        }
        if Role::ALL.iter().all(|role| self.roles.of(*role).is_empty()) {
            let fix = "give console.oidc.roles.viewer, .operator or .admin the values of the claim in roles_claim that are to have the role";
            at.add(
                "roles.admin",
                "no value gives a role: nobody could sign in",
                fix,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_role_wins() {
        let texts = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let roles = RoleValues {
            viewer: texts(&["staff"]),
            operator: texts(&["desk", "night"]),
            admin: texts(&["platform"]),
        };
        for (values, role) in [
            (vec!["staff"], Some(Role::Viewer)),
            (vec!["staff", "night"], Some(Role::Operator)),
            (vec!["platform", "staff"], Some(Role::Admin)),
            (vec!["Staff"], None),
            (vec![], None),
        ] {
            assert_eq!(roles.highest(&texts(&values)), role, "{values:?}");
        }
    }
}
