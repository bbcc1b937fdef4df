//! What commands print: JSON with `--json`, else text; colours only where a terminal shows them.

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Prints `value` as JSON, or what `text` makes of it.
    pub(crate) fn show<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) {
        if self.json {
            let json =
                serde_json::to_string_pretty(value).expect("printed values have string keys");
            anstream::println!("{json}");
        } else {
            anstream::println!("{}", text(value).trim_end());
        }
    }

    /// Prints a line that is for people only.
    pub(crate) fn note(self, line: &str) {
        if !self.json {
            anstream::println!("{line}");
        }
    }
}

/// A table with these headings, as wide as the terminal.
pub(crate) fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}

/// The text of a JSON value in a table cell; nothing for null.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `text` in the colour of what it says.
pub(crate) fn coloured(text: &str, mood: Mood) -> String {
    let colour = match mood {
        Mood::Good => AnsiColor::Green,
        Mood::Busy => AnsiColor::Cyan,
        Mood::Bad => AnsiColor::Red,
        Mood::Warn => AnsiColor::Yellow,
    };
    let style = Style::new().fg_color(Some(colour.into()));
    format!("{style}{text}{style:#}")
}

/// What a word tells the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Good,
    Busy,
    Warn,
    Bad,
}

/// The mood of a request state.
pub(crate) fn mood_of_state(state: &str) -> Mood {
    match state {
        "fulfilled" => Mood::Good,
        "denied" => Mood::Bad,
        "cancelled" | "on_hold" => Mood::Warn,
        _ => Mood::Busy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let rows = [
            vec!["INC0010001".into(), "open".into()],
            vec!["INC2".into(), "fulfilled".into()],
        ];
        insta::assert_snapshot!(table(&["number", "state"], rows), @"
        NUMBER      STATE
        INC0010001  open
        INC2        fulfilled
        ");
    }

    #[test]
    fn null_is_an_empty_cell() {
        assert_eq!(cell(&Value::Null), "");
        assert_eq!(cell(&serde_json::json!(3)), "3");
        assert_eq!(cell(&serde_json::json!("a")), "a");
    }
}
