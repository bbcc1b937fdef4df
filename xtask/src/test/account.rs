//! PostgreSQL refuses to run as root, so root lends it another account.

use std::process::Command;

use crate::failure::{During, Failure};

/// Who may own a server when the task itself runs as root, the most fitting first.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// A user and its first group.
#[derive(Clone, Copy)]
pub(crate) struct Account {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

/// The account for a server, or nothing when our own will do.
pub(crate) fn for_server() -> Result<Option<Account>, Failure> {
    if !is_root()? {
        return Ok(None);
    }
    for name in CANDIDATES {
        if let (Some(user), Some(group)) = (id("-u", Some(name))?, id("-g", Some(name))?) {
            return Ok(Some(Account { user, group }));
        }
    }
    Err(Failure::usage(
        "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody",
    ))
}

pub(crate) fn is_root() -> Result<bool, Failure> {
    Ok(id("-u", None)? == Some(0))
}

fn id(what: &str, name: Option<&str>) -> Result<Option<u32>, Failure> {
    let output = Command::new("id")
        .arg(what)
        .args(name)
        .output()
        .during("id")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse().ok())
}
