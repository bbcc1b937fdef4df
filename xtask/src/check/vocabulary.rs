//! Words that must not reach the repository: paths of somebody's own machine, and notes of
//! unfinished work, which belong in an issue.

use super::{Outcome, tracked};
use crate::failure::Failure;

/// Put together from halves, so that this file passes its own check.
const FOLDERS: [&str; 4] = [
    concat!("/", "home/"),
    concat!("/", "Users/"),
    concat!("/", "root/"),
    concat!("/", "work/"),
];
const NOTES: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Texts that are not ours to word.
const FOREIGN: [&str; 2] = ["Cargo.lock", "LICENSE"];

pub(super) fn check() -> Result<Outcome, Failure> {
    let files = tracked::text_files(|path| !FOREIGN.contains(&path))?;
    let mut found = Vec::new();
    for file in &files {
        for (number, line) in (1..).zip(file.text.lines()) {
            if let Some(word) = forbidden(line) {
                found.push(format!("{}:{number}: {word}", file.path));
            }
        }
    }
    Ok(if found.is_empty() {
        Outcome::Passed(format!("{} files", files.len()))
    } else {
        Outcome::Failed(found.join("\n"))
    })
}

fn forbidden(line: &str) -> Option<&'static str> {
    let folder = FOLDERS
        .into_iter()
        .find(|folder| occurs(line, folder, starts_a_path, |after| after.is_some()));
    let no_word = |side: Option<char>| !side.is_some_and(|c| c.is_alphanumeric() || c == '_');
    folder.or_else(|| {
        NOTES
            .into_iter()
            .find(|note| occurs(line, note, no_word, no_word))
    })
}

/// The part of a longer path or of an address is something else.
fn starts_a_path(before: Option<char>) -> bool {
    !before.is_some_and(|c| c.is_alphanumeric() || "_-./}~*".contains(c))
}

fn occurs(
    line: &str,
    word: &str,
    before: impl Fn(Option<char>) -> bool,
    after: impl Fn(Option<char>) -> bool,
) -> bool {
    line.match_indices(word).any(|(start, _)| {
        before(line[..start].chars().next_back())
            && after(line[start + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::{FOLDERS, NOTES, forbidden};

    #[test]
    fn a_path_of_somebodys_machine_is_found_wherever_it_begins() {
        for folder in FOLDERS {
            for line in [
                format!("{folder}x"),
                format!("include(\"{folder}x\")"),
                format!("COPY={folder}x"),
            ] {
                assert_eq!(forbidden(&line), Some(folder), "{line}");
            }
        }
    }

    #[test]
    fn a_folder_of_the_project_and_an_address_are_no_such_path() {
        for folder in FOLDERS {
            for line in [
                format!("src{folder}x"),
                format!("https://a.example{folder}"),
            ] {
                assert_eq!(forbidden(&line), None, "{line}");
            }
        }
    }

    #[test]
    fn a_note_of_unfinished_work_is_a_word_of_its_own() {
        for note in NOTES {
            assert_eq!(forbidden(&format!("// {note}: later")), Some(note));
            assert_eq!(forbidden(&format!("{note}S")), None);
            assert_eq!(forbidden(&note.to_lowercase()), None);
        }
    }
}
