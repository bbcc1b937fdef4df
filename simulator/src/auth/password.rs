//! Passwords, and what wrong ones do to an account.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::account::usable;
use crate::world::{Act, World};

/// User name and password of a Basic header's value.
pub(super) fn decode_basic(encoded: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user_name, password) = text.split_once(':')?;
    Some((user_name.to_owned(), password.to_owned()))
}

/// Why a password does not let its user in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    Password,
    Account,
    /// Right password, but a second factor is missing.
    SecondFactor,
}

/// What a right password is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Right {
    pub(super) user_id: String,
    /// A one-time code was appended to the password.
    pub(super) second_factor: bool,
}

/// Checks a password; a wrong one counts towards the lock-out of the account.
pub(super) fn check(
    world: &mut World,
    act: &Act<'_>,
    user_name: &str,
    given: &str,
) -> Result<Right, Wrong> {
    let user = world
        .find("sys_user", "user_name", user_name)
        .ok_or(Wrong::Password)?
        .clone();
    let id = user.sys_id();
    let password = world.passwords.get(id).cloned().ok_or(Wrong::Password)?;
    let code = given
        .strip_prefix(&password)
        .filter(|rest| rest.is_empty() || is_code(rest));
    let Some(code) = code else {
        count_failure(world, act, id, user.number("failed_attempts") + 1);
        return Err(Wrong::Password);
    };
    if !usable(&user) || user.is_true("password_needs_reset") {
        return Err(Wrong::Account);
    }
    if code.is_empty() && act.knobs.mfa_users.iter().any(|name| name == user_name) {
        return Err(Wrong::SecondFactor);
    }
    if user.number("failed_attempts") > 0 {
        quietly(world, act, id, &[("failed_attempts", "0")]);
    }
    Ok(Right {
        user_id: id.to_owned(),
        second_factor: !code.is_empty(),
    })
}

/// One-time codes are not checked against a secret: any six digits are one.
fn is_code(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|digit| digit.is_ascii_digit())
}

fn count_failure(world: &mut World, act: &Act<'_>, id: &str, failures: i64) {
    let limit: i64 = act.knobs.lockout_after.into();
    let count = failures.to_string();
    let locked = limit > 0 && failures >= limit;
    let values = [
        ("failed_attempts", count.as_str()),
        ("locked_out", if locked { "true" } else { "" }),
    ];
    quietly(world, act, id, if locked { &values } else { &values[..1] });
}

fn quietly(world: &mut World, act: &Act<'_>, id: &str, values: &[(&str, &str)]) {
    if let Err(refusal) = world.change(act, "sys_user", id, values) {
        tracing::warn!(
            ?refusal,
            "the log-in counters of a user could not be written"
        );
    }
}
