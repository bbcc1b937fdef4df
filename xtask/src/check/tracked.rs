//! The files of the project as git sees them: committed or about to be, never what is ignored.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::environment;
use crate::failure::{During, Failure};

/// A text file and its path from the root, with forward slashes.
pub(crate) struct TextFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All text files whose path the filter accepts. Files that are not UTF-8 are no text.
pub(crate) fn text_files(accepts: impl Fn(&str) -> bool) -> Result<Vec<TextFile>, Failure> {
    let root = environment::root();
    let mut files = Vec::new();
    for path in paths()?.into_iter().filter(|path| accepts(path)) {
        let full: PathBuf = root.join(&path);
        if !full.is_file() {
            continue; // Deleted here, and not yet from the index.
        }
        let bytes = fs::read(&full).during(&path)?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(TextFile { path, text });
        }
    }
    Ok(files)
}

fn paths() -> Result<Vec<String>, Failure> {
    let mut command = Command::new("git");
    environment::at_root(&mut command);
    let output = command
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .output()
        .during("git ls-files")?;
    if !output.status.success() {
        return Err(Failure::broken(format!(
            "git ls-files: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .split_terminator('\0')
        .map(str::to_owned)
        .collect())
}
