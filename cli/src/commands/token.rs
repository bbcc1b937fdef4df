//! `token create|list|revoke`: what sources call the API with.

use std::path::PathBuf;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret as _;
use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use shared::store::audit::{self, Actor, Entry};
use shared::store::sources::{self, TokenRow};
use shared::store::{Store, Tx};
use uuid::Uuid;

use crate::args::Token;
use crate::exit::Failure;
use crate::output::{Output, table};
use crate::wiring;

pub(crate) async fn run(
    config: Option<PathBuf>,
    command: Token,
    output: Output,
) -> Result<(), Failure> {
    let settings = wiring::settings(config)?;
    let store = match command {
        Token::List => wiring::connect_to_read(&settings).await?,
        Token::Create { .. } | Token::Revoke { .. } => wiring::connect_migrated(&settings).await?,
    };
    match command {
        Token::Create {
            source,
            label,
            expires_days,
        } => {
            if !settings.sources.contains_key(&source) {
                let known: Vec<_> = settings.sources.keys().map(String::as_str).collect();
                let known = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                return Err(Failure::NotFound(format!(
                    "no [sources.{source}] in the configuration (there is: {known}); add it before making a token for it"
                )));
            }
            create(&store, &source, &label, expires_days, output).await
        }
        Token::List => list(&store, output).await,
        Token::Revoke { id } => revoke(&store, id, output).await,
    }
}

async fn create(
    store: &Store,
    source: &str,
    label: &str,
    expires_days: Option<u32>,
    output: Output,
) -> Result<(), Failure> {
    let expires_at = expires_days.map(|days| SystemClock.now() + TimeDelta::days(i64::from(days)));
    let (id, token) = issue(store, source, label, expires_at).await?;
    output.show(&json!({"id": id, "source": source, "token": token, "expires_at": expires_at}), |_| {
        format!("{token}\n\nThis is the only time it is shown. Send it as `Authorization: Bearer …`.")
    });
    Ok(())
}

/// Makes and stores a token; gives its id and its text.
pub(crate) async fn issue(
    store: &Store,
    source: &str,
    label: &str,
    expires_at: Option<DateTime<Utc>>,
) -> Result<(Uuid, String), Failure> {
    let token = sources::new_token(&mut rand::rng());
    let hash = sources::hash(token.expose_secret());
    let tx = store.begin().await.map_err(wiring::database_failure)?;
    let row = sources::create_token(&tx, source, label, &hash, expires_at, SystemClock.now())
        .await
        .map_err(wiring::database_failure)?;
    tell(&tx, "source.token_created", &row).await?;
    tx.commit().await.context("the token was not stored")?;
    Ok((row.id, token.expose_secret().to_owned()))
}

async fn list(store: &Store, output: Output) -> Result<(), Failure> {
    let tokens = sources::list_tokens(store.conn())
        .await
        .map_err(wiring::database_failure)?;
    let time = |time: Option<DateTime<Utc>>| {
        time.map(|it| it.format("%Y-%m-%d %H:%M").to_string())
            .unwrap_or_default()
    };
    let rows = |()| {
        tokens.iter().map(|it| {
            vec![
                it.id.to_string(),
                it.source.clone(),
                it.label.clone(),
                time(Some(it.created_at)),
                time(it.expires_at),
                time(it.revoked_at),
            ]
        })
    };
    output.show(&tokens, |_| {
        table(
            &["id", "source", "label", "created", "expires", "revoked"],
            rows(()),
        )
    });
    Ok(())
}

async fn revoke(store: &Store, id: Uuid, output: Output) -> Result<(), Failure> {
    let tx = store.begin().await.map_err(wiring::database_failure)?;
    let revoked = sources::revoke_token(&tx, id, SystemClock.now())
        .await
        .map_err(wiring::database_failure)?;
    let all = sources::list_tokens(&tx)
        .await
        .map_err(wiring::database_failure)?;
    let Some(row) = all.into_iter().find(|it| revoked && it.id == id) else {
        return Err(Failure::NotFound(format!(
            "no token {id} that is still valid; see `ticketbridge token list`"
        )));
    };
    tell(&tx, "source.token_revoked", &row).await?;
    tx.commit().await.context("the token was not revoked")?;
    output.show(&json!({ "revoked": id }), |_| {
        format!("{id} no longer opens anything.")
    });
    Ok(())
}

/// Leaves an entry in the audit trail, in the transaction of the deed.
async fn tell(tx: &Tx, action: &str, row: &TokenRow) -> Result<(), Failure> {
    let entry = Entry {
        actor: &Actor::System("command-line"),
        action,
        subject_kind: "source",
        subject_id: &row.source,
        from: None,
        to: None,
        reason: None,
        detail: json!({ "token": row.id, "label": row.label, "expires_at": row.expires_at }),
    };
    audit::append(tx, &entry, SystemClock.now())
        .await
        .map_err(wiring::database_failure)
}
