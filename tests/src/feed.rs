//! The feed of a source, for tests in which nothing of it was removed.

use sea_orm::ConnectionTrait;
use shared::event::RequestEvent;
use shared::store::StoreError;
use shared::store::events::{self, FeedCursor, Stretch};

/// At most `limit` events of a source after `cursor`, oldest first, each with the cursor that stands behind it.
pub async fn after(
    conn: &impl ConnectionTrait,
    source: &str,
    cursor: Option<FeedCursor>,
    limit: u64,
) -> Result<Vec<(FeedCursor, RequestEvent)>, StoreError> {
    match events::after(conn, source, cursor, limit).await? {
        Stretch::Events(found) => Ok(found),
        Stretch::Removed(newest) => panic!("events were removed; the newest is at {newest}"),
    }
}
