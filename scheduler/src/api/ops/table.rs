//! Rows as a file: CSV that a spreadsheet takes for no formula, or one JSON object a line.

use std::str::FromStr;

use serde_json::Value;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Jsonl,
}

/// Writes rows, which are JSON objects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    format: Format,
    columns: &'static [&'static str],
}

impl Table {
    pub(crate) fn new(format: Format, columns: &'static [&'static str]) -> Self {
        Self { format, columns }
    }

    /// What stands before the first row.
    pub(crate) fn head(self) -> Vec<u8> {
        match self.format {
            Format::Csv => line(self.columns.iter().map(|name| (*name).to_owned())),
            Format::Jsonl => Vec::new(),
        }
    }

    /// Some rows.
    pub(crate) fn rows(self, rows: &[Value]) -> Vec<u8> {
        let of = |row: &Value| match self.format {
            Format::Csv => line(self.columns.iter().map(|column| cell(&row[*column]))),
            Format::Jsonl => format!("{row}\n").into_bytes(),
        };
        rows.iter().flat_map(of).collect()
    }
}

impl Format {
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Jsonl => "application/x-ndjson",
        }
    }
}

impl FromStr for Format {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::Jsonl),
            _ => Err(()),
        }
    }
}

fn line(cells: impl Iterator<Item = String>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    // Writing into memory does not fail.
    let written = writer.write_record(cells.map(|text| safe(&text)));
    match written.and_then(|()| {
        Ok(writer
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?)
    }) {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::error!(%error, "a row cannot be written as CSV; this is a defect");
            Vec::new()
        }
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Spreadsheets run a cell that begins so; a quote before it keeps it a text (OWASP, CSV injection).
fn safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const COLUMNS: [&str; 3] = ["id", "error", "payload"];

    fn csv_of(rows: &[Value]) -> String {
        let table = Table::new(Format::Csv, &COLUMNS);
        let mut bytes = table.head();
        bytes.extend(table.rows(rows));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_file_reads_as_it_was_written() {
        let rows = [
            json!({"id": "1", "error": "=cmd|'/c calc'!A1", "payload": {"a": 1}}),
            json!({"id": "2", "error": "he said \"no\",\nthen", "payload": null}),
        ];
        insta::assert_snapshot!(csv_of(&rows));
        let lines = String::from_utf8(Table::new(Format::Jsonl, &COLUMNS).rows(&rows)).unwrap();
        let back: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(back, rows);
    }

    proptest! {
        #[test]
        fn no_cell_begins_like_a_formula(text in any::<String>()) {
            let text = csv_of(&[json!({"id": text, "error": text, "payload": text})]);
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let record = reader.records().next().unwrap().unwrap();
            prop_assert_eq!(record.len(), 3);
            for cell in &record {
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']));
            }
        }
    }
}
