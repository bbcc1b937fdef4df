//! What runs begin with, read for all that begin at the same time.
//!
//! Read after the claim, never in the same statement: a claim may wait for the transaction that made the ticket and left its news to
//! the very job that is claimed, and PostgreSQL shows a statement what was there when it began. Its run would find no ticket, and end.

use std::collections::HashMap;

use shared::request::Request;
use shared::store::{Store, StoreError, table_facts, tickets};
use shared::ticket::Ticket;
use uuid::Uuid;

use crate::gather::Gather;

/// A ticket, its request, and what is known of its table.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) ticket: Ticket,
    pub(crate) request: Request,
    /// What earlier echoes of the table showed; `None` while nobody has tried.
    pub(crate) honours_sys_id: Option<bool>,
}

/// The reads of a process, gathered.
#[derive(Default)]
pub(crate) struct Loads(Gather<Uuid, Read>);

enum Read {
    Found(Box<Loaded>),
    Missing,
    /// The statement for all has failed; whoever reads alone learns why.
    Failed,
}

impl Loads {
    /// Reads the ticket of a request. `None` when it is not stored.
    pub(crate) async fn load(
        &self,
        store: &Store,
        request_id: Uuid,
    ) -> Result<Option<Box<Loaded>>, StoreError> {
        let read = self.0.submit(request_id, |ids| batch(store, ids)).await;
        match read {
            Some(Read::Found(loaded)) => Ok(Some(loaded)),
            Some(Read::Missing) => Ok(None),
            Some(Read::Failed) | None => Ok(read_all(store, &[request_id])
                .await?
                .remove(&request_id)
                .map(Box::new)),
        }
    }
}

async fn batch(store: &Store, ids: Vec<Uuid>) -> Vec<Read> {
    let Ok(found) = read_all(store, &ids).await else {
        return ids.iter().map(|_| Read::Failed).collect();
    };
    // Two jobs of one request may begin at the same time: what is found is not used up.
    let read = |id| match found.get(id) {
        Some(loaded) => Read::Found(Box::new(loaded.clone())),
        None => Read::Missing,
    };
    ids.iter().map(read).collect()
}

async fn read_all(store: &Store, ids: &[Uuid]) -> Result<HashMap<Uuid, Loaded>, StoreError> {
    let conn = store.conn();
    let (pairs, facts) =
        tokio::try_join!(tickets::with_requests(conn, ids), table_facts::all(conn))?;
    let loaded = |(ticket, request): (Ticket, Request)| {
        let of_table = facts
            .iter()
            .find(|it| it.connection == ticket.connection && it.table == ticket.kind.table());
        let honours_sys_id = of_table.and_then(|it| it.honours_sys_id);
        let loaded = Loaded {
            ticket,
            request,
            honours_sys_id,
        };
        (loaded.request.id, loaded)
    };
    Ok(pairs.into_iter().map(loaded).collect())
}
