//! Compares what was sent with the echo: an instance drops values without a word (wire contract 2.6, 2.9).

use crate::fields::Fields;
use crate::record::Record;

/// Journal columns read back empty, whatever was written (wire contract 2.7).
const JOURNALS: [&str; 4] = [
    "comments",
    "work_notes",
    "comments_and_work_notes",
    "approval_history",
];
/// A mangled character of four bytes reads back as at most so many characters (`&#x1F600;` and the like).
const MANGLED_LENGTH: usize = 12;

/// A field that did not come back as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub field: String,
    pub sent: String,
    /// `None` when the echo lacks the column: it does not exist or the account may not read it.
    pub got: Option<String>,
}

/// What happened to the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// The echo lacks the column.
    Absent,
    /// The field is empty: not writable for the account, or an unknown choice value.
    Dropped,
    /// The text was cut at the length of the column.
    Truncated,
    /// Another value: the old one was kept, or a rule of the instance overruled it.
    Changed,
}

impl Difference {
    pub fn kind(&self) -> DifferenceKind {
        let Some(got) = self.got.as_deref().map(normalised) else {
            return DifferenceKind::Absent;
        };
        if got.is_empty() {
            DifferenceKind::Dropped
        } else if normalised(&self.sent).starts_with(&got) {
            DifferenceKind::Truncated
        } else {
            DifferenceKind::Changed
        }
    }
}

impl Record {
    /// The fields of `sent` that this echo does not confirm. Line ends and surrounding blanks do not count, empty
    /// equals absent for a field that was cleared, journal columns are left out, and characters outside the basic
    /// plane may be mangled (wire contract 1.5).
    pub fn differences(&self, sent: &Fields) -> Vec<Difference> {
        sent.iter()
            .filter(|(field, _)| !JOURNALS.contains(field))
            .filter_map(|(field, value)| {
                let got = self.field(field).map(|echo| echo.text().to_owned());
                let same = same_text(value, got.as_deref().unwrap_or_default());
                (!same).then(|| Difference {
                    field: field.to_owned(),
                    sent: value.to_owned(),
                    got,
                })
            })
            .collect()
    }
}

fn same_text(sent: &str, got: &str) -> bool {
    let (sent, got) = (normalised(sent), normalised(got));
    sent == got || same_but_mangled(&sent, &got)
}

/// Line ends as `\n`, no blanks at the end of lines and around the text.
fn normalised(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim().to_owned()
}

/// Whether the texts agree in everything but runs of four-byte characters, which an old column cannot hold.
fn same_but_mangled(sent: &str, got: &str) -> bool {
    let is_wide = |character: char| u32::from(character) > 0xFFFF;
    let wide = sent.chars().filter(|character| is_wide(*character)).count();
    if wide == 0 {
        return false;
    }
    let mut rest = got;
    for (index, piece) in sent.split(is_wide).map(str::trim).enumerate() {
        if piece.is_empty() {
            continue;
        }
        let Some(place) = rest.find(piece) else {
            return false;
        };
        let gap = rest[..place].trim();
        let allowed = if index == 0 { 0 } else { wide * MANGLED_LENGTH };
        if !is_mangled(gap, allowed) {
            return false;
        }
        rest = &rest[place + piece.len()..];
    }
    let ends_wide = sent.chars().next_back().is_some_and(is_wide);
    let allowed = if ends_wide { wide * MANGLED_LENGTH } else { 0 };
    is_mangled(rest.trim(), allowed)
}

/// Replacement characters, question marks, or numeric character references.
fn is_mangled(gap: &str, allowed: usize) -> bool {
    gap.chars().count() <= allowed
        && gap.chars().all(|character| {
            matches!(character, '?' | '\u{FFFD}' | '&' | '#' | ';' | 'x' | ' ')
                || character.is_ascii_hexdigit()
                || u32::from(character) > 0xFFFF
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::field_value::FieldValue;

    fn echo(fields: &[(&str, &str)]) -> Record {
        fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), FieldValue::plain(*value)))
            .collect()
    }

    fn compared(sent: &str, got: Option<&str>) -> Option<DifferenceKind> {
        let record = got.map_or_else(Record::default, |got| echo(&[("description", got)]));
        let found = record.differences(&Fields::new().with("description", sent));
        found.first().map(Difference::kind)
    }

    #[test]
    fn harmless_changes_are_no_difference() {
        for (sent, got) in [
            ("a\nb", "a\r\nb"),
            ("a\rb", "a\nb"),
            (" a  \n", "a"),
            ("a  \nb", "a\nb"),
            ("", ""),
            ("done \u{1F600} now", "done ? now"),
            ("done \u{1F600}\u{1F600}", "done \u{FFFD}\u{FFFD}"),
            ("\u{1F600} done", "&#128512; done"),
            ("done \u{1F600}", "done"),
        ] {
            assert_eq!(compared(sent, Some(got)), None, "{sent:?} {got:?}");
        }
        assert_eq!(compared("", None), None);
    }

    #[test]
    fn each_kind_of_loss_is_found() {
        assert_eq!(compared("a", None), Some(DifferenceKind::Absent));
        assert_eq!(compared("a", Some("")), Some(DifferenceKind::Dropped));
        assert_eq!(
            compared("a long text", Some("a long")),
            Some(DifferenceKind::Truncated)
        );
        assert_eq!(compared("6", Some("2")), Some(DifferenceKind::Changed));
        assert_eq!(compared("", Some("kept")), Some(DifferenceKind::Changed));
        assert_eq!(
            compared("done \u{1F600} now", Some("done ? later")),
            Some(DifferenceKind::Changed)
        );
        assert_eq!(
            compared("done \u{1F600}", Some("done zzz")),
            Some(DifferenceKind::Changed)
        );
    }

    #[test]
    fn journals_are_left_out_and_references_compare_by_id() {
        let record: Record = serde_json::from_str(
            r#"{"comments":"","caller_id":{"display_value":"Ann Example","value":"62826b"}}"#,
        )
        .unwrap();
        let sent = Fields::new()
            .with("comments", "hello")
            .with("work_notes", "hello")
            .with("caller_id", "62826b");
        assert_eq!(record.differences(&sent), []);
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let record = echo(&[("state", "2"), ("impact", "3")]);
        let sent = Fields::new().with("state", "6").with("impact", "3");
        assert_eq!(
            record.differences(&sent),
            [Difference {
                field: "state".to_owned(),
                sent: "6".to_owned(),
                got: Some("2".to_owned()),
            }]
        );
    }

    proptest! {
        #[test]
        fn an_exact_echo_never_differs(value in "\\PC{0,80}") {
            prop_assert_eq!(compared(&value, Some(&value)), None);
        }

        #[test]
        fn other_line_ends_never_differ(lines in prop::collection::vec("[a-z ]{0,10}", 0..6)) {
            prop_assert_eq!(compared(&lines.join("\n"), Some(&lines.join("\r\n"))), None);
        }

        #[test]
        fn another_word_always_differs(sent in "[a-m]{1,20}", got in "[n-z]{1,20}") {
            prop_assert!(compared(&sent, Some(&got)).is_some());
        }
    }
}
