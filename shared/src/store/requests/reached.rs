//! Which of many requests have come as far as somebody waits for: one statement for all who wait.

use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use crate::store::StoreError;
use crate::store::sql::Sql;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Goal {
    /// Its ticket is in ServiceNow, or never will be because the request has ended.
    Ticket,
    /// It is in a final state.
    End,
}

#[derive(FromQueryResult)]
struct Reached {
    id: Uuid,
}

/// Those of `ids` that have reached the goal.
pub async fn reached(
    conn: &impl ConnectionTrait,
    ids: &[Uuid],
    goal: Goal,
) -> Result<Vec<Uuid>, StoreError> {
    let sql = match goal {
        Goal::Ticket => Sql::new(
            conn,
            "SELECT requests.id FROM requests LEFT JOIN tickets ON tickets.request_id = requests.id \
             WHERE (requests.closed_at IS NOT NULL OR tickets.in_servicenow) AND requests.id",
        ),
        Goal::End => Sql::new(
            conn,
            "SELECT id FROM requests WHERE closed_at IS NOT NULL AND id",
        ),
    };
    let rows: Vec<Reached> = sql.one_of(ids).all(conn).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
