//! What the machine must have before anything is built, and how it gets there.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{packages, programs};
use crate::environment;
use crate::failure::{During, Failure};

/// The relay pops with LMPOP, which came with this major version.
const OLDEST_REDIS: u32 = 7;

/// The servers that the tests start.
pub(crate) struct Programs {
    pub(crate) redis_server: PathBuf,
    pub(crate) postgres_folder: PathBuf,
}

/// A program, by its name in `PATH` or its path, and the Debian package that has it.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
}

/// Finds all that is needed, installs what is missing where that is allowed, else says how.
pub(crate) fn satisfy() -> Result<Programs, Failure> {
    satisfy_with(&[])
}

/// The same with more programs.
pub(crate) fn satisfy_with(more: &[Program]) -> Result<Programs, Failure> {
    let mut missing = missing();
    let lacking = more.iter().filter(|it| programs::find(it.name).is_none());
    missing.extend(lacking.map(|it| it.package));
    if !missing.is_empty() {
        packages::install(&missing)?;
    }
    let (Some(redis_server), Some(postgres_folder)) =
        (programs::find("redis-server"), programs::postgres_folder())
    else {
        return Err(Failure::usage(
            "redis-server or PostgreSQL is still missing after the installation",
        ));
    };
    refuse_old_redis(&redis_server)?;
    Ok(Programs {
        redis_server,
        postgres_folder,
    })
}

/// The Debian packages for what is missing.
fn missing() -> Vec<&'static str> {
    let mut missing = Vec::new();
    if programs::find("redis-server").is_none() {
        missing.push("redis-server");
    }
    if programs::postgres_folder().is_none() {
        missing.push("postgresql");
    }
    // The console is tested in a real browser.
    if ["chromium", "google-chrome"]
        .iter()
        .all(|name| programs::find(name).is_none())
    {
        missing.push("chromium");
    }
    if programs::find("chromedriver").is_none() {
        missing.push("chromium-driver");
    }
    if !has_c_compiler() || programs::find("make").is_none() {
        missing.push("build-essential");
    }
    missing
}

/// SQLite and the allocator are compiled from their C sources; without a compiler that fails late and unreadably.
fn has_c_compiler() -> bool {
    environment::c_compiler().is_some()
        || ["cc", "gcc", "clang"]
            .iter()
            .any(|name| programs::find(name).is_some())
}

fn refuse_old_redis(redis_server: &Path) -> Result<(), Failure> {
    let output = Command::new(redis_server)
        .arg("--version")
        .output()
        .during("redis-server --version")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match redis_major(&text) {
        Some(major) if major >= OLDEST_REDIS => Ok(()),
        _ => Err(Failure::usage(format!(
            "{} is too old: Redis {OLDEST_REDIS} or later is needed, it says: {}",
            redis_server.display(),
            text.trim()
        ))),
    }
}

fn redis_major(version: &str) -> Option<u32> {
    let (_, rest) = version.split_once("v=")?;
    rest.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::redis_major;

    #[test]
    fn the_version_is_read_from_what_the_server_prints() {
        let printed = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64";
        assert_eq!(redis_major(printed), Some(7));
        assert_eq!(redis_major("redis-server: not found"), None);
    }
}
