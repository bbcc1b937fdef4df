//! Watches the credentials: warns before one dies, and tells when an instance begins to refuse one (N13).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use servicenow_client::LogIns;
use shared::budget::Class;
use shared::config::{ConnectionSettings, CredentialEnd};
use shared::store::credentials::{self, Seen};
use shared::store::{StoreError, sources};
use tracing::warn;

use crate::connections::Connection;
use crate::context::Context;
use crate::trace;

/// One look at all connections.
pub async fn tick(ctx: &Context) -> Result<(), StoreError> {
    for connection in ctx.connections.iter() {
        look(ctx, connection).await?;
    }
    Ok(())
}

async fn look(ctx: &Context, connection: &Connection) -> Result<(), StoreError> {
    let (name, now) = (connection.name.as_str(), ctx.clock.now());
    let log_ins = connection.client(Class::Push).take_log_ins();
    trace::refused_log_ins(name, log_ins.refused);
    let fingerprint = fingerprint(&connection.settings);
    let tx = ctx.store.begin().await?;
    credentials::note(&tx, &seen(name, &fingerprint, log_ins), now).await?;
    let known = credentials::get(&tx, name).await?;
    let first_worked_at = known.and_then(|known| known.first_worked_at);
    let end = connection.settings.credential_end(first_worked_at);
    let threshold = end.and_then(|end| end.threshold(now));
    let is_news = credentials::crossed(&tx, name, threshold).await?;
    tx.commit().await?;
    if let Some(end) = end {
        trace::credential_days_left(name, end.days_left(now));
        if is_news && threshold.is_some() {
            warned(name, end, now);
        }
    }
    Ok(())
}

fn seen<'a>(connection: &'a str, fingerprint: &'a str, log_ins: LogIns) -> Seen<'a> {
    Seen {
        connection,
        fingerprint,
        worked_at: log_ins.worked_at,
        refused_at: log_ins.refused_at,
        refused: i64::try_from(log_ins.refused).unwrap_or(i64::MAX),
    }
}

/// A few bytes of the hash: enough to see that another token is in its place, and no help to find it.
fn fingerprint(settings: &ConnectionSettings) -> String {
    let given = settings.stored_refresh_token();
    let token = given.as_ref().or(settings.refresh_token.as_ref());
    let hash = token.map(|token| sources::hash(token.expose_secret()));
    hash.map_or_else(String::new, |hash| STANDARD_NO_PAD.encode(&hash[..6]))
}

fn warned(connection: &str, end: CredentialEnd, now: DateTime<Utc>) {
    let (ends_at, days_left) = (end.at, end.days_left(now));
    if end.is_configured {
        warn!(
            connection, %ends_at, days_left,
            "the credential dies: replace it and set credential_expires_on anew"
        );
    } else {
        warn!(
            connection, %ends_at, days_left,
            "the refresh token dies: authorize anew and put the new token into refresh_token_file, where it is found without a restart"
        );
    }
}
