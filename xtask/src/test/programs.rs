//! Where the programs are that the tests need.

use std::fs;
use std::path::{Path, PathBuf};

use crate::environment;

/// Debian and Ubuntu keep the servers out of `PATH`, one folder for each major version.
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";

/// A program in `PATH`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    environment::search_path()
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// The folder that holds `initdb` and `postgres`: the one in `PATH`, else Debian's newest.
pub(crate) fn postgres_folder() -> Option<PathBuf> {
    environment::search_path()
        .into_iter()
        .chain(installed_versions(Path::new(DEBIAN_POSTGRES)))
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

fn installed_versions(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    newest_first(names)
        .into_iter()
        .map(|version| folder.join(version).join("bin"))
        .collect()
}

fn newest_first(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut versions: Vec<(Vec<u32>, String)> = names
        .filter_map(|name| {
            let numbers = name.split('.').map(str::parse).collect::<Result<_, _>>();
            Some((numbers.ok()?, name))
        })
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::newest_first;

    #[test]
    fn versions_are_numbers_not_words() {
        let names = ["9.6", "15", "common", "17", "9.10"].map(str::to_owned);
        assert_eq!(
            newest_first(names.into_iter()),
            ["17", "15", "9.10", "9.6"].map(str::to_owned)
        );
    }
}
