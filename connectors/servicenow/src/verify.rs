//! Checks on our side that a row satisfies the query it came for, because an instance drops conditions on columns it
//! does not know or does not let the account query (wire contract 2.3).

use crate::cursor::parse_time;
use crate::query::Query;
use crate::record::Record;
use crate::term::{Operator, Term};

/// Why a row does not satisfy a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// The row lacks the column, so that nothing can be said.
    MissingColumn { field: String },
    /// The value does not satisfy the condition.
    Unsatisfied { field: String },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Holds,
    Fails,
    Missing,
}

impl Query {
    /// Checks every condition that can be judged from the row. Comparisons follow the usual collation of an instance:
    /// case and trailing blanks do not count. Range conditions are judged for time stamps and whole numbers only, and
    /// `LIKE` and `STARTSWITH` on references not at all, because the instance compares display values there.
    pub fn verify(&self, row: &Record) -> Result<(), Mismatch> {
        let mut first_mismatch = None;
        for group in &self.groups {
            match group.iter().find_map(|clause| clause_mismatch(clause, row)) {
                None => return Ok(()),
                Some(mismatch) => {
                    first_mismatch.get_or_insert(mismatch);
                }
            }
        }
        first_mismatch.map_or(Ok(()), Err)
    }
}

/// One of the terms has to hold.
fn clause_mismatch(clause: &[Term], row: &Record) -> Option<Mismatch> {
    let verdicts: Vec<Verdict> = clause.iter().map(|term| judged(term, row)).collect();
    if verdicts.contains(&Verdict::Holds) {
        return None;
    }
    let field = clause.first()?.field.clone();
    if verdicts.contains(&Verdict::Missing) {
        return Some(Mismatch::MissingColumn { field });
    }
    Some(Mismatch::Unsatisfied { field })
}

fn judged(term: &Term, row: &Record) -> Verdict {
    let Some(field) = row.field(&term.field) else {
        return Verdict::Missing;
    };
    let got = field.text();
    let is_reference = field.link.is_some() || looks_like_an_id(got);
    let any = |test: fn(&str, &str) -> bool| term.values.iter().any(|value| test(got, value));
    let holds = match term.operator {
        Operator::Eq | Operator::In => any(same),
        Operator::Ne | Operator::NotIn => !any(identical),
        Operator::IsEmpty => got.is_empty(),
        Operator::IsNotEmpty => !got.is_empty(),
        Operator::Like => is_reference || any(contains),
        Operator::StartsWith => is_reference || any(starts_with),
        Operator::Gt => {
            any(|got, value| compared(got, value).is_none_or(std::cmp::Ordering::is_gt))
        }
        Operator::Ge => {
            any(|got, value| compared(got, value).is_none_or(std::cmp::Ordering::is_ge))
        }
        Operator::Lt => {
            any(|got, value| compared(got, value).is_none_or(std::cmp::Ordering::is_lt))
        }
        Operator::Le => {
            any(|got, value| compared(got, value).is_none_or(std::cmp::Ordering::is_le))
        }
    };
    if holds {
        Verdict::Holds
    } else {
        Verdict::Fails
    }
}

/// A reference that was read without its link.
fn looks_like_an_id(got: &str) -> bool {
    got.len() == 32 && got.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn same(got: &str, value: &str) -> bool {
    got.trim_end().to_lowercase() == value.trim_end().to_lowercase()
}

/// Whether blanks at the end count is the database's own; a row that differs in them may have been found by "is not".
fn identical(got: &str, value: &str) -> bool {
    got.to_lowercase() == value.to_lowercase()
}

fn contains(got: &str, value: &str) -> bool {
    got.to_lowercase().contains(&value.to_lowercase())
}

fn starts_with(got: &str, value: &str) -> bool {
    got.to_lowercase().starts_with(&value.to_lowercase())
}

/// `None` where the order is the database's own.
fn compared(got: &str, value: &str) -> Option<std::cmp::Ordering> {
    if let (Some(got), Some(value)) = (parse_time(got), parse_time(value)) {
        return Some(got.cmp(&value));
    }
    let (got, value) = (got.parse::<i64>().ok()?, value.parse::<i64>().ok()?);
    Some(got.cmp(&value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Record {
        serde_json::from_str(
            r#"{"state":"2","active":"true","number":"INC0010001","priority":"","sys_updated_on":"2026-11-22 10:00:00",
                "caller_id":{"value":"62826b","link":"https://acme.service-now.com/x"}}"#,
        )
        .unwrap()
    }

    fn check(query: Result<Query, crate::QueryError>) -> Result<(), Mismatch> {
        query.unwrap().verify(&row())
    }

    fn unsatisfied(field: &str) -> Result<(), Mismatch> {
        Err(Mismatch::Unsatisfied {
            field: field.to_owned(),
        })
    }

    #[test]
    fn conditions_that_hold_pass() {
        for query in [
            Ok(Query::new()),
            Query::new().eq("number", "inc0010001"),
            Query::new().ne("priority", "1"),
            Query::new().in_list("state", &["1", "2"]),
            Query::new().not_in("state", &["6", "7"]),
            Query::new().is_empty("priority"),
            Query::new().is_not_empty("state"),
            Query::new().like("number", "c001"),
            Query::new().starts_with("number", "INC"),
            Query::new().like("caller_id", "Ann"),
            Query::new().ge("state", "2"),
            Query::new().ge("sys_updated_on", "2026-11-22 10:00:00"),
            Query::new().lt("sys_updated_on", "2026-11-22 10:00:01"),
            Query::new().gt("number", "A"),
        ] {
            assert_eq!(check(query.clone()), Ok(()), "{query:?}");
        }
    }

    #[test]
    fn conditions_that_fail_are_named() {
        assert_eq!(check(Query::new().eq("state", "7")), unsatisfied("state"));
        assert_eq!(
            check(Query::new().gt("sys_updated_on", "2026-11-22 10:00:00")),
            unsatisfied("sys_updated_on")
        );
        assert_eq!(check(Query::new().gt("state", "10")), unsatisfied("state"));
        assert_eq!(check(Query::new().is_empty("state")), unsatisfied("state"));
        assert_eq!(
            check(Query::new().eq("no_such_field", "1")),
            Err(Mismatch::MissingColumn {
                field: "no_such_field".to_owned()
            })
        );
    }

    #[test]
    fn one_of_several_alternatives_is_enough() {
        let either = Query::new().and_any(vec![
            Term::eq("state", "7").unwrap(),
            Term::eq("active", "true").unwrap(),
        ]);
        assert_eq!(check(either), Ok(()));
        let groups = Query::new()
            .eq("state", "7")
            .unwrap()
            .new_query(Query::new().eq("active", "true").unwrap());
        assert_eq!(check(Ok(groups)), Ok(()));
    }
}
