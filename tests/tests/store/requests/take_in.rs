//! A new request with all that belongs to it, in one statement of PostgreSQL.

use shared::job::JobState;
use shared::store::audit::{self, Actor};
use shared::store::jobs::{self, QueuedJob};
use shared::store::requests::{self, Draft};
use shared::store::{Store, StoreError, switches, tickets};
use shared::ticket::TicketKind;
use tests::databases::{Flavour, fresh};
use tests::feed;

use super::new;
use crate::{create_job, seconds, stored_request, together};

async fn take_in(
    store: &Store,
    external_id: &str,
    rung: bool,
) -> Result<(Draft, Option<QueuedJob>), StoreError> {
    let now = crate::start();
    let draft = Draft::new(&new(external_id), now)?;
    let id = draft.request.id;
    let ticket = tickets::NewTicket {
        request_id: id,
        connection: "main".to_owned(),
        kind: TicketKind::Table("incident".to_owned()),
        sys_id: Some("4f6b0a5e1b2c4d3e8f9a0b1c2d3e4f5a".to_owned()),
        correlation_id: id.to_string(),
    };
    let job = (create_job(id), rung);
    let queued = requests::take_in(store.conn(), &draft, &ticket, job, now).await?;
    Ok((draft, queued))
}

#[tokio::test]
async fn a_new_request_is_stored_with_all_that_belongs_to_it() {
    let db = fresh(Flavour::Postgres).await;
    let conn = db.store.conn();
    let (draft, queued) = take_in(&db.store, "R-1", true).await.unwrap();
    let (request, queued) = (draft.request, queued.unwrap());
    // What one statement stores is what several store.
    let by_steps = stored_request(&db, "R-2", false).await;
    assert_eq!(
        requests::find(conn, request.id).await.unwrap().as_ref(),
        Some(&request)
    );
    assert_eq!((request.state, request.version), (by_steps.state, 1));
    assert_eq!(
        requests::asked_originally(conn, request.id).await.unwrap(),
        Some(request.asked.clone())
    );
    let ticket = tickets::of_request(conn, request.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((ticket.connection.as_str(), ticket.exists), ("main", false));
    let job = jobs::find(conn, queued.id).await.unwrap().unwrap();
    assert_eq!(
        (job.state, job.request_id),
        (JobState::Rung, Some(request.id))
    );
    let trail = audit::of_request(conn, request.id).await.unwrap();
    let expected = audit::of_request(conn, by_steps.id).await.unwrap();
    assert_eq!(trail.len(), 1);
    assert_eq!(
        (&trail[0].actor, &trail[0].action, &trail[0].to),
        (&expected[0].actor, &expected[0].action, &expected[0].to)
    );
    let news = feed::after(conn, "idm", None, 10).await.unwrap();
    assert_eq!(news.len(), 2);
    assert_eq!(
        (news[0].1.kind.as_str(), news[0].1.data.id),
        ("request.accepted", request.id)
    );
}

#[tokio::test]
async fn a_job_for_a_deep_lane_is_left_due() {
    let db = fresh(Flavour::Postgres).await;
    let queued = take_in(&db.store, "R-1", false).await.unwrap().1.unwrap();
    assert!(!queued.rung);
    let job = jobs::find(db.store.conn(), queued.id).await.unwrap();
    assert_eq!(job.unwrap().state, JobState::Due);
}

#[tokio::test]
async fn nothing_is_stored_for_what_was_asked_before_or_may_not_be_asked() {
    let db = fresh(Flavour::Postgres).await;
    let conn = db.store.conn();
    let first = take_in(&db.store, "R-1", true).await.unwrap().0.request;
    assert_eq!(take_in(&db.store, "R-1", true).await.unwrap().1, None);
    let now = crate::start() + seconds(1);
    let operator = Actor::Operator("ann".to_owned());
    switches::set(conn, "route:sap", false, None, &operator, now)
        .await
        .unwrap();
    let (draft, queued) = take_in(&db.store, "R-2", true).await.unwrap();
    assert_eq!(queued, None);
    let id = draft.request.id;
    assert_eq!(requests::find(conn, id).await.unwrap(), None);
    assert_eq!(tickets::of_request(conn, id).await.unwrap(), None);
    assert_eq!(jobs::of_request(conn, id).await.unwrap(), Vec::new());
    assert_eq!(audit::of_request(conn, id).await.unwrap(), Vec::new());
    assert_eq!(jobs::of_request(conn, first.id).await.unwrap().len(), 1);
    assert_eq!(feed::after(conn, "idm", None, 10).await.unwrap().len(), 1);
    switches::set(conn, "route:sap", true, None, &operator, now)
        .await
        .unwrap();
    assert!(take_in(&db.store, "R-2", true).await.unwrap().1.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_calls_make_one_request() {
    let db = fresh(Flavour::Postgres).await;
    let results = together(&db.store, 16, |store, _| async move {
        Ok(take_in(&store, "R-1", true).await?.1)
    })
    .await;
    assert_eq!(results.iter().flatten().count(), 1);
    let conn = db.store.conn();
    let request = requests::by_natural_key(conn, "idm", "R-1").await.unwrap();
    let jobs = jobs::of_request(conn, request.unwrap().id).await.unwrap();
    assert_eq!(jobs.len(), 1);
}
