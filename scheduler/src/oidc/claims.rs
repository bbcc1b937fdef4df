//! From what the provider says about somebody to a name and a role here.

use serde_json::{Map, Value};
use shared::config::OidcSettings;
use shared::operator::{Role, is_name};

use super::id_token::{printable, shown};
use super::refusal::Refusal;

/// So many values of a claim are named in a refusal.
const MOST_SHOWN: usize = 10;

/// What never changes about somebody at the provider.
pub(super) fn subject(claims: &Map<String, Value>) -> Result<&str, Refusal> {
    claims
        .get("sub")
        .and_then(Value::as_str)
        .filter(|it| !it.is_empty())
        .ok_or(Refusal::Malformed("it holds no `sub`"))
}

/// What somebody is called: the first of the configured claims that is there.
pub(super) fn name<'a>(
    claims: &'a Map<String, Value>,
    settings: &OidcSettings,
) -> Result<&'a str, Refusal> {
    let found = settings.name_claims.iter().find_map(|claim| {
        // Anybody can claim an address that nobody has verified.
        let is_unverified =
            claim == "email" && claims.get("email_verified") == Some(&Value::Bool(false));
        let name = find(claims, claim)?.as_str().filter(|it| !it.is_empty())?;
        (!is_unverified).then_some((claim, name))
    });
    let (claim, name) = found.ok_or_else(|| Refusal::NoName(listed(&settings.name_claims)))?;
    if is_name(name) {
        Ok(name)
    } else {
        Err(Refusal::BadName {
            claim: claim.clone(),
            name: printable(name),
        })
    }
}

/// What somebody may do: the highest role that a value of the claim gives.
pub(super) fn role(claims: &Map<String, Value>, settings: &OidcSettings) -> Result<Role, Refusal> {
    let claim = &settings.roles_claim;
    let values: Vec<String> = match find(claims, claim) {
        None | Some(Value::Null) => return Err(Refusal::NoRolesClaim(claim.clone())),
        Some(Value::Array(all)) => all
            .iter()
            .filter_map(|it| it.as_str().map(str::to_owned))
            .collect(),
        Some(one) => one.as_str().map(str::to_owned).into_iter().collect(),
    };
    settings.roles.highest(&values).ok_or_else(|| {
        let few = values.iter().take(MOST_SHOWN);
        let few: Vec<String> = few.map(|it| printable(it)).collect();
        let more = if values.len() > MOST_SHOWN {
            " and more"
        } else {
            ""
        };
        Refusal::NoRole {
            claim: claim.clone(),
            found: match few.as_slice() {
                [] => format!("`{}`", find(claims, claim).map(shown).unwrap_or_default()),
                few => format!("{}{more}", listed(few)),
            },
        }
    })
}

/// A claim by its name; else by the way to it, for Keycloak keeps roles in objects: `realm_access.roles`. Names may hold dots themselves.
fn find<'a>(claims: &'a Map<String, Value>, claim: &str) -> Option<&'a Value> {
    if let Some(found) = claims.get(claim) {
        return Some(found);
    }
    let mut way = claim.split('.');
    let first = claims.get(way.next()?)?;
    way.try_fold(first, |at, name| at.get(name))
}

fn listed(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|it| format!("`{it}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::config::{Layers, Settings};

    use super::*;

    fn settings(more: &str) -> OidcSettings {
        let preset = format!(
            "[console.oidc]\nissuer = \"https://id.example.com\"\nclient_id = \"bridge\"\n{more}\n[console.oidc.roles]\nviewer = [\"staff\"]\n\
             admin = [\"platform\"]\n"
        );
        let layers = Layers {
            preset: Some(preset),
            ..Layers::default()
        };
        let settings = Settings::load(&layers).unwrap_or_else(|problems| panic!("{problems}"));
        settings.console.oidc
    }

    fn claims(json: Value) -> Map<String, Value> {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn names_come_from_the_first_claim_that_is_there() {
        let settings = settings("");
        let name = |json| {
            let claims = claims(json);
            name(&claims, &settings)
                .map(str::to_owned)
                .map_err(|it| it.to_string())
        };
        let both = json!({"preferred_username": "vera", "email": "vera@example.com"});
        assert_eq!(name(both).unwrap(), "vera");
        let mail = json!({"email": "vera@example.com", "email_verified": true});
        assert_eq!(name(mail).unwrap(), "vera@example.com");
        let told: Vec<String> = [
            json!({}),
            json!({"email": "vera@example.com", "email_verified": false}),
            json!({"preferred_username": "Vera Example"}),
        ]
        .into_iter()
        .map(|json| name(json).unwrap_err())
        .collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn roles_come_from_lists_texts_and_objects() {
        let plain = settings("");
        let nested = settings("roles_claim = \"realm_access.roles\"");
        for (settings, json) in [
            (&plain, json!({"groups": ["staff", "platform"]})),
            (&plain, json!({"groups": "platform"})),
            (&nested, json!({"realm_access": {"roles": ["platform"]}})),
            (&nested, json!({"realm_access.roles": ["platform"]})),
        ] {
            assert_eq!(role(&claims(json), settings).unwrap(), Role::Admin);
        }
        let many: Vec<String> = (0..12).map(|it| format!("g{it}")).collect();
        let told: Vec<String> = [
            json!({}),
            json!({"groups": []}),
            json!({"groups": 7}),
            json!({"groups": ["guests"]}),
            json!({ "groups": many }),
        ]
        .into_iter()
        .map(|json| role(&claims(json), &plain).unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
