//! One condition of an encoded query.

use crate::names::check_field;
use crate::query_error::QueryError;

/// The operators a bridge needs (wire contract 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Eq,
    Ne,
    In,
    NotIn,
    Like,
    StartsWith,
    Gt,
    Ge,
    Lt,
    Le,
    IsEmpty,
    IsNotEmpty,
}

impl Operator {
    /// As it is written in an encoded query. Case and the blank in `NOT IN` matter.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::In => "IN",
            Self::NotIn => "NOT IN",
            Self::Like => "LIKE",
            Self::StartsWith => "STARTSWITH",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::IsEmpty => "ISEMPTY",
            Self::IsNotEmpty => "ISNOTEMPTY",
        }
    }
}

/// One condition. It can only be made from checked names and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    pub(crate) field: String,
    pub(crate) operator: Operator,
    pub(crate) values: Vec<String>,
}

impl Term {
    pub fn eq(field: &str, value: &str) -> Result<Self, QueryError> {
        Self::with_value(field, Operator::Eq, value)
    }

    /// Also matches rows whose field is empty (wire contract 2.3).
    pub fn ne(field: &str, value: &str) -> Result<Self, QueryError> {
        Self::with_value(field, Operator::Ne, value)
    }

    pub fn in_list<S: AsRef<str>>(field: &str, values: &[S]) -> Result<Self, QueryError> {
        Self::with_list(field, Operator::In, values)
    }

    pub fn not_in<S: AsRef<str>>(field: &str, values: &[S]) -> Result<Self, QueryError> {
        Self::with_list(field, Operator::NotIn, values)
    }

    /// Contains. On a reference it looks at the display value.
    pub fn like(field: &str, value: &str) -> Result<Self, QueryError> {
        Self::with_value(field, Operator::Like, value)
    }

    pub fn starts_with(field: &str, value: &str) -> Result<Self, QueryError> {
        Self::with_value(field, Operator::StartsWith, value)
    }

    pub fn gt(field: &str, value: &str) -> Result<Self, QueryError> {
        Self::with_value(field, Operator::Gt, value)
    }

    pub fn ge(field: &str, value: &str) -> Result<Self, QueryError> {
        Self::with_value(field, Operator::Ge, value)
    }

    pub fn lt(field: &str, value: &str) -> Result<Self, QueryError> {
        Self::with_value(field, Operator::Lt, value)
    }

    pub fn le(field: &str, value: &str) -> Result<Self, QueryError> {
        Self::with_value(field, Operator::Le, value)
    }

    pub fn is_empty(field: &str) -> Result<Self, QueryError> {
        Self::without_value(field, Operator::IsEmpty)
    }

    pub fn is_not_empty(field: &str) -> Result<Self, QueryError> {
        Self::without_value(field, Operator::IsNotEmpty)
    }

    /// The column the condition is about.
    pub fn field(&self) -> &str {
        &self.field
    }

    fn with_value(field: &str, operator: Operator, value: &str) -> Result<Self, QueryError> {
        check_field(field)?;
        check_value(field, value)?;
        let may_continue_the_operator = matches!(operator, Operator::Gt | Operator::Lt);
        if may_continue_the_operator && value.starts_with('=') {
            return Err(QueryError::OperatorInValue {
                field: field.to_owned(),
            });
        }
        Ok(Self {
            field: field.to_owned(),
            operator,
            values: vec![value.to_owned()],
        })
    }

    fn with_list<S: AsRef<str>>(
        field: &str,
        operator: Operator,
        values: &[S],
    ) -> Result<Self, QueryError> {
        check_field(field)?;
        if values.is_empty() {
            return Err(QueryError::EmptyList {
                field: field.to_owned(),
            });
        }
        for value in values {
            check_value(field, value.as_ref())?;
            if value.as_ref().contains(',') {
                return Err(QueryError::CommaInList {
                    field: field.to_owned(),
                });
            }
            if value.as_ref().trim() != value.as_ref() {
                return Err(QueryError::BlankInList {
                    field: field.to_owned(),
                });
            }
        }
        Ok(Self {
            field: field.to_owned(),
            operator,
            values: values
                .iter()
                .map(|value| value.as_ref().to_owned())
                .collect(),
        })
    }

    fn without_value(field: &str, operator: Operator) -> Result<Self, QueryError> {
        check_field(field)?;
        Ok(Self {
            field: field.to_owned(),
            operator,
            values: Vec::new(),
        })
    }
}

impl std::fmt::Display for Term {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{}{}{}",
            self.field,
            self.operator.text(),
            self.values.join(",")
        )
    }
}

/// There is no escaping inside an encoded query, so that values with a meaning of their own are refused.
fn check_value(field: &str, value: &str) -> Result<(), QueryError> {
    let field_name = || field.to_owned();
    let forbidden = value
        .chars()
        .find(|character| *character == '^' || character.is_control());
    if let Some(character) = forbidden {
        return Err(QueryError::ForbiddenCharacter {
            field: field_name(),
            character,
        });
    }
    let trimmed = value.trim_start_matches(|character: char| !character.is_ascii_graphic());
    let script = "javascript:";
    if trimmed
        .get(..script.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(script))
    {
        return Err(QueryError::Script {
            field: field_name(),
        });
    }
    if value.trim().is_empty() {
        return Err(QueryError::EmptyValue {
            field: field_name(),
        });
    }
    Ok(())
}
