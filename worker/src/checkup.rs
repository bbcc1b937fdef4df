//! The steps that tell what is wrong with a connection, each with its fix (N14). They change nothing. `ticketbridge doctor` and the job
//! `check_connection.v1` take them.

mod access;
mod credential;
mod servicenow;

pub use credential::examine as credential;
pub use servicenow::examine as servicenow;

use shared::route::Routes;
use shared::store::table_facts::Facts;

/// What keeps most accounts from reading choice lists (wire contract 3.9).
pub(crate) const UNREADABLE: &str = "The account of this connection may not read sys_choice: it is refused, or sees labels only, as \
     accounts without admin do";
/// What to do about it.
pub(crate) const GRANT: &str = "Grant a role of the account read access (an ACL) to sys_choice and to its columns name, element, value, \
     label, language and inactive; until then a value that nobody mapped shows with the first ticket that has it.";

/// A table that routes write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedTable {
    /// Its name.
    pub name: String,
    /// Whether the instance has taken a ticket of ours in it.
    pub has_taken: bool,
}

/// The tables of a connection that routes write to; `facts` is what was learned of tables.
pub fn tables(routes: &Routes, connection: &str, facts: &[Facts]) -> Vec<CheckedTable> {
    let mut names: Vec<&str> = routes
        .iter()
        .filter(|route| route.connection == connection)
        .map(|route| route.kind.table())
        .collect();
    names.sort_unstable();
    names.dedup();
    let has_taken = |name: &str| {
        let mut of_table = facts
            .iter()
            .filter(|it| it.connection == connection && it.table == name);
        of_table.any(|it| it.honours_sys_id.is_some())
    };
    names
        .into_iter()
        .map(|name| CheckedTable {
            name: name.to_owned(),
            has_taken: has_taken(name),
        })
        .collect()
}
