//! Who may see and change what: table rights by role, row and field ACLs, own tickets.

use super::{Act, Fields, Seen, World};
use crate::knobs::FieldAcl;
use crate::query;
use crate::refusal::Refusal;

/// What an ACL guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Read,
    Write,
    Create,
    Delete,
}

/// How far a right reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    All,
    /// Only rows the user is caller, opener or beneficiary of.
    Own,
    None,
}

/// Columns that make a ticket somebody's own.
const OWNERS: &[&str] = &["caller_id", "opened_by", "requested_for"];

impl World {
    /// The actor's right on a table: by the nearest list of roles in its lineage, else admins only.
    pub(crate) fn right(&self, act: &Act<'_>, verb: Verb, table: &str) -> Right {
        if act.actor.is_admin() {
            return Right::All;
        }
        let mut lists = self.dictionary.lineage(table).map(|table| match verb {
            Verb::Read => &table.read,
            Verb::Write => &table.write,
            Verb::Create => &table.create,
            Verb::Delete => &table.delete,
        });
        let Some(roles) = lists.find(|roles| !roles.is_empty()) else {
            return Right::None;
        };
        if roles
            .iter()
            .any(|role| role == "user" || act.actor.has(role))
        {
            return Right::All;
        }
        if roles.iter().any(|role| role == "own") {
            Right::Own
        } else {
            Right::None
        }
    }

    /// Tables that answer 403 instead of an empty list to readers without rights.
    pub(crate) fn check_readable(&self, act: &Act<'_>, table: &str) -> Result<(), Refusal> {
        let forbids = self
            .dictionary
            .table(table)
            .is_some_and(|table| table.denied.as_deref() == Some("forbid"));
        if forbids && self.right(act, Verb::Read, table) == Right::None {
            return Err(Refusal::NotAuthorized);
        }
        Ok(())
    }

    /// Whether the actor sees a row at all.
    pub(crate) fn sees_row(&self, act: &Act<'_>, row: Seen<'_>) -> bool {
        if act.actor.is_admin() {
            return true;
        }
        if row.class == "sys_journal_field" && act.knobs.journal_hidden {
            return false;
        }
        self.reaches(act, Verb::Read, row.class, row.fields) && !self.hidden_by_rule(act, row)
    }

    /// Whether the actor may do `verb` to a row it sees.
    pub(crate) fn may(&self, act: &Act<'_>, verb: Verb, class: &str, fields: &Fields) -> bool {
        if act.actor.is_admin() {
            return true;
        }
        // Closed incidents are read-only for everybody else (wire contract 3.2).
        let frozen = verb == Verb::Write && class == "incident" && fields.get("state") == "7";
        !frozen && self.reaches(act, verb, class, fields)
    }

    fn reaches(&self, act: &Act<'_>, verb: Verb, class: &str, fields: &Fields) -> bool {
        match self.right(act, verb, class) {
            Right::All => true,
            Right::Own => OWNERS
                .iter()
                .any(|column| !act.actor.id.is_empty() && fields.get(column) == act.actor.id),
            Right::None => false,
        }
    }

    fn hidden_by_rule(&self, act: &Act<'_>, row: Seen<'_>) -> bool {
        act.knobs.row_acl.iter().any(|rule| {
            let exempt = rule
                .unless_role
                .as_deref()
                .is_some_and(|role| act.actor.has(role));
            !exempt
                && self.dictionary.extends(row.class, &rule.table)
                && query::matches(self, act, row.class, row.fields, &rule.query)
        })
    }

    /// Whether the actor may read a field of a table.
    pub(crate) fn sees_field(&self, act: &Act<'_>, table: &str, field: &str) -> bool {
        !self.field_rules(act, table, field).any(|rule| rule.hidden)
    }

    /// Whether the actor may write a field of a table.
    pub(crate) fn writes_field(&self, act: &Act<'_>, table: &str, field: &str) -> bool {
        !self
            .field_rules(act, table, field)
            .any(|rule| rule.hidden || rule.read_only)
    }

    fn field_rules<'a>(
        &'a self,
        act: &Act<'a>,
        table: &'a str,
        field: &'a str,
    ) -> impl Iterator<Item = &'a FieldAcl> {
        let actor = act.actor;
        let rules = act
            .knobs
            .field_acl
            .iter()
            .filter(move |_| !actor.is_admin());
        rules.filter(move |rule| {
            let exempt = rule
                .unless_role
                .as_deref()
                .is_some_and(|role| actor.has(role));
            rule.field == field && !exempt && self.dictionary.extends(table, &rule.table)
        })
    }

    /// The key of the first row of `table` that displays as `text`, compared without case.
    pub(crate) fn find_by_display(&self, table: &str, text: &str) -> Option<String> {
        let column = self.dictionary.display_column(table);
        let alternative = if table == "sys_user" {
            "user_name"
        } else {
            column
        };
        let named = |fields: &Fields, column: &str| fields.get(column).eq_ignore_ascii_case(text);
        let mut rows = self.dump(table).into_iter();
        let found = rows.find(|fields| named(fields, column) || named(fields, alternative));
        found.map(|fields| fields.sys_id().to_owned())
    }
}
