//! A query made ready to run: fields looked up, rights checked, literals read.

use super::parse::{Query, Term};
use super::path::Path;
use super::test::Test;
use crate::knobs::UnknownField;
use crate::refusal::Refusal;
use crate::world::shelf::Shelf;
use crate::world::{Act, Fields, World};

/// What is left of a query after unknown and forbidden parts did what they do.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// ORed groups of ANDed clauses of ORed tests.
    groups: Vec<Vec<Vec<Test>>>,
    /// Most significant first; true = descending.
    pub(crate) order: Vec<(Path, bool)>,
    /// An invalid term turned the whole query into "no rows".
    nothing: bool,
}

/// What became of one term.
enum Fate {
    Kept(Test),
    Dropped,
    NoRows,
}

impl Plan {
    /// Plans `query` over `table` for the act's actor.
    ///
    /// # Errors
    /// [`Refusal::QueryRights`] when a field may not be read, or is unknown and the knobs say so.
    pub(crate) fn new(
        world: &World,
        act: &Act<'_>,
        table: &str,
        query: &Query,
    ) -> Result<Self, Refusal> {
        let mut plan = Self::default();
        for group in &query.groups {
            let mut clauses = Vec::new();
            for clause in &group.clauses {
                let tests = plan.clause(world, act, table, clause)?;
                if !tests.is_empty() {
                    clauses.push(tests);
                }
            }
            plan.groups.push(clauses);
        }
        for order in &query.order {
            let Some(path) = Path::find(world, table, &order.field) else {
                plan.nothing |= matches!(invalid(act)?, Fate::NoRows);
                continue;
            };
            if allowed(world, act, table, &path, false)? {
                plan.order.push((path, order.descending));
            }
        }
        Ok(plan)
    }

    fn clause(
        &mut self,
        world: &World,
        act: &Act<'_>,
        table: &str,
        clause: &[Term],
    ) -> Result<Vec<Test>, Refusal> {
        let mut tests = Vec::new();
        for term in clause {
            match term_fate(world, act, table, term)? {
                Fate::Kept(test) => tests.push(test),
                Fate::Dropped => {}
                Fate::NoRows => self.nothing = true,
            }
        }
        Ok(tests)
    }

    /// Adds a condition that must hold beside the query.
    pub(crate) fn and(&mut self, test: &Test) {
        for group in &mut self.groups {
            group.push(vec![test.clone()]);
        }
    }

    /// A column of the table itself and the values it must have one of, if the query says so:
    /// only such rows need looking at.
    pub(crate) fn narrow(&self) -> Option<(&str, &[String])> {
        let [clauses] = self.groups.as_slice() else {
            return None;
        };
        let mut single = clauses.iter().filter_map(|tests| match tests.as_slice() {
            [test] => test.listed(),
            _ => None,
        });
        single.find(|(column, _)| Shelf::is_indexed(column))
    }

    pub(crate) fn matches(&self, world: &World, fields: &Fields) -> bool {
        let clause = |tests: &Vec<Test>| tests.iter().any(|test| test.holds(world, fields));
        !self.nothing && self.groups.iter().any(|clauses| clauses.iter().all(clause))
    }
}

/// Whether the actor may use the path in a query: `Ok(false)` drops that part of the query.
fn allowed(
    world: &World,
    act: &Act<'_>,
    table: &str,
    path: &Path,
    is_match: bool,
) -> Result<bool, Refusal> {
    let mut steps = path.steps(table);
    if steps.any(|(table, column)| !world.sees_field(act, table, column)) {
        return Err(Refusal::QueryRights);
    }
    if is_match || act.actor.is_admin() {
        return Ok(true);
    }
    for rule in &act.knobs.query_acl {
        let hit = path.steps(table).any(|(table, column)| {
            column == rule.field && world.dictionary.extends(table, &rule.table)
        });
        match (hit, rule.forbid) {
            (true, true) => return Err(Refusal::QueryRights),
            (true, false) => return Ok(false),
            (false, _) => {}
        }
    }
    Ok(true)
}

fn term_fate(world: &World, act: &Act<'_>, table: &str, term: &Term) -> Result<Fate, Refusal> {
    let (field, operator, value) = match term {
        Term::Field {
            field,
            operator,
            value,
        } => (field, *operator, value),
        Term::Broken(_) => return invalid(act),
        Term::Text(words) => return Ok(Fate::Kept(Test::words(words))),
        Term::Related { .. } | Term::Join { .. } => {
            return super::related::plan(world, act, term)
                .map_or_else(|| invalid(act), |test| Ok(Fate::Kept(test?)));
        }
    };
    let Some(path) = Path::find(world, table, field) else {
        return invalid(act);
    };
    if !allowed(world, act, table, &path, operator.is_match())? {
        return Ok(Fate::Dropped);
    }
    Test::new(world, act, table, path, operator, value)
        .map_or_else(|| invalid(act), |test| Ok(Fate::Kept(test)))
}

/// What an unknown field or a senseless term does.
fn invalid(act: &Act<'_>) -> Result<Fate, Refusal> {
    match act.knobs.unknown_field {
        UnknownField::Drop => Ok(Fate::Dropped),
        UnknownField::NoRows => Ok(Fate::NoRows),
        UnknownField::Forbid => Err(Refusal::QueryRights),
    }
}
