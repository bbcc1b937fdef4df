use std::path::PathBuf;

use super::*;

mod alerts;
mod layering;
mod manual;
mod problems;
mod processes;
mod secrets;

/// A file with this text, in a folder that goes away with the second value.
fn file(text: &str) -> (PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bridge.toml");
    std::fs::write(&path, text).unwrap();
    (path, folder)
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// Loads a file with this text under these variables.
fn load(text: &str, environment: &[(&str, &str)]) -> Result<Settings, Problems> {
    let (path, _folder) = file(text);
    Settings::load(&Layers {
        file: Some(path),
        environment: pairs(environment),
        ..Layers::default()
    })
}

/// The problems of a configuration as people see them, with a stable name for the file.
fn told(text: &str, environment: &[(&str, &str)], overrides: &[(&str, &str)]) -> String {
    let (path, folder) = file(text);
    let layers = Layers {
        file: Some(path),
        environment: pairs(environment),
        overrides: pairs(overrides),
        ..Layers::default()
    };
    let problems = Settings::load(&layers).unwrap_err();
    problems
        .to_string()
        .replace(&folder.path().display().to_string(), "/etc")
}
