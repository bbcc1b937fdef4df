//! Why a value, name or id was refused before anything was sent.

/// Nothing was sent. The message names the field but never the value, which may be personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error(
        "`{name}` is no column name: use lower-case letters, digits and `_`, with dots for dot-walks"
    )]
    BadField { name: String },
    #[error("`{name}` is no table name: use lower-case letters, digits and `_`")]
    BadTable { name: String },
    #[error("the record id is empty or has characters that no sys_id has")]
    BadId,
    #[error("the value for `{field}` holds {character:?}, which would change the query: remove it")]
    ForbiddenCharacter { field: String, character: char },
    #[error(
        "the value for `{field}` begins with `javascript:`, which the instance would run as a script: remove it"
    )]
    Script { field: String },
    #[error("the value for `{field}` is empty: use is_empty to ask for empty fields")]
    EmptyValue { field: String },
    #[error("the list for `{field}` is empty")]
    EmptyList { field: String },
    #[error(
        "an item of the list for `{field}` holds a comma, which would split it: ask for it with eq"
    )]
    CommaInList { field: String },
    #[error(
        "an item of the list for `{field}` begins or ends with a blank, which the instance may cut off: ask for it with eq"
    )]
    BlankInList { field: String },
    #[error("the value for `{field}` begins with `=`, which would change the operator")]
    OperatorInValue { field: String },
    #[error("the cursor's time stamp is not of the form YYYY-MM-DD HH:MM:SS")]
    BadTimestamp,
    #[error(
        "the URL would have {bytes} bytes and an instance takes at most {max}: ask for fewer ids or fields at a time"
    )]
    TooLong { bytes: usize, max: usize },
    #[error("a page needs at least one row: set a positive limit")]
    ZeroLimit,
}
