//! The steps that tell what is wrong with a connection, each with its fix (N14). They only read. `ticketbridge doctor` and the job
//! `check_connection.v1` take them.

mod credential;
mod servicenow;

pub use credential::examine as credential;
pub use servicenow::examine as servicenow;

use shared::route::Routes;

/// The tables of a connection that routes write to.
pub fn tables(routes: &Routes, connection: &str) -> Vec<String> {
    let mut tables: Vec<String> = routes
        .iter()
        .filter(|route| route.connection == connection)
        .map(|route| route.kind.table().to_owned())
        .collect();
    tables.sort();
    tables.dedup();
    tables
}
