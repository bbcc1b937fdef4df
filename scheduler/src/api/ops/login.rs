//! Logging in with a name and a password.

use std::sync::Arc;

use chrono::TimeDelta;
use secrecy::SecretString;
use shared::password;
use shared::store::{StoreError, operators};

use super::cookie::SessionSecret;
use crate::Scheduler;
use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;

/// Opens a session. Who guesses waits: five refusals of a name or an address, then one try in five minutes.
pub(crate) async fn log_in(
    scheduler: &Arc<Scheduler>,
    name: &str,
    password: SecretString,
    address: &str,
) -> Result<SessionSecret, Problem> {
    if !scheduler.settings.console.password_login {
        let detail = "Passwords are switched off here (console.password_login). Sign in through the identity provider; programs use tokens.";
        return Err(Problem::new(Kind::PasswordsOff, detail));
    }
    let (conn, now) = (scheduler.store.conn(), scheduler.now());
    let subjects = [format!("name:{name}"), format!("address:{address}")];
    if let Some(until) = operators::refused_until(conn, &subjects, now).await? {
        return Err(too_many(until - now));
    }
    let stored = operators::password_hash(conn, name).await?;
    let fits = fits(scheduler, password, stored).await;
    if !fits {
        operators::refuse(conn, &subjects, now).await?;
        tracing::warn!(operator = name, address, "a log-in was refused");
        let detail = "The name or the password is not right, or the access was taken away. Try again; an administrator can set a \
                      new password with `ticketbridge operator password`.";
        return Err(Problem::new(Kind::LoginRefused, detail));
    }
    Ok(open(scheduler, name, address, "password").await?)
}

/// Opens a session for somebody whose identity is proven.
pub(crate) async fn open(
    scheduler: &Scheduler,
    name: &str,
    address: &str,
    way: &str,
) -> Result<SessionSecret, StoreError> {
    let now = scheduler.now();
    let secret = SessionSecret::new(&mut rand::rng());
    let expires_at = now + scheduler.settings.console.session();
    let tx = scheduler.store.begin().await?;
    operators::open(&tx, &secret.hash(), name, address, expires_at, now).await?;
    operators::logged_in(&tx, name, address, way, now).await?;
    // The address stays: others may be guessing from it.
    operators::forget_refusals(&tx, Some(&format!("name:{name}")), now).await?;
    tx.commit().await.map_err(StoreError::from)?;
    Ok(secret)
}

/// A name that nobody has takes as long as one that somebody has. Off the threads that answer others: it is slow on purpose.
async fn fits(scheduler: &Scheduler, password: SecretString, stored: Option<String>) -> bool {
    // One at a time: each takes 19 MiB and tens of milliseconds of a core.
    let _turn = scheduler.logins.lock().await;
    let checked = tokio::task::spawn_blocking(move || {
        let stored = stored.as_deref().unwrap_or(password::NOBODY);
        password::verify(&password, stored)
    });
    checked.await.unwrap_or(false)
}

fn too_many(wait: TimeDelta) -> Problem {
    let seconds = wait.num_seconds().max(1);
    let detail = format!(
        "Too many log-ins were refused for this name or from this address. Wait {seconds} s, then try once more."
    );
    Problem::new(Kind::TooManyLogins, detail)
        .with_header(axum::http::header::RETRY_AFTER, &seconds.to_string())
}
