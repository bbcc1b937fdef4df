//! Names that go into paths and queries are checked, because the instance drops what it does not know.

use crate::query_error::QueryError;

const MAX_NAME: usize = 200;

/// A column, with dots for dot-walks: `caller_id.email`. The first letter is never upper case, so that no name can
/// be read as a keyword such as `ORDERBY` or `NQ`.
pub(crate) fn check_field(name: &str) -> Result<(), QueryError> {
    let good = name.len() <= MAX_NAME && name.split('.').all(is_identifier);
    if good {
        return Ok(());
    }
    Err(QueryError::BadField {
        name: shortened(name),
    })
}

/// A table: `sc_req_item`.
pub(crate) fn check_table(name: &str) -> Result<(), QueryError> {
    if name.len() <= MAX_NAME && is_identifier(name) {
        return Ok(());
    }
    Err(QueryError::BadTable {
        name: shortened(name),
    })
}

/// A sys_id is opaque (wire contract 0.7), but it never holds what would change the path.
pub(crate) fn check_id(id: &str) -> Result<(), QueryError> {
    let good = !id.is_empty()
        && id.len() <= MAX_NAME
        && id.chars().all(|character| {
            character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.')
        })
        && !id.chars().all(|character| character == '.');
    if good { Ok(()) } else { Err(QueryError::BadId) }
}

fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    let first = characters.next();
    first.is_some_and(|character| character.is_ascii_lowercase() || character == '_')
        && characters.all(|character| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_'
        })
}

fn shortened(name: &str) -> String {
    name.chars()
        .filter(|character| !character.is_control())
        .take(60)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_checked() {
        for good in ["state", "sys_id", "caller_id.email", "u_x1", "a.b.c"] {
            assert_eq!(check_field(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a b",
            "a=1",
            "a^b",
            "ORDERBYa",
            "NQa",
            "ORa",
            "1a",
            "a\n",
            "javascript:gs",
            "ä",
            "a,b",
        ] {
            assert!(check_field(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_are_opaque_but_stay_in_their_path_segment() {
        for good in [
            "6816f79cc0a8016401c5a33be04be441",
            "4",
            "glean_user_role",
            "AAAABBBBCCCCDDDDEEEEFFFF00001111",
            "a.b-c",
        ] {
            assert_eq!(check_id(good), Ok(()), "{good}");
        }
        for bad in [
            "", ".", "..", "a/b", "a?b", "a#b", "%2e", "a b", "a\\b", "ä",
        ] {
            assert_eq!(check_id(bad), Err(QueryError::BadId), "{bad}");
        }
    }

    #[test]
    fn tables_are_checked() {
        assert_eq!(check_table("sc_req_item"), Ok(()));
        for bad in ["", "sc_req_item/x", "Incident", "a.b", "a?b"] {
            assert!(check_table(bad).is_err(), "{bad}");
        }
    }
}
