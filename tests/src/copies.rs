//! Many requests, in a moment: written by the database itself.

use sea_orm::ConnectionTrait as _;
use shared::store::Store;

/// Copies a stored request so many times: the same but for id and external id (`C-17`), and as old as it is.
///
/// # Panics
/// When the statement is refused.
pub async fn copies(store: &Store, external_id: &str, count: u32) {
    let (id, numbers) = if store.is_postgres() {
        (
            "gen_random_uuid()",
            format!("SELECT n FROM generate_series(1, {count}) AS n"),
        )
    } else {
        (
            "randomblob(16)",
            format!(
                "WITH RECURSIVE walk(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM walk WHERE n < {count}) SELECT n FROM walk"
            ),
        )
    };
    let columns = "source, route, category, item, requester, requested_for, asked, asked_originally, state, has_callback, watched, \
                   version, created_at, updated_at";
    let statement = format!(
        "INSERT INTO requests (id, external_id, {columns}) SELECT {id}, 'C-' || numbers.n, {columns} FROM requests CROSS JOIN \
         ({numbers}) AS numbers WHERE external_id = '{external_id}'"
    );
    store
        .conn()
        .execute_unprepared(&statement)
        .await
        .expect("a stored request can be copied");
}
