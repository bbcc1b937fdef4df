//! Requests: taken in once, changed by compare-and-set, listed in pages.

mod changes;
mod intake;
mod lists;
mod take_in;

use shared::request::{Request, RequestState};
use shared::store::audit::Actor;
use shared::store::requests::{self, Applied, Change, NewRequest};
use tests::databases::TestDatabase;

use crate::{asked, seconds, start};

fn new(external_id: &str) -> NewRequest {
    NewRequest {
        source: "idm".into(),
        route: "sap".into(),
        asked: asked(external_id),
        has_callback: false,
        actor: "idm".into(),
    }
}

fn to(state: RequestState) -> Change {
    Change {
        state: Some(state),
        ..Change::default()
    }
}

const WORKER: Actor = Actor::System("worker");

async fn applied(db: &TestDatabase, current: &Request, change: &Change) -> Applied {
    let tx = db.store.begin().await.unwrap();
    let applied = requests::apply(
        &tx,
        current,
        change,
        &WORKER,
        "request.moved",
        start() + seconds(60),
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    applied
}

async fn changed(db: &TestDatabase, current: &Request, change: &Change) -> Request {
    match applied(db, current, change).await {
        Applied::Changed(request, _) => request,
        other => panic!("expected a change, got {other:?}"),
    }
}
