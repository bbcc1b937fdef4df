//! How an encoded query is understood, apart from any table.

use crate::query::{self, Operator, Term};

/// ORed groups of ANDed clauses of ORed conditions, and the orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub groups: Vec<Vec<Vec<Condition>>>,
    /// Column, and whether it descends.
    pub orders: Vec<(String, bool)>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// A column, an operator in its first spelling, and the operand.
    Field(String, &'static str, String),
    /// Anything else that the instance makes something of, as it was written.
    Other(String),
    /// No condition at all: the instance drops it, or finds nothing.
    Broken(String),
}

/// Reads a query. Nothing is an error.
pub fn read(text: &str) -> Reading {
    let query = query::parse(text);
    let groups = query.groups.into_iter();
    Reading {
        groups: groups
            .map(|group| {
                let clauses = group.clauses.into_iter();
                clauses
                    .map(|terms| terms.into_iter().map(Condition::of).collect())
                    .collect()
            })
            .collect(),
        orders: query
            .order
            .into_iter()
            .map(|order| (order.field, order.descending))
            .collect(),
    }
}

impl Condition {
    fn of(term: Term) -> Self {
        match term {
            Term::Field {
                field,
                operator,
                value,
            } => Self::Field(field, spelling(operator), value),
            Term::Broken(text) => Self::Broken(text),
            other => Self::Other(format!("{other:?}")),
        }
    }
}

fn spelling(operator: Operator) -> &'static str {
    let known = query::SPELLINGS.iter();
    known
        .filter(|(_, of)| *of == operator)
        .map(|(spelling, _)| *spelling)
        .next()
        .unwrap_or_default()
}
