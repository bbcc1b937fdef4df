//! The builder of encoded queries (wire contract 2.3).

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::cursor::{Cursor, parse_time};
use crate::names::{check_field, check_id};
use crate::query_error::QueryError;
use crate::term::Term;

/// All but the unreserved characters and the comma; a blank becomes `%20`, never `+`.
pub(crate) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b',');

/// Terms that are ORed; the clauses of a group are ANDed.
type Clause = Vec<Term>;

/// An encoded query. Every step checks its names and values, so that a query that exists is safe to send.
///
/// An empty query matches every row of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// Groups are ORed (`^NQ`).
    pub(crate) groups: Vec<Vec<Clause>>,
    orders: Vec<Order>,
    /// A condition with a server-side script. Only this crate can set one.
    fixed: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Order {
    field: String,
    descending: bool,
}

impl Query {
    pub fn new() -> Self {
        Self::default()
    }

    /// `term AND …`
    #[must_use]
    pub fn and(self, term: Term) -> Self {
        self.push(vec![term])
    }

    /// `AND (a OR b OR …)`. An empty list of terms would match nothing and is refused.
    pub fn and_any(self, terms: Vec<Term>) -> Result<Self, QueryError> {
        if terms.is_empty() {
            return Err(QueryError::EmptyList {
                field: "any".to_owned(),
            });
        }
        Ok(self.push(terms))
    }

    /// `self OR other` at the top level (`^NQ`). The orders of both are kept, those of `self` first.
    #[must_use]
    pub fn new_query(mut self, other: Self) -> Self {
        self.groups.extend(other.groups);
        self.orders.extend(other.orders);
        self
    }

    pub fn eq(self, field: &str, value: &str) -> Result<Self, QueryError> {
        Ok(self.and(Term::eq(field, value)?))
    }

    pub fn ne(self, field: &str, value: &str) -> Result<Self, QueryError> {
        Ok(self.and(Term::ne(field, value)?))
    }

    pub fn in_list<S: AsRef<str>>(self, field: &str, values: &[S]) -> Result<Self, QueryError> {
        Ok(self.and(Term::in_list(field, values)?))
    }

    pub fn not_in<S: AsRef<str>>(self, field: &str, values: &[S]) -> Result<Self, QueryError> {
        Ok(self.and(Term::not_in(field, values)?))
    }

    pub fn like(self, field: &str, value: &str) -> Result<Self, QueryError> {
        Ok(self.and(Term::like(field, value)?))
    }

    pub fn starts_with(self, field: &str, value: &str) -> Result<Self, QueryError> {
        Ok(self.and(Term::starts_with(field, value)?))
    }

    pub fn gt(self, field: &str, value: &str) -> Result<Self, QueryError> {
        Ok(self.and(Term::gt(field, value)?))
    }

    pub fn ge(self, field: &str, value: &str) -> Result<Self, QueryError> {
        Ok(self.and(Term::ge(field, value)?))
    }

    pub fn lt(self, field: &str, value: &str) -> Result<Self, QueryError> {
        Ok(self.and(Term::lt(field, value)?))
    }

    pub fn le(self, field: &str, value: &str) -> Result<Self, QueryError> {
        Ok(self.and(Term::le(field, value)?))
    }

    pub fn is_empty(self, field: &str) -> Result<Self, QueryError> {
        Ok(self.and(Term::is_empty(field)?))
    }

    pub fn is_not_empty(self, field: &str) -> Result<Self, QueryError> {
        Ok(self.and(Term::is_not_empty(field)?))
    }

    pub fn order_by(self, field: &str) -> Result<Self, QueryError> {
        self.order(field, false)
    }

    pub fn order_by_desc(self, field: &str) -> Result<Self, QueryError> {
        self.order(field, true)
    }

    /// Rows after `cursor` in the order of (sys_updated_on, sys_id), as the keyset form of wire contract 2.5.
    /// The filters are repeated in both halves; their orders are dropped.
    ///
    /// A cursor without a sys_id means "from this second on, inclusive"; an empty cursor means "from the beginning".
    pub fn changed_since(filters: &Self, cursor: &Cursor) -> Result<Self, QueryError> {
        let ordered = |query: Self| query.order_by("sys_updated_on")?.order_by("sys_id");
        if cursor.updated_on.is_empty() {
            return ordered(filters.without_orders());
        }
        if parse_time(&cursor.updated_on).is_none() {
            return Err(QueryError::BadTimestamp);
        }
        let stamp = cursor.updated_on.as_str();
        if cursor.sys_id.is_empty() {
            return ordered(filters.with_all(&[Term::ge("sys_updated_on", stamp)?]));
        }
        check_id(&cursor.sys_id)?;
        let same_second = filters.with_all(&[
            Term::eq("sys_updated_on", stamp)?,
            Term::gt("sys_id", &cursor.sys_id)?,
        ]);
        let later = filters.with_all(&[Term::gt("sys_updated_on", stamp)?]);
        ordered(same_second.new_query(later))
    }

    /// The columns that conditions are about, without repetition.
    pub fn fields(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for term in self.groups.iter().flatten().flatten() {
            if !names.contains(&term.field.as_str()) {
                names.push(&term.field);
            }
        }
        names
    }

    /// True when the query has no condition and matches every row.
    pub fn matches_everything(&self) -> bool {
        self.groups.is_empty() && self.fixed.is_none()
    }

    /// The value of `sysparm_query`, URL-encoded.
    pub fn encoded(&self) -> String {
        percent_encode(self.to_string().as_bytes(), ENCODED).to_string()
    }

    /// The length of [`Query::encoded`] in bytes.
    pub fn encoded_len(&self) -> usize {
        self.encoded().len()
    }

    /// The row of the calling account. The value is a script of the instance's sandbox and fixed here.
    pub(crate) fn own_user() -> Self {
        Self {
            fixed: Some("user_name=javascript:gs.getUserName()"),
            ..Self::default()
        }
    }

    fn push(mut self, clause: Clause) -> Self {
        match self.groups.last_mut() {
            Some(group) => group.push(clause),
            None => self.groups.push(vec![clause]),
        }
        self
    }

    fn order(mut self, field: &str, descending: bool) -> Result<Self, QueryError> {
        check_field(field)?;
        self.orders.push(Order {
            field: field.to_owned(),
            descending,
        });
        Ok(self)
    }

    fn without_orders(&self) -> Self {
        Self {
            orders: Vec::new(),
            ..self.clone()
        }
    }

    /// Adds the terms to every group.
    fn with_all(&self, terms: &[Term]) -> Self {
        let mut groups = self.groups.clone();
        if groups.is_empty() {
            groups.push(Vec::new());
        }
        for group in &mut groups {
            group.extend(terms.iter().map(|term| vec![term.clone()]));
        }
        Self {
            groups,
            orders: Vec::new(),
            fixed: self.fixed,
        }
    }
}

impl fmt::Display for Query {
    /// The query before URL encoding. It may hold personal data: do not log it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.fixed.map(str::to_owned));
        let groups: Vec<String> = self.groups.iter().map(|group| written(group)).collect();
        if !groups.is_empty() {
            parts.push(groups.join("^NQ"));
        }
        parts.extend(self.orders.iter().map(|order| {
            let keyword = if order.descending {
                "ORDERBYDESC"
            } else {
                "ORDERBY"
            };
            format!("{keyword}{}", order.field)
        }));
        formatter.write_str(&parts.join("^"))
    }
}

/// `a^b^ORc^d`: `^OR` binds to the term just before it, tighter than `^`.
fn written(group: &[Clause]) -> String {
    group
        .iter()
        .map(|clause| {
            clause
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("^OR")
        })
        .collect::<Vec<_>>()
        .join("^")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_written_as_documented() {
        let query = Query::new()
            .eq("active", "true")
            .unwrap()
            .and_any(vec![
                Term::eq("state", "1").unwrap(),
                Term::in_list("state", &["2", "3"]).unwrap(),
            ])
            .unwrap()
            .not_in("sys_class_name", &["problem"])
            .unwrap()
            .new_query(Query::new().is_empty("caller_id.email").unwrap())
            .order_by("sys_updated_on")
            .unwrap()
            .order_by_desc("number")
            .unwrap();
        assert_eq!(
            query.to_string(),
            "active=true^state=1^ORstateIN2,3^sys_class_nameNOT INproblem^NQcaller_id.emailISEMPTY^ORDERBYsys_updated_on^ORDERBYDESCnumber"
        );
        assert_eq!(
            query.fields(),
            ["active", "state", "sys_class_name", "caller_id.email"]
        );
    }

    #[test]
    fn values_are_url_encoded() {
        let query = Query::new()
            .eq("email", "ann+b@example.com")
            .unwrap()
            .like("short_description", "a b&c=d,é")
            .unwrap();
        assert_eq!(
            query.encoded(),
            "email%3Dann%2Bb%40example.com%5Eshort_descriptionLIKEa%20b%26c%3Dd,%C3%A9"
        );
        assert_eq!(query.encoded_len(), query.encoded().len());
    }

    #[test]
    fn keyset_repeats_the_filters_in_both_halves() {
        let filters = Query::new()
            .eq("sys_class_name", "incident")
            .unwrap()
            .order_by("number")
            .unwrap();
        let cursor = Cursor::after("2026-11-22 10:00:00", "abc");
        assert_eq!(
            Query::changed_since(&filters, &cursor).unwrap().to_string(),
            "sys_class_name=incident^sys_updated_on=2026-11-22 10:00:00^sys_id>abc^NQsys_class_name=incident^sys_updated_on>2026-11-22 10:00:00^ORDERBYsys_updated_on^ORDERBYsys_id"
        );
        assert_eq!(
            Query::changed_since(&filters, &Cursor::from_second("2026-11-22 10:00:00"))
                .unwrap()
                .to_string(),
            "sys_class_name=incident^sys_updated_on>=2026-11-22 10:00:00^ORDERBYsys_updated_on^ORDERBYsys_id"
        );
        assert_eq!(
            Query::changed_since(&Query::new(), &Cursor::default())
                .unwrap()
                .to_string(),
            "ORDERBYsys_updated_on^ORDERBYsys_id"
        );
    }

    #[test]
    fn a_bad_cursor_is_refused() {
        let query = |stamp, id| Query::changed_since(&Query::new(), &Cursor::after(stamp, id));
        assert_eq!(query("yesterday", "abc"), Err(QueryError::BadTimestamp));
        assert_eq!(
            query("2026-11-22 10:00:00^NQactive=true", "abc"),
            Err(QueryError::BadTimestamp)
        );
        assert_eq!(
            query("2026-11-22 10:00:00", "abc^NQx=1"),
            Err(QueryError::BadId)
        );
    }

    #[test]
    fn empty_lists_and_values_are_refused() {
        assert!(Query::new().in_list::<&str>("state", &[]).is_err());
        assert!(Query::new().and_any(vec![]).is_err());
        assert_eq!(
            Query::new().eq("correlation_id", " "),
            Err(QueryError::EmptyValue {
                field: "correlation_id".to_owned()
            })
        );
        assert!(Query::new().gt("number", "=5").is_err());
        assert!(Query::new().in_list("state", &["1,2"]).is_err());
        assert_eq!(
            Query::new().not_in("state", &["1", " 2"]),
            Err(QueryError::BlankInList {
                field: "state".to_owned()
            })
        );
    }
}
