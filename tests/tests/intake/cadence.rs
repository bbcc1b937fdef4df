use std::time::Duration;

use chrono::TimeDelta;
use scheduler::cadence::{settle, tick};
use serde_json::json;
use shared::clock::Clock as _;
use shared::job::{JobState, Lease};
use shared::request::RequestState;
use shared::store::audit::Actor;
use shared::store::cadences;
use shared::store::choice_lists::{self, Reading};
use shared::store::jobs::{self, Ending};
use shared::store::requests::{self, Change};
use shared::store::tickets::{self, Saved};
use tests::bridge::{Bridge, PRESET};
use tests::databases::Flavour;
use uuid::Uuid;

on_both!(
    each_table_has_its_cadences_and_an_idle_one_costs_no_call,
    three_schedulers_start_one_run,
    a_run_that_lasts_keeps_the_next_one_out,
    missed_turns_are_not_made_up_for,
);

const LANE: &str = "ticket-status@main";

/// Stores a request whose ticket exists.
async fn open_ticket(bridge: &Bridge, external_id: &str) -> Uuid {
    let id = bridge
        .api("idm")
        .await
        .create(external_id, "application-access")
        .await;
    let (conn, now) = (bridge.store().conn(), bridge.clock.now());
    let ticket = tickets::of_request(conn, id).await.unwrap().unwrap();
    let after = shared::ticket::Ticket {
        exists: true,
        number: Some("INC0010001".into()),
        ..ticket.clone()
    };
    assert_eq!(
        tickets::save(conn, &ticket, &after, now).await.unwrap(),
        Saved::Saved
    );
    id
}

async fn each_table_has_its_cadences_and_an_idle_one_costs_no_call(bridge: &Bridge) {
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 0);
    let all = cadences::list(bridge.store().conn()).await.unwrap();
    let names: Vec<_> = all
        .iter()
        .map(|it| (it.name.as_str(), it.every.as_secs()))
        .collect();
    assert_eq!(
        names,
        [
            ("changes:main:incident", 30),
            ("changes:main:sc_req_item", 30),
            ("changes:main:sc_task", 30),
            ("drift:main:incident", 3600),
            ("drift:main:sc_req_item", 3600),
            ("drift:main:sc_task", 3600),
            ("reconcile:main:incident", 1800),
            ("reconcile:main:sc_req_item", 1800),
            ("reconcile:main:sc_task", 1800),
        ]
    );
    assert!(
        bridge.bells(LANE).await.is_empty(),
        "no ticket is open, nothing is read"
    );
    let id = open_ticket(bridge, "R1").await;
    assert_eq!(
        tick(&bridge.scheduler).await.unwrap(),
        0,
        "its turn has been taken"
    );
    bridge.clock.advance(Duration::from_secs(30));
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 1);
    let bells = bridge.bells(LANE).await;
    let job = jobs::find(bridge.store().conn(), bells[0])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        job.payload,
        json!({"mode": "changes", "connection": "main", "table": "incident"})
    );
    assert_eq!(job.state, JobState::Rung);
    let request = requests::find(bridge.store().conn(), id)
        .await
        .unwrap()
        .unwrap();
    let change = Change {
        state: Some(RequestState::Fulfilled),
        ..Change::default()
    };
    let (actor, now) = (Actor::System("worker"), bridge.clock.now());
    requests::apply(
        bridge.store().conn(),
        &request,
        &change,
        &actor,
        "request.fulfilled",
        now,
    )
    .await
    .unwrap();
}

async fn three_schedulers_start_one_run(bridge: &Bridge) {
    open_ticket(bridge, "R1").await;
    let (two, three) = (
        bridge.another_scheduler().await,
        bridge.another_scheduler().await,
    );
    let mut started = 0;
    for _ in 0..5 {
        let (a, b, c) = tokio::join!(tick(&bridge.scheduler), tick(&two), tick(&three));
        started += a.unwrap() + b.unwrap() + c.unwrap();
    }
    assert_eq!(
        started, 3,
        "one run of each cadence: changes, reconciliation and comparison"
    );
    assert_eq!(bridge.bells(LANE).await.len(), 3);
    let reads = jobs::counts(bridge.store().conn()).await.unwrap();
    let reads: Vec<_> = reads
        .iter()
        .filter(|count| count.lane == LANE)
        .map(|count| count.count)
        .collect();
    assert_eq!(reads, [3]);
}

async fn a_run_that_lasts_keeps_the_next_one_out(bridge: &Bridge) {
    open_ticket(bridge, "R1").await;
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 3);
    let conn = bridge.store().conn();
    let bells = bridge.bells(LANE).await;
    let claimed = jobs::claim(conn, &bells, "worker", bridge.clock.now())
        .await
        .unwrap();
    assert_eq!(claimed.len(), 3);
    for _ in 0..3 {
        bridge.clock.advance(Duration::from_secs(30));
        assert_eq!(tick(&bridge.scheduler).await.unwrap(), 0);
    }
    for job in &claimed {
        let lease = Lease {
            owner: "worker".into(),
            token: job.lease.token,
        };
        jobs::finish(conn, job.id, &lease, &Ending::Done, bridge.clock.now())
            .await
            .unwrap();
    }
    let live = jobs::counts(conn).await.unwrap();
    assert!(
        live.iter().all(|count| count.lane != LANE),
        "the runs end, they are not asked to run again"
    );
    bridge.clock.advance(Duration::from_secs(30));
    assert_eq!(
        tick(&bridge.scheduler).await.unwrap(),
        1,
        "the next turn is taken"
    );
}

async fn missed_turns_are_not_made_up_for(bridge: &Bridge) {
    open_ticket(bridge, "R1").await;
    tick(&bridge.scheduler).await.unwrap();
    let now = bridge.clock.advance(Duration::from_secs(3605));
    tick(&bridge.scheduler).await.unwrap();
    let all = cadences::list(bridge.store().conn()).await.unwrap();
    for cadence in all {
        assert!(cadence.next_at > now, "{}", cadence.name);
        assert!(
            cadence.next_at <= now + TimeDelta::from_std(cadence.every).unwrap(),
            "{}",
            cadence.name
        );
    }
}

#[tokio::test]
async fn choice_lists_are_compared_although_no_ticket_is_open() {
    let nightly = PRESET.replacen("choices_hours = 0\n", "", 1);
    let bridge = Bridge::with(Flavour::Sqlite, &nightly).await;
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 3, "one a table");
    let conn = bridge.store().conn();
    let mut seen = Vec::new();
    for bell in bridge.bells(LANE).await {
        let job = jobs::find(conn, bell).await.unwrap().unwrap();
        assert_eq!(job.kind, "check_choices.v1");
        seen.push(job.payload["table"].as_str().unwrap().to_owned());
    }
    seen.sort_unstable();
    assert_eq!(seen, ["incident", "sc_req_item", "sc_task"]);
    let all = cadences::list(conn).await.unwrap();
    let of_choices = all.iter().find(|it| it.name == "choices:main:incident");
    assert_eq!(of_choices.unwrap().every, Duration::from_hours(24));
    // What a table without a route once offered is forgotten.
    for table in ["incident", "u_old"] {
        let reading = Reading {
            connection: "main".into(),
            table: table.into(),
            read_at: bridge.clock.now(),
            problem: None,
            lists: Vec::new(),
        };
        choice_lists::put(conn, &reading).await.unwrap();
    }
    settle(&bridge.scheduler).await.unwrap();
    let left = choice_lists::all(conn).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].table, "incident");
}

#[tokio::test]
async fn a_route_that_is_gone_leaves_its_open_tickets_followed() {
    let bridge = Bridge::start(Flavour::Sqlite).await;
    open_ticket(&bridge, "R1").await;
    tick(&bridge.scheduler).await.unwrap();
    let rest = PRESET.find("[[routes]]").unwrap();
    let without = Bridge::with(Flavour::Sqlite, &PRESET[..rest]).await;
    let scheduler = scheduler::Scheduler::new(
        bridge.database.reopen().await,
        bridge.broker.clone(),
        without.scheduler.routes.clone(),
        without.scheduler.settings.clone(),
        bridge.clock.clone(),
        tokio_util::sync::CancellationToken::new(),
    );
    assert_eq!(
        settle(&scheduler).await.unwrap(),
        6,
        "tables without route and without open tickets"
    );
    let needed = [
        "changes:main:incident",
        "drift:main:incident",
        "reconcile:main:incident",
    ];
    let conn = bridge.store().conn();
    let names = async || -> Vec<String> {
        let left = cadences::list(conn).await.unwrap();
        left.into_iter().map(|it| it.name).collect()
    };
    assert_eq!(names().await, needed);
    cadences::remove_others(conn, &[]).await.unwrap();
    assert_eq!(settle(&scheduler).await.unwrap(), 0);
    assert_eq!(names().await, needed, "made anew while a ticket is open");
    assert_eq!(tick(&scheduler).await.unwrap(), 0);
}
