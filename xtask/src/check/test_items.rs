//! Takes out of a source file what is compiled for tests only.

use std::path::{Path, PathBuf};

use super::functions::{body, line_of};

const MARK: &str = "#[cfg(test)]";

/// A masked source without its test items.
pub(super) struct Stripped {
    /// Test items are blanked; line breaks stay.
    pub(super) masked: String,
    /// How many lines are left.
    pub(super) lines: usize,
    /// Names of the modules that are declared for tests and have files of their own.
    pub(super) test_modules: Vec<String>,
}

/// Blanks all items marked `#[cfg(test)]` in a masked source (see [`super::mask`]).
pub(super) fn strip(masked: &str) -> Stripped {
    let mut stripped = Stripped {
        masked: masked.to_owned(),
        lines: masked.lines().count(),
        test_modules: Vec::new(),
    };
    let mut from = 0;
    while let Some(found) = masked[from..].find(MARK) {
        let start = from + found;
        let end = item_end(masked, start + MARK.len());
        let item = &masked[start + MARK.len()..end];
        stripped.test_modules.extend(declared_module(item));
        stripped.lines -= line_of(masked, end - 1) - line_of(masked, start) + 1;
        stripped
            .masked
            .replace_range(start..end, &blank(&masked[start..end]));
        from = end;
    }
    stripped
}

/// The files of a module that is declared in a source file: `name.rs`, or all below `name/`.
pub(super) fn module_files(declared_in: &Path, name: &str) -> [PathBuf; 2] {
    let folder = declared_in.parent().unwrap_or(Path::new(""));
    let stem = declared_in.file_stem().unwrap_or_default();
    let folder = if ["lib", "main", "mod"].iter().any(|root| stem == *root) {
        folder.to_path_buf()
    } else {
        folder.join(stem)
    };
    [folder.join(name).with_extension("rs"), folder.join(name)]
}

/// One past the last byte of the item that follows its attribute.
fn item_end(masked: &str, from: usize) -> usize {
    match body(masked, from) {
        Some((_, close)) => {
            let rest = &masked[close + 1..];
            // `use a::{b, c};` has braces and a semicolon.
            close + 1 + usize::from(rest.starts_with(';'))
        }
        None => masked[from..]
            .find(';')
            .map_or(masked.len(), |at| from + at + 1),
    }
}

/// `pub(crate) mod name;`, after further attributes or none.
fn declared_module(item: &str) -> Option<String> {
    let declaration = item.trim().strip_suffix(';')?;
    let (before, name) = declaration.rsplit_once(char::is_whitespace)?;
    before.ends_with("mod").then(|| name.to_owned())
}

fn blank(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::super::mask::mask;
    use super::{module_files, strip};

    #[test]
    fn test_items_are_not_counted_wherever_they_stand() {
        let source = "\
use a::b;
#[cfg(test)]
use a::{c, d};
fn kept() {}

#[cfg(test)]
#[path = \"x\"]
mod fixtures;

#[cfg(test)]
mod tests {
    fn not_counted() {
        let text = \"}\";
    }
}
";
        let stripped = strip(&mask(source));
        assert_eq!(stripped.lines, 4);
        assert_eq!(stripped.test_modules, ["fixtures"]);
        assert!(stripped.masked.contains("kept"));
        assert!(!stripped.masked.contains("not_counted"));
    }

    #[test]
    fn a_file_without_tests_is_as_long_as_it_is() {
        assert_eq!(strip("fn a() {\n}\n").lines, 2);
    }

    #[test]
    fn modules_lie_beside_a_root_and_below_all_other_files() {
        let files = |path| module_files(Path::new(path), "cases");
        let expected = |path: &str| [PathBuf::from(format!("{path}.rs")), PathBuf::from(path)];
        assert_eq!(files("a/src/lib.rs"), expected("a/src/cases"));
        assert_eq!(files("a/src/x/mod.rs"), expected("a/src/x/cases"));
        assert_eq!(files("a/src/x.rs"), expected("a/src/x/cases"));
    }
}
