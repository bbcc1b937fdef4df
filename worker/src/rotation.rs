//! A refresh token that the instance replaced: it is kept in the file of the old one, or the next start logs in with a dead one
//! (N13).

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use secrecy::{ExposeSecret as _, SecretString};
use servicenow_client::{ClientOptions, RefreshTokenHook, RefreshTokenSource};
use shared::config::{Auth, ConnectionSettings};
use tracing::{error, info};
use uuid::Uuid;

/// Says what is done with each new refresh token of a connection, and where a newer one may be found. Where a password stands
/// behind it, a lost one is asked for anew.
pub(crate) fn kept(
    connection: &str,
    settings: &ConnectionSettings,
    options: ClientOptions,
) -> ClientOptions {
    if settings.auth != Auth::RefreshToken {
        return options;
    }
    ClientOptions {
        on_refresh_token: Some(hook(connection, settings)),
        refresh_token_source: Some(source(settings)),
        ..options
    }
}

fn source(settings: &ConnectionSettings) -> RefreshTokenSource {
    let settings = settings.clone();
    Arc::new(move || settings.stored_refresh_token())
}

fn hook(connection: &str, settings: &ConnectionSettings) -> RefreshTokenHook {
    let connection = connection.to_owned();
    let file = settings.refresh_token_file.clone();
    let told = AtomicBool::new(false);
    Arc::new(move |token| {
        let kept = match &file {
            Some(file) => keep(file, token),
            None => Err(io::Error::other(
                "the configuration names no refresh_token_file",
            )),
        };
        match kept {
            Ok(()) => {
                told.store(false, Ordering::Relaxed);
                info!(
                    connection,
                    "the instance has replaced the refresh token; it is kept"
                );
            }
            // It happens again at each refresh.
            Err(_) if told.swap(true, Ordering::Relaxed) => {}
            Err(error) => error!(
                connection,
                %error,
                "the instance has replaced the refresh token and it cannot be kept: it is lost when this process ends, and no \
                 other can log in. Name a refresh_token_file which, with its folder, this process may write, and put a new token there"
            ),
        }
    })
}

/// Whole or not at all: written beside the file, with its permissions, and put in its place.
fn keep(file: &Path, token: &SecretString) -> io::Result<()> {
    // A link stays one.
    let file = fs::canonicalize(file)?;
    let known = fs::metadata(&file)?;
    if known.permissions().readonly() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the file is read-only",
        ));
    }
    let beside = file.with_file_name(format!(".refresh-token-{}", Uuid::now_v7().simple()));
    let written =
        write(&beside, known.permissions(), token).and_then(|()| fs::rename(&beside, &file));
    if written.is_err() {
        // The first error counts; there may be nothing to take away.
        drop(fs::remove_file(&beside));
    }
    written
}

fn write(beside: &Path, permissions: fs::Permissions, token: &SecretString) -> io::Result<()> {
    let mut new = fs::File::create_new(beside)?;
    new.set_permissions(permissions)?;
    new.write_all(token.expose_secret().as_bytes())?;
    new.sync_all()
}
