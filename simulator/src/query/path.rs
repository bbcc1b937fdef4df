//! Dot-walks: from a row through references to a column of another row.

use std::borrow::Cow;

use crate::world::column::{Column, Kind};
use crate::world::{Fields, World};

/// A field name as a chain of columns, the last one being the value's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// Each reference walked: its column, the table it points to and the key it names.
    hops: Vec<Hop>,
    /// Table the last column belongs to.
    pub(crate) table: String,
    pub(crate) column: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Hop {
    column: String,
    target: String,
    key: String,
}

impl Path {
    /// Looks a name up from `table`; `None` when a column on the way does not exist or is no reference.
    pub(crate) fn find(world: &World, table: &str, name: &str) -> Option<Self> {
        let mut hops = Vec::new();
        let mut at = table.to_owned();
        let mut names = name.split('.').peekable();
        while let Some(column) = names.next() {
            let definition = world.dictionary.column(&at, column)?;
            if names.peek().is_none() {
                return Some(Self {
                    hops,
                    table: at,
                    column: column.to_owned(),
                });
            }
            let target = definition
                .reference
                .clone()
                .filter(|_| definition.kind == Kind::Reference)?;
            let key = definition.reference_key.clone();
            hops.push(Hop {
                column: column.to_owned(),
                target: target.clone(),
                key,
            });
            at = target;
        }
        None
    }

    pub(crate) fn is_walk(&self) -> bool {
        !self.hops.is_empty()
    }

    pub(crate) fn definition<'w>(&self, world: &'w World) -> Option<&'w Column> {
        world.dictionary.column(&self.table, &self.column)
    }

    /// The (table, column) pairs a reader must be allowed to read to use this path.
    pub(crate) fn steps<'p>(&'p self, table: &'p str) -> impl Iterator<Item = (&'p str, &'p str)> {
        let tables = std::iter::once(table).chain(self.hops.iter().map(|hop| hop.target.as_str()));
        let columns = self
            .hops
            .iter()
            .map(|hop| hop.column.as_str())
            .chain(std::iter::once(self.column.as_str()));
        tables.zip(columns)
    }

    /// The row the path ends at.
    pub(crate) fn target<'r>(&self, world: &'r World, fields: &'r Fields) -> Option<&'r Fields> {
        let mut at = fields;
        for hop in &self.hops {
            at = world.find(&hop.target, &hop.key, at.get(&hop.column))?;
        }
        Some(at)
    }

    /// The raw value at the end; empty when a reference on the way is.
    pub(crate) fn value<'r>(&self, world: &'r World, fields: &'r Fields) -> &'r str {
        self.target(world, fields)
            .map_or("", |row| row.get(&self.column))
    }

    /// The text to compare and sort by: what a reference or list displays, else the raw value.
    pub(crate) fn text<'r>(&self, world: &'r World, fields: &'r Fields) -> Cow<'r, str> {
        let value = self.value(world, fields);
        let reference = self
            .definition(world)
            .filter(|column| column.kind == Kind::Reference);
        match reference
            .and_then(|column| Some((column.reference.as_deref()?, column.reference_key.as_str())))
        {
            Some((target, key)) => {
                Cow::Owned(world.display_of(target, key, value).unwrap_or_default())
            }
            None => Cow::Borrowed(value),
        }
    }
}
