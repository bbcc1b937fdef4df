//! Conditions on rows of another table: `RLQUERY…ENDRLQUERY` and the record API's `JOIN…`.

use super::parse::{Term, parse};
use super::plan::Plan;
use crate::refusal::Refusal;
use crate::world::{Act, Fields, World};

/// How many rows of `table` point at the row and match.
#[derive(Debug, Clone)]
pub(crate) struct RelatedTest {
    /// Column of the row the other table points at.
    own: String,
    table: String,
    field: String,
    plan: std::sync::Arc<Plan>,
    comparison: String,
    count: usize,
}

/// Plans a related-list or join term; `None` when its table or fields do not exist.
pub(crate) fn plan(
    world: &World,
    act: &Act<'_>,
    term: &Term,
) -> Option<Result<super::test::Test, Refusal>> {
    let (own, table, field, count, condition) = match term {
        Term::Related {
            table,
            field,
            count,
            condition,
        } => ("sys_id", table, field, count.as_str(), condition),
        Term::Join {
            own,
            table,
            field,
            condition,
        } => (own.as_str(), table, field, ">=1", condition),
        _ => return None,
    };
    world.dictionary.column(table, field)?;
    let digits = count.find(|letter: char| letter.is_ascii_digit())?;
    let (comparison, count) = count.split_at(digits);
    let count = count.parse().ok()?;
    let plan = match Plan::new(world, act, table, &parse(condition)) {
        Ok(plan) => std::sync::Arc::new(plan),
        Err(refusal) => return Some(Err(refusal)),
    };
    let test = RelatedTest {
        own: own.to_owned(),
        table: table.clone(),
        field: field.clone(),
        plan,
        comparison: comparison.trim().to_owned(),
        count,
    };
    Some(Ok(super::test::Test::Related(test)))
}

impl RelatedTest {
    pub(crate) fn holds(&self, world: &World, fields: &Fields) -> bool {
        let rows = world.all_with(&self.table, &self.field, fields.get(&self.own));
        let found = rows.filter(|row| self.plan.matches(world, row)).count();
        match self.comparison.as_str() {
            ">" => found > self.count,
            "<" => found < self.count,
            "<=" => found <= self.count,
            "=" | "==" => found == self.count,
            "!=" => found != self.count,
            _ => found >= self.count,
        }
    }
}
