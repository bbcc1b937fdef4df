//! `operator …`: who may operate the bridge.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use shared::operator::{Role, is_name};
use shared::password;
use shared::store::audit::Actor;
use shared::store::operators::{self, OperatorChange, Origin};
use shared::store::{Store, StoreError, sources};
use uuid::Uuid;

use crate::args::Operator;
use crate::exit::Failure;
use crate::output::{Output, table};
use crate::wiring;

const ACTOR: Actor = Actor::System("command-line");

pub(crate) async fn run(
    config: Option<PathBuf>,
    command: Operator,
    output: Output,
) -> Result<(), Failure> {
    let settings = wiring::settings(config)?;
    let store = match command {
        Operator::List | Operator::Tokens => wiring::connect_to_read(&settings).await?,
        _ => wiring::connect_migrated(&settings).await?,
    };
    match command {
        Operator::Create {
            name,
            role,
            no_password,
        } => {
            let hash = if no_password {
                None
            } else {
                Some(ask_password()?)
            };
            create(&store, &name, role_of(&role)?, hash.as_deref(), output).await
        }
        Operator::List => list(&store, output).await,
        Operator::Role { name, role } => {
            let role = role_of(&role)?;
            change(
                &store,
                &name,
                &OperatorChange::Role(role),
                &format!("{name} is {role} now."),
                output,
            )
            .await
        }
        Operator::Password { name } => {
            let hash = ask_password()?;
            let told = format!("{name} has a new password; their sessions have ended.");
            change(
                &store,
                &name,
                &OperatorChange::Password(hash),
                &told,
                output,
            )
            .await
        }
        Operator::Disable { name } => {
            let told = format!("{name} has no access any more.");
            change(&store, &name, &OperatorChange::Access(false), &told, output).await
        }
        Operator::Enable { name } => {
            let told = format!("{name} has access again.");
            change(&store, &name, &OperatorChange::Access(true), &told, output).await
        }
        Operator::Token {
            name,
            label,
            expires_days,
        } => token(&store, &name, &label, expires_days, output).await,
        Operator::Tokens => tokens(&store, output).await,
        Operator::Revoke { id } => revoke(&store, id, output).await,
    }
}

fn role_of(word: &str) -> Result<Role, Failure> {
    word.parse()
        .map_err(|error: shared::operator::UnknownRole| Failure::Configuration(error.to_string()))
}

/// The hash of a password that is typed twice, or read as one line.
fn ask_password() -> Result<String, Failure> {
    let password = if std::io::stdin().is_terminal() {
        let first =
            rpassword::prompt_password("New password: ").context("no password was typed")?;
        let second =
            rpassword::prompt_password("The same again: ").context("no password was typed")?;
        if first != second {
            return Err(Failure::Configuration(
                "the two passwords differ; nothing was changed, try again".to_owned(),
            ));
        }
        first
    } else {
        let mut line = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut line)
            .context("no password could be read from standard input")?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    password::hash(&SecretString::from(password), &mut rand::rng())
        .map_err(|error| Failure::Configuration(error.to_string()))
}

/// Gives somebody access with a password, without a word.
pub(crate) async fn enter(
    store: &Store,
    name: &str,
    role: Role,
    password: &SecretString,
) -> Result<(), Failure> {
    let hash = password::hash(password, &mut rand::rng()).context("no password")?;
    let tx = store.begin().await.map_err(wiring::database_failure)?;
    operators::create(&tx, name, role, Some(&hash), &ACTOR, SystemClock.now())
        .await
        .map_err(wiring::database_failure)?;
    tx.commit().await.context("the operator was not stored")?;
    Ok(())
}

async fn create(
    store: &Store,
    name: &str,
    role: Role,
    hash: Option<&str>,
    output: Output,
) -> Result<(), Failure> {
    if !is_name(name) {
        return Err(Failure::Configuration(format!(
            "`{name}` will not do as a name: use 1 to 64 letters, digits, dots, dashes, underscores or @"
        )));
    }
    let tx = store.begin().await.map_err(wiring::database_failure)?;
    let created = operators::create(&tx, name, role, hash, &ACTOR, SystemClock.now()).await;
    let created = created.map_err(|error| match error {
        StoreError::Conflict { .. } => Failure::Configuration(format!(
            "there is an operator `{name}` already; see `ticketbridge operator list`"
        )),
        other => wiring::database_failure(other),
    })?;
    tx.commit().await.context("the operator was not stored")?;
    output.show(&created, |it| {
        let next = if it.has_password {
            "They log in at /console."
        } else {
            "Make a token with `ticketbridge operator token`."
        };
        format!("{} is {} now. {next}", it.name, it.role)
    });
    Ok(())
}

async fn change(
    store: &Store,
    name: &str,
    change: &OperatorChange,
    told: &str,
    output: Output,
) -> Result<(), Failure> {
    let tx = store.begin().await.map_err(wiring::database_failure)?;
    let found = operators::find(&tx, name).await;
    let found = found.map_err(wiring::database_failure)?;
    if let Some(why) = found.and_then(|it| is_the_providers(&it.origin, change)) {
        return Err(Failure::Configuration(format!("{name} {why}")));
    }
    let changed = operators::change(&tx, name, change, &ACTOR, SystemClock.now())
        .await
        .map_err(wiring::database_failure)?;
    let Some(changed) = changed else {
        return Err(unknown(name));
    };
    tx.commit().await.context("the change was not stored")?;
    output.show(&changed, |_| told.to_owned());
    Ok(())
}

/// Why a change is not for us to make: it would last until the next sign-in, or open a second door.
fn is_the_providers(origin: &Origin, change: &OperatorChange) -> Option<String> {
    let Origin::Oidc { issuer, .. } = origin else {
        return None;
    };
    match change {
        OperatorChange::Role(_) => Some(format!(
            "signs in through {issuer}, whose claims give the role at each sign-in; nothing was changed. Change the groups there, or the \
             map console.oidc.roles"
        )),
        OperatorChange::Password(_) => Some(format!(
            "signs in through {issuer} and has no password; nothing was changed"
        )),
        OperatorChange::Access(_) => None,
    }
}

async fn list(store: &Store, output: Output) -> Result<(), Failure> {
    let all = operators::list(store.conn())
        .await
        .map_err(wiring::database_failure)?;
    output.show(&all, |all| {
        let rows = all.iter().map(|it| {
            vec![
                it.name.clone(),
                it.role.to_string(),
                it.origin.word().to_owned(),
                if it.has_password { "yes" } else { "no" }.to_owned(),
                time(Some(it.created_at)),
                time(it.last_login_at),
                time(it.disabled_at),
            ]
        });
        table(
            &[
                "name",
                "role",
                "source",
                "password",
                "created",
                "last login",
                "disabled",
            ],
            rows,
        )
    });
    Ok(())
}

async fn token(
    store: &Store,
    name: &str,
    label: &str,
    expires_days: Option<u32>,
    output: Output,
) -> Result<(), Failure> {
    let found = operators::find(store.conn(), name)
        .await
        .map_err(wiring::database_failure)?;
    let Some(operator) = found else {
        return Err(unknown(name));
    };
    let now = SystemClock.now();
    let expires_at = expires_days.map(|days| now + TimeDelta::days(i64::from(days)));
    let token = operators::new_token(&mut rand::rng());
    let hash = sources::hash(token.expose_secret());
    let tx = store.begin().await.map_err(wiring::database_failure)?;
    let id = operators::create_token(&tx, name, label, &hash, expires_at, &ACTOR, now)
        .await
        .map_err(wiring::database_failure)?;
    tx.commit().await.context("the token was not stored")?;
    let shown = json!({"id": id, "operator": name, "token": token.expose_secret(), "expires_at": expires_at});
    output.show(&shown, |_| {
        let until = match &operator.origin {
            Origin::Local => String::new(),
            Origin::Oidc { issuer, .. } => format!(
                "\nIt is good for console.oidc.token_days after each sign-in of {name} through {issuer}."
            ),
        };
        format!(
            "{}\n\nThis is the only time it is shown. Give it as --token or TICKETBRIDGE_TOKEN.{until}",
            token.expose_secret()
        )
    });
    Ok(())
}

async fn tokens(store: &Store, output: Output) -> Result<(), Failure> {
    let all = operators::list_tokens(store.conn())
        .await
        .map_err(wiring::database_failure)?;
    output.show(&all, |all| {
        let rows = all.iter().map(|it| {
            vec![
                it.id.to_string(),
                it.operator.clone(),
                it.label.clone(),
                time(Some(it.created_at)),
                time(it.expires_at),
                time(it.revoked_at),
                time(it.last_used_at),
            ]
        });
        table(
            &[
                "id",
                "operator",
                "label",
                "created",
                "expires",
                "revoked",
                "last used",
            ],
            rows,
        )
    });
    Ok(())
}

async fn revoke(store: &Store, id: Uuid, output: Output) -> Result<(), Failure> {
    let tx = store.begin().await.map_err(wiring::database_failure)?;
    let revoked = operators::revoke_token(&tx, id, &ACTOR, SystemClock.now())
        .await
        .map_err(wiring::database_failure)?;
    tx.commit().await.context("the token was not revoked")?;
    if !revoked {
        return Err(Failure::NotFound(format!(
            "no token {id} that is still valid; see `ticketbridge operator tokens`"
        )));
    }
    output.show(&json!({ "revoked": id }), |_| {
        format!("{id} no longer opens anything.")
    });
    Ok(())
}

fn unknown(name: &str) -> Failure {
    Failure::NotFound(format!(
        "there is no operator `{name}`; see `ticketbridge operator list`"
    ))
}

fn time(time: Option<DateTime<Utc>>) -> String {
    time.map(|it| it.format("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default()
}
