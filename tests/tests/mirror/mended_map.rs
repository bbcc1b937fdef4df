//! A mended state map is applied to tickets that do not change any more: once, without a call, and never to what has ended (N24).

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shared::clock::Clock as _;
use shared::request::RequestState;
use shared::store::audit::Actor;
use shared::store::switches;
use shared::store::tickets::{self, Saved};
use shared::ticket::Ticket;
use simulator::CallFilter;
use tests::databases::Flavour;
use tests::running::Running;
use uuid::Uuid;

/// Its map knows two states.
const ROUTES: &str = "[[routes]]\nname = \"mapped\"\ncategory = \"mapped\"\nconnection = \"main\"\ntable = \"incident\"\n\
    [routes.fields]\nshort_description = \"{{ item }}\"\n[routes.states_in]\n\"1\" = \"open\"\n\"2\" = \"in_progress\"\n\
    [[routes]]\nname = \"held\"\ncategory = \"held\"\nconnection = \"main\"\ntable = \"incident\"\nmastery = \"source\"\n\
    [routes.fields]\nshort_description = \"{{ item }}\"\n[routes.states_in]\n\"1\" = \"open\"\n\"8\" = \"cancelled\"\n";

const MAPPED: &str = "\"2\" = \"in_progress\"";
const HELD: &str = "\"8\" = \"cancelled\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_mended_map_reaches_tickets_that_do_not_change_sqlite() {
    a_mended_map_reaches_tickets_that_do_not_change(Flavour::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_mended_map_reaches_tickets_that_do_not_change_postgres() {
    a_mended_map_reaches_tickets_that_do_not_change(Flavour::Postgres).await;
}

/// A bridge whose worker has told which maps it has.
async fn bridge(flavour: Flavour) -> Running {
    let it = Running::with(flavour, ROUTES).await;
    worker::decisions::announce(&it.worker).await.unwrap();
    it.main.set_knobs(|knobs| knobs.choice_strict = false);
    it
}

/// Brings a ticket to a state behind the bridge's back, and lets it be read.
async fn moved(it: &Running, id: Uuid, state: &str) {
    it.advance(Duration::from_secs(30));
    let sys_id = it.ticket(id).await.sys_id.unwrap();
    it.main
        .update(None, "incident", &sys_id, &[("state", state)])
        .unwrap();
    it.look().await;
}

/// A worker that starts later, with another map.
async fn mended(it: &Running, from: &str, to: &str) -> Arc<worker::Context> {
    it.advance(Duration::from_secs(30));
    let worker = it.fresh_worker_with(from, to);
    worker::decisions::announce(&worker).await.unwrap();
    worker
}

async fn tick(worker: &worker::Context) -> usize {
    worker::decisions::tick(worker).await.unwrap()
}

async fn entries(it: &Running, id: Uuid) -> Vec<(Option<String>, Option<String>)> {
    let trail = it.audit(id).await.into_iter();
    let again = trail.filter(|entry| entry.action == "ticket.decided_again");
    again.map(|entry| (entry.from, entry.to)).collect()
}

async fn a_mended_map_reaches_tickets_that_do_not_change(flavour: Flavour) {
    let it = bridge(flavour).await;
    let (id, ended) = (
        it.opened("R1", "mapped").await,
        it.opened("R2", "mapped").await,
    );
    for id in [id, ended] {
        moved(&it, id, "42").await;
        let request = it.request(id).await;
        assert_eq!(request.state, RequestState::Open);
        assert!(request.attention.unwrap().starts_with("Unmapped value:"));
    }
    // What its source has ended stays ended, though its end is not written to the ticket yet.
    it.say(ended, "withdrawn", json!({"reason": "Changed my mind."}))
        .await;
    let before = it.request(ended).await;
    let calls = it.main.count(&CallFilter::default());
    let mend = format!("{MAPPED}\n\"42\" = \"on_hold\"");
    let (first, second) = (
        mended(&it, MAPPED, &mend).await,
        it.fresh_worker_with(MAPPED, &mend),
    );
    let both = tokio::join!(tick(&first), tick(&second));
    assert_eq!(both.0 + both.1, 1, "{both:?}");
    let request = it.request(id).await;
    assert_eq!(
        (request.state, request.attention.clone()),
        (RequestState::OnHold, None)
    );
    let once = [(Some("open".to_owned()), Some("on_hold".to_owned()))];
    assert_eq!(entries(&it, id).await, once);
    assert_eq!(it.request(ended).await, before, "an end is never left");
    assert_eq!(it.main.count(&CallFilter::default()), calls, "no call");
    let decided = it.ticket(id).await.decided.unwrap();
    assert_eq!(decided.rule.as_deref(), Some("states_in.\"42\""));
    it.settle().await;
    assert_eq!(it.receiver.types().last().unwrap(), "request.on_hold");

    // Nothing is left to do, and a worker that still has the old map changes nothing back.
    assert_eq!(tick(&first).await, 0);
    assert_eq!(tick(&it.worker).await, 0);
    it.reconcile("incident").await;
    assert_eq!(it.request(id).await.version, request.version);
    assert_eq!(entries(&it, id).await, once);
}

#[tokio::test]
async fn what_a_map_decided_otherwise_is_decided_again() {
    let it = bridge(Flavour::Sqlite).await;
    let id = it.opened("R1", "mapped").await;
    moved(&it, id, "2").await;
    assert_eq!(it.request(id).await.state, RequestState::InProgress);
    let worker = mended(&it, MAPPED, "\"2\" = \"on_hold\"").await;
    assert_eq!(tick(&worker).await, 1);
    assert_eq!(it.request(id).await.state, RequestState::OnHold);
    // A map that ends a request tells why, as a change would have.
    let worker = mended(&it, MAPPED, "\"2\" = \"fulfilled\"").await;
    assert_eq!(tick(&worker).await, 1);
    assert_eq!(it.request(id).await.state, RequestState::Fulfilled);
    let worker = mended(&it, MAPPED, MAPPED).await;
    assert_eq!(tick(&worker).await, 0, "an ended request is left alone");
    assert_eq!(it.request(id).await.state, RequestState::Fulfilled);
}

#[tokio::test]
async fn a_pause_of_what_is_read_stops_a_wrong_map() {
    let it = bridge(Flavour::Sqlite).await;
    let id = it.opened("R1", "mapped").await;
    let wrong = mended(&it, "\"1\" = \"open\"", "\"1\" = \"fulfilled\"").await;
    let pause = async |on: bool| {
        let (tx, now) = (
            it.bridge.store().begin().await.unwrap(),
            it.bridge.clock.now(),
        );
        let lane = switches::of_lane(Some("ticket-status@main"));
        switches::set(&tx, &lane, on, None, &Actor::System("test"), now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    };
    pause(false).await;
    assert_eq!(tick(&wrong).await, 0);
    assert_eq!(it.request(id).await.state, RequestState::Open);
    // It was noticed in time: the map is mended before somebody resumes.
    let right = mended(&it, MAPPED, &format!("{MAPPED}\n\"42\" = \"on_hold\"")).await;
    pause(true).await;
    assert_eq!((tick(&wrong).await, tick(&right).await), (0, 1));
    assert_eq!(it.request(id).await.state, RequestState::Open);
}

#[tokio::test]
async fn a_conflict_that_only_the_map_made_ends_with_it() {
    let it = bridge(Flavour::Sqlite).await;
    let (id, ended) = (it.opened("R1", "held").await, it.opened("R2", "held").await);
    for id in [id, ended] {
        moved(&it, id, "42").await;
        let flag = it.request(id).await.attention.unwrap();
        assert!(flag.starts_with("Conflict:"), "{flag}");
    }
    let written = it.calls("table.update", "incident");
    // Its end is not written to the ticket yet, so that it is still watched.
    it.say(ended, "withdrawn", json!({"reason": "Changed my mind."}))
        .await;
    let before = it.request(ended).await;
    let worker = mended(&it, HELD, &format!("{HELD}\n\"42\" = \"in_progress\"")).await;
    assert_eq!(tick(&worker).await, 2);
    let request = it.request(id).await;
    assert_eq!(
        (request.state, request.attention),
        (RequestState::Open, None)
    );
    assert_eq!(it.request(ended).await, before, "an end is never left");
    assert!(entries(&it, ended).await.is_empty());
    assert_eq!(it.calls("table.update", "incident"), written);
}

#[tokio::test]
async fn a_ticket_that_cannot_be_seen_stays_flagged() {
    let it = bridge(Flavour::Sqlite).await;
    let id = it.opened("R1", "mapped").await;
    moved(&it, id, "2").await;
    it.advance(Duration::from_mins(10));
    let sys_id = it.ticket(id).await.sys_id.unwrap();
    it.main.delete("incident", &sys_id).unwrap();
    it.reconcile("incident").await;
    let flag = it.request(id).await.attention;
    assert!(flag.as_deref().unwrap().starts_with("Not visible:"));
    let worker = mended(&it, MAPPED, "\"2\" = \"on_hold\"").await;
    assert_eq!(tick(&worker).await, 1);
    let request = it.request(id).await;
    assert_eq!(
        (request.state, request.attention),
        (RequestState::OnHold, flag)
    );
}

#[tokio::test]
async fn a_walk_goes_on_where_it_was() {
    let it = bridge(Flavour::Sqlite).await;
    let mut ids = Vec::new();
    for number in 0..103 {
        ids.push(it.ask(&format!("R{number}"), "mapped").await);
    }
    it.settle().await;
    let worker = mended(&it, MAPPED, &format!("{MAPPED}\n\"42\" = \"on_hold\"")).await;
    let mut ticks = Vec::new();
    for _ in 0..3 {
        ticks.push(tick(&worker).await);
    }
    assert_eq!(ticks, [100, 3, 0]);
    for id in ids {
        let decided = it.ticket(id).await.decided.unwrap();
        assert_eq!(decided.state, Some(RequestState::Open));
        assert!(entries(&it, id).await.is_empty(), "nothing changed for it");
    }
}

#[tokio::test]
async fn a_read_by_id_decides_what_the_walk_has_not_reached() {
    let it = bridge(Flavour::Sqlite).await;
    let id = it.opened("R1", "mapped").await;
    // Stored by a version that kept no decisions, and the walk is over.
    assert_eq!(tick(&it.worker).await, 0);
    let known = it.ticket(id).await;
    let before = Ticket {
        decided: None,
        ..known.clone()
    };
    let now = it.bridge.clock.now();
    let saved = tickets::save(it.bridge.store().conn(), &known, &before, now).await;
    assert_eq!(saved.unwrap(), Saved::Saved);
    it.advance(Duration::from_mins(10));
    it.reconcile("incident").await;
    let decided = it.ticket(id).await.decided.unwrap();
    assert_eq!(decided.state, Some(RequestState::Open));
}
