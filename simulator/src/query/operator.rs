//! The operators and how they are written.

/// An operator of the encoded query language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    In,
    NotIn,
    IsEmpty,
    IsNotEmpty,
    EmptyString,
    Anything,
    SameAs,
    NotSameAs,
    StartsWith,
    EndsWith,
    Like,
    NotLike,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Between,
    GreaterField,
    LessField,
    GreaterOrEqualField,
    LessOrEqualField,
    On,
    NotOn,
    RelativeGreater,
    RelativeLess,
    RelativeGreaterOrEqual,
    RelativeLessOrEqual,
    RelativeSame,
    MoreThan,
    LessThan,
    DatePart,
    Dynamic,
    InstanceOf,
}

use Operator as O;

/// Longer spellings first where one is the start of another.
pub(crate) const SPELLINGS: &[(&str, Operator)] = &[
    ("GT_OR_EQUALS_FIELD", O::GreaterOrEqualField),
    ("LT_OR_EQUALS_FIELD", O::LessOrEqualField),
    ("GT_FIELD", O::GreaterField),
    ("LT_FIELD", O::LessField),
    ("RELATIVEGT", O::RelativeGreater),
    ("RELATIVELT", O::RelativeLess),
    ("RELATIVEGE", O::RelativeGreaterOrEqual),
    ("RELATIVELE", O::RelativeLessOrEqual),
    ("RELATIVEEE", O::RelativeSame),
    ("INSTANCEOF", O::InstanceOf),
    ("ISNOTEMPTY", O::IsNotEmpty),
    ("EMPTYSTRING", O::EmptyString),
    ("STARTSWITH", O::StartsWith),
    ("ENDSWITH", O::EndsWith),
    ("MORETHAN", O::MoreThan),
    ("LESSTHAN", O::LessThan),
    ("DATEPART", O::DatePart),
    ("NSAMEAS", O::NotSameAs),
    ("SAMEAS", O::SameAs),
    ("ISEMPTY", O::IsEmpty),
    ("ANYTHING", O::Anything),
    ("BETWEEN", O::Between),
    ("DYNAMIC", O::Dynamic),
    ("NOT LIKE", O::NotLike),
    ("NOT IN", O::NotIn),
    ("NOTON", O::NotOn),
    ("LIKE", O::Like),
    ("IN", O::In),
    ("ON", O::On),
    ("!=", O::NotEqual),
    (">=", O::GreaterOrEqual),
    ("<=", O::LessOrEqual),
    ("!*", O::NotLike),
    ("=", O::Equal),
    (">", O::Greater),
    ("<", O::Less),
    ("%", O::EndsWith),
    ("*", O::Like),
];

impl Operator {
    /// Whether a query ACL of kind `query_match` suffices; all others need `query_range`.
    pub(crate) fn is_match(self) -> bool {
        matches!(
            self,
            O::Equal
                | O::NotEqual
                | O::In
                | O::NotIn
                | O::IsEmpty
                | O::IsNotEmpty
                | O::EmptyString
                | O::Anything
                | O::SameAs
                | O::NotSameAs
                | O::Dynamic
                | O::InstanceOf
        )
    }
}
