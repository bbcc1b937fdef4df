//! The query parameters of the Table API (wire contract 2.2).

use percent_encoding::percent_encode;

use crate::fields::Fields;
use crate::names::check_field;
use crate::query::ENCODED;
use crate::query_error::QueryError;

/// Which form of values an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DisplayValue {
    /// Stored values.
    #[default]
    Raw,
    /// Labels only.
    Display,
    /// Both. Doubles the size of an answer: keep pages at 50 rows.
    All,
}

impl DisplayValue {
    fn text(self) -> &'static str {
        match self {
            Self::Raw => "false",
            Self::Display => "true",
            Self::All => "all",
        }
    }
}

/// How one row is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// Columns to read, dot-walks allowed; empty means all that are readable.
    pub fields: Vec<String>,
    pub display_value: DisplayValue,
    /// Leave the `link` of references out. Default true.
    pub exclude_reference_link: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            fields: Vec::new(),
            display_value: DisplayValue::Raw,
            exclude_reference_link: true,
        }
    }
}

impl ReadOptions {
    /// Stored values of these columns.
    pub fn fields<S: Into<String>>(fields: impl IntoIterator<Item = S>) -> Self {
        Self {
            fields: fields.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
}

/// How a row is written and what its echo holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WriteOptions {
    /// What the answer holds. The echo is compared with what was sent, so its columns must cover it.
    pub echo: ReadOptions,
    /// Values are labels instead of stored values (`sysparm_input_display_value`).
    pub input_display_value: bool,
}

impl WriteOptions {
    /// Echoes what is sent and the columns that identify the row and its version.
    pub fn echo_of(sent: &Fields) -> Self {
        let fixed = [
            "sys_id",
            "number",
            "state",
            "sys_class_name",
            "sys_mod_count",
            "sys_created_on",
            "sys_updated_on",
            "sys_updated_by",
        ];
        let sent = sent
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !fixed.contains(name));
        Self {
            echo: ReadOptions::fields(fixed.into_iter().chain(sent)),
            input_display_value: false,
        }
    }
}

/// A URL query under construction. Values are encoded when they are added.
#[derive(Default)]
pub(crate) struct Params {
    encoded: String,
}

impl Params {
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        let value = percent_encode(value.as_bytes(), ENCODED);
        if !self.encoded.is_empty() {
            self.encoded.push('&');
        }
        self.encoded.push_str(name);
        self.encoded.push('=');
        self.encoded.extend(value);
    }

    pub(crate) fn add_read(&mut self, read: &ReadOptions) -> Result<(), QueryError> {
        for field in &read.fields {
            check_field(field)?;
        }
        if !read.fields.is_empty() {
            self.add("sysparm_fields", &read.fields.join(","));
        }
        self.add("sysparm_display_value", read.display_value.text());
        if read.exclude_reference_link {
            self.add("sysparm_exclude_reference_link", "true");
        }
        Ok(())
    }

    pub(crate) fn add_write(&mut self, write: &WriteOptions) -> Result<(), QueryError> {
        self.add_read(&write.echo)?;
        if write.input_display_value {
            self.add("sysparm_input_display_value", "true");
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> String {
        self.encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_as_documented() {
        let mut params = Params::default();
        params.add("sysparm_query", "a=b c");
        let write = WriteOptions {
            input_display_value: true,
            ..WriteOptions::echo_of(&Fields::new().with("state", "1").with("impact", "2"))
        };
        params.add_write(&write).unwrap();
        assert_eq!(
            params.finish(),
            "sysparm_query=a%3Db%20c&sysparm_fields=sys_id,number,state,sys_class_name,sys_mod_count,sys_created_on,sys_updated_on,sys_updated_by,impact&sysparm_display_value=false&sysparm_exclude_reference_link=true&sysparm_input_display_value=true"
        );
    }

    #[test]
    fn bad_columns_are_refused() {
        let mut params = Params::default();
        assert!(params.add_read(&ReadOptions::fields(["a b"])).is_err());
    }
}
