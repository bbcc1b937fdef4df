//! One condition ready to be asked of rows.

use std::cmp::Ordering;

use chrono::{TimeDelta, Utc};

use super::date_part::DatePart;
use super::literal;
use super::operator::Operator as O;
use super::path::Path;
use super::related::RelatedTest;
use super::script::shifted;
use super::span::{Edge, edge, unit_of};
use crate::world::column::Kind;
use crate::world::time::{instant, parse_stamp, stamp};
use crate::world::{Act, Fields, World};

/// A condition with its operands read.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    Value {
        path: Path,
        kind: Kind,
        check: Check,
    },
    /// All words occur somewhere in the row's texts.
    Words(Vec<String>),
    Related(RelatedTest),
}

#[derive(Debug, Clone)]
pub(crate) enum Check {
    Equal(String),
    NotEqual(String),
    In(Vec<String>),
    NotIn(Vec<String>),
    Empty(bool),
    Anything,
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    NotContains(String),
    Compare(Bound, String),
    /// Between both, or outside of both.
    Within(String, String, bool),
    Same(Path, bool, SameBy),
    CompareField(Bound, Path),
    /// More (or less) than a span away from another date.
    Apart {
        other: Path,
        span: TimeDelta,
        before: bool,
        more: bool,
    },
    Part(DatePart),
    InstanceOf(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SameBy {
    Value,
    Day,
}

impl Test {
    /// Reads one condition; `None` when its operand makes no sense for its operator.
    pub(crate) fn new(
        world: &World,
        act: &Act<'_>,
        table: &str,
        path: Path,
        operator: O,
        value: &str,
    ) -> Option<Self> {
        let kind = path.definition(world)?.kind;
        let read = |text: &str| literal::read(act, kind, text);
        let list = || value.split(',').map(|item| read(item.trim())).collect();
        let field = |name: &str| Path::find(world, table, name);
        let check = match operator {
            O::Equal => Check::Equal(read(value)),
            O::NotEqual => Check::NotEqual(read(value)),
            O::In => Check::In(list()),
            O::NotIn => Check::NotIn(list()),
            O::IsEmpty | O::EmptyString => Check::Empty(true),
            O::IsNotEmpty => Check::Empty(false),
            O::Anything => Check::Anything,
            O::StartsWith => Check::StartsWith(read(value).to_lowercase()),
            O::EndsWith => Check::EndsWith(read(value).to_lowercase()),
            O::Like => Check::Contains(read(value).to_lowercase()),
            O::NotLike => Check::NotContains(read(value).to_lowercase()),
            O::Less => Check::Compare(Bound::Less, read(value)),
            O::LessOrEqual => Check::Compare(Bound::LessOrEqual, read(value)),
            O::Greater => Check::Compare(Bound::Greater, read(value)),
            O::GreaterOrEqual => Check::Compare(Bound::GreaterOrEqual, read(value)),
            O::Between => {
                let (from, to) = value.split_once('@')?;
                Check::Within(read(from), read(to), true)
            }
            O::On | O::NotOn => {
                let (_, bounds) = value.split_once('@')?;
                let (from, to) = bounds.split_once('@')?;
                Check::Within(read(from), read(to), operator == O::On)
            }
            O::SameAs | O::NotSameAs => {
                let (name, by) = value
                    .split_once('@')
                    .map_or((value, SameBy::Value), |(name, _)| (name, SameBy::Day));
                Check::Same(field(name)?, operator == O::SameAs, by)
            }
            O::GreaterField => Check::CompareField(Bound::Greater, field(value)?),
            O::LessField => Check::CompareField(Bound::Less, field(value)?),
            O::GreaterOrEqualField => Check::CompareField(Bound::GreaterOrEqual, field(value)?),
            O::LessOrEqualField => Check::CompareField(Bound::LessOrEqual, field(value)?),
            O::RelativeGreater
            | O::RelativeLess
            | O::RelativeGreaterOrEqual
            | O::RelativeLessOrEqual
            | O::RelativeSame => relative(act, operator, value)?,
            O::MoreThan | O::LessThan => apart(world, table, operator, value)?,
            O::DatePart => Check::Part(DatePart::read(value, act.actor.zone)?),
            O::Dynamic => dynamic(world, act, value)?,
            O::InstanceOf => Check::InstanceOf(value.to_owned()),
        };
        Some(Self::Value { path, kind, check })
    }

    /// The column and the values of a plain `=` or `IN` on the row itself.
    pub(crate) fn listed(&self) -> Option<(&str, &[String])> {
        match self {
            Self::Value {
                path,
                check: Check::Equal(value),
                ..
            } if !path.is_walk() => Some((&path.column, std::slice::from_ref(value))),
            Self::Value {
                path,
                check: Check::In(values),
                ..
            } if !path.is_walk() => Some((&path.column, values)),
            _ => None,
        }
    }

    /// Exact equality with a raw value.
    pub(crate) fn equals(path: Path, kind: Kind, value: &str) -> Self {
        Self::Value {
            path,
            kind,
            check: Check::Equal(value.to_owned()),
        }
    }

    pub(crate) fn words(words: &str) -> Self {
        Self::Words(words.split_whitespace().map(str::to_lowercase).collect())
    }

    pub(crate) fn holds(&self, world: &World, fields: &Fields) -> bool {
        match self {
            Self::Value { path, kind, check } => check.holds(world, *kind, path, fields),
            Self::Words(words) => {
                let texts: Vec<String> = fields
                    .iter()
                    .map(|(_, value)| value.to_lowercase())
                    .collect();
                words
                    .iter()
                    .all(|word| texts.iter().any(|text| text.contains(word)))
            }
            Self::Related(related) => related.holds(world, fields),
        }
    }
}

impl Check {
    fn holds(&self, world: &World, kind: Kind, path: &Path, fields: &Fields) -> bool {
        let value = path.value(world, fields);
        // LIKE and its kin act on what a reference displays (wire contract 2.3).
        let text = || path.text(world, fields).to_lowercase();
        match self {
            Self::Equal(wanted) => same(kind, value, wanted),
            Self::NotEqual(wanted) => !same(kind, value, wanted),
            Self::In(list) => list.iter().any(|wanted| same(kind, value, wanted)),
            Self::NotIn(list) => !list.iter().any(|wanted| same(kind, value, wanted)),
            Self::Empty(empty) => value.is_empty() == *empty,
            Self::Anything => true,
            Self::StartsWith(start) => text().starts_with(start),
            Self::EndsWith(end) => text().ends_with(end),
            Self::Contains(part) => text().contains(part),
            Self::NotContains(part) => !text().contains(part),
            Self::Compare(bound, limit) => bound.admits(compare(kind, value, limit)),
            Self::Within(from, to, inside) => {
                let above = Bound::GreaterOrEqual.admits(compare(kind, value, from));
                let below = Bound::LessOrEqual.admits(compare(kind, value, to));
                (above && below) == *inside
            }
            Self::Same(other, wanted, by) => {
                let other = other.value(world, fields);
                let cut = |text: &str| {
                    if *by == SameBy::Day {
                        text.get(..10).unwrap_or(text).to_owned()
                    } else {
                        text.to_owned()
                    }
                };
                same(kind, &cut(value), &cut(other)) == *wanted
            }
            Self::CompareField(bound, other) => {
                bound.admits(compare(kind, value, other.value(world, fields)))
            }
            Self::Apart {
                other,
                span,
                before,
                more,
            } => {
                let distance = parse_stamp(other.value(world, fields))
                    .zip(parse_stamp(value))
                    .map(|(other, own)| other - own);
                let distance = distance.map(|distance| if *before { distance } else { -distance });
                distance.is_some_and(|distance| {
                    if *more {
                        distance > *span
                    } else {
                        distance < *span && distance >= TimeDelta::zero()
                    }
                })
            }
            Self::Part(part) => parse_stamp(value).is_some_and(|at| part.holds(at)),
            Self::InstanceOf(table) => world.dictionary.extends(value, table),
        }
    }
}

impl Bound {
    fn admits(self, order: Option<Ordering>) -> bool {
        order.is_some_and(|order| match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        })
    }
}

/// Equality as the database sees it: keys exactly, numbers by value, texts without case.
fn same(kind: Kind, value: &str, wanted: &str) -> bool {
    match kind {
        Kind::Guid | Kind::Reference => value == wanted,
        Kind::Integer | Kind::IntChoice | Kind::Decimal => {
            match (value.parse::<f64>(), wanted.parse::<f64>()) {
                (Ok(value), Ok(wanted)) => (value - wanted).abs() < f64::EPSILON,
                _ => value == wanted,
            }
        }
        Kind::Boolean => value == wanted || (value.is_empty() && wanted == "false"),
        _ => {
            value.eq_ignore_ascii_case(wanted)
                || (!value.is_ascii() && value.to_lowercase() == wanted.to_lowercase())
        }
    }
}

/// Order of two raw values; `None` when the row's is empty, or either is no number where one is due.
/// An empty bound is below every text, so `sys_id>` starts a keyset.
pub(crate) fn compare(kind: Kind, value: &str, bound: &str) -> Option<Ordering> {
    if value.is_empty() {
        return None;
    }
    match kind {
        Kind::DateTime | Kind::Date | Kind::Duration if bound.is_empty() => None,
        Kind::Guid | Kind::DateTime | Kind::Date | Kind::Duration => Some(value.cmp(bound)),
        Kind::Integer | Kind::IntChoice | Kind::Decimal => value
            .parse::<f64>()
            .ok()?
            .partial_cmp(&bound.parse::<f64>().ok()?),
        _ => Some(value.to_lowercase().cmp(&bound.to_lowercase())),
    }
}

/// `RELATIVEGT@hour@ago@1`
fn relative(act: &Act<'_>, operator: O, value: &str) -> Option<Check> {
    let mut words = value.trim_start_matches('@').split('@');
    let unit = unit_of(words.next()?)?;
    let sign = if words.next()? == "ago" { -1 } else { 1 };
    let count: i64 = words.next()?.parse().ok()?;
    let local = act.now.with_timezone(&act.actor.zone).naive_local();
    let then = shifted(local, unit, count.checked_mul(sign)?)?;
    let at = |local| stamp(instant(local, act.actor.zone));
    Some(match operator {
        O::RelativeGreater => Check::Compare(Bound::Greater, at(then)),
        O::RelativeLess => Check::Compare(Bound::Less, at(then)),
        O::RelativeGreaterOrEqual => Check::Compare(Bound::GreaterOrEqual, at(then)),
        O::RelativeLessOrEqual => Check::Compare(Bound::LessOrEqual, at(then)),
        _ => Check::Within(
            at(edge(then, unit, Edge::Start)),
            at(edge(then, unit, Edge::End)),
            true,
        ),
    })
}

/// `MORETHANg@day@before@1`
fn apart(world: &World, table: &str, operator: O, value: &str) -> Option<Check> {
    let mut words = value.split('@');
    let other = Path::find(world, table, words.next()?)?;
    let unit = unit_of(words.next()?)?;
    let before = words.next()? == "before";
    let count: i64 = words.next()?.parse().ok()?;
    let epoch = chrono::DateTime::<Utc>::default().naive_utc();
    let span = shifted(epoch, unit, count)? - epoch;
    Some(Check::Apart {
        other,
        span,
        before,
        more: operator == O::MoreThan,
    })
}

/// The two dynamic filter options every instance has: "Me" and "One of My Groups".
fn dynamic(world: &World, act: &Act<'_>, option: &str) -> Option<Check> {
    match option {
        "90d1921e5f510100a9ad2572f2b477fe" => Some(Check::Equal(act.actor.id.clone())),
        "d6435e965f510100a9ad2572f2b477fe" => {
            let groups = world.all_with("sys_user_grmember", "user", &act.actor.id);
            Some(Check::In(
                groups.map(|row| row.get("group").to_owned()).collect(),
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::span::Unit;

    #[test]
    fn texts_compare_without_case_and_keys_with_it() {
        assert!(same(Kind::Text, "Printer", "pRINTER"));
        assert!(!same(Kind::Guid, "AAAA", "aaaa"));
        assert!(same(Kind::Integer, "3", "3.0"));
        assert!(!same(Kind::IntChoice, "7", "Closed"));
    }

    #[test]
    fn an_empty_value_is_on_neither_side_of_a_bound() {
        assert_eq!(compare(Kind::DateTime, "", "2026-01-01 00:00:00"), None);
        assert_eq!(compare(Kind::Guid, "0", ""), Some(Ordering::Greater));
        assert_eq!(compare(Kind::Integer, "10", "9"), Some(Ordering::Greater));
        assert_eq!(compare(Kind::Text, "10", "9"), Some(Ordering::Less));
    }

    #[test]
    fn units_are_known_by_their_words() {
        assert_eq!(unit_of("dayofweek"), Some(Unit::Day));
        assert_eq!(unit_of("fortnight"), None);
    }
}
