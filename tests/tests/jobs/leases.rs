//! Jobs are run under a lease: whoever has lost it writes nothing, neither here nor there (ARCHITECTURE.md, invariant 4).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DbBackend};
use shared::clock::Clock;
use shared::job::JobState;
use shared::queue::Doorbell;
use shared::request::RequestState;
use shared::store::{jobs, processes};
use tests::clock::ManualClock;
use tests::databases::Flavour;
use tests::running::Running;
use uuid::Uuid;

on_both!(
    what_a_worker_learned_after_it_lost_its_job_is_dropped,
    a_worker_taken_for_dead_begins_anew,
    a_run_of_a_lost_lease_writes_nothing_although_its_worker_lives_again,
    a_job_of_a_newer_version_is_left_for_it,
    a_claim_that_the_database_forgot_makes_no_second_ticket,
    a_run_beside_its_forgotten_one_makes_no_second_ticket,
);

/// What a server shows that lost its power before the claim was on its disk.
async fn forget_claim(it: &Running, job: Uuid) {
    let conn = it.bridge.store().conn();
    let forgotten = format!(
        "UPDATE jobs SET state = 'rung', lease_owner = NULL, lease_token = 0, first_started_at = NULL WHERE {}",
        match conn.get_database_backend() {
            DbBackend::Postgres => format!("id = '{job}'"),
            _ => format!("id = x'{}'", job.simple()),
        }
    );
    let touched = conn.execute_unprepared(&forgotten).await.unwrap();
    assert_eq!(touched.rows_affected(), 1);
}

/// A ticket of a table that is known to keep the ids we choose is about to be made: no mark goes before the send.
async fn asked_where_ids_are_kept(it: &Running) -> (Uuid, Doorbell) {
    it.opened("R0", "access").await;
    let id = it.ask("R1", "access").await;
    let bell = it.bells().await.remove(0);
    it.main.set_knobs(|knobs| knobs.latency_ms = 5_000);
    (id, bell)
}

async fn one_ticket_is_linked(it: &Running, id: Uuid) {
    assert_eq!(it.request(id).await.state, RequestState::Open);
    assert!(it.ticket(id).await.exists);
    assert_eq!(it.records("incident").len(), 2, "R0 and R1");
    assert_eq!(it.job(id, "create_ticket.v1").await.state, JobState::Done);
}

async fn a_claim_that_the_database_forgot_makes_no_second_ticket(it: &Running) {
    let (id, bell) = asked_where_ids_are_kept(it).await;
    let first = worker::ring(&it.worker, bell.clone());
    let meanwhile = async {
        while it.main.in_flight().0 == 0 {
            tokio::task::yield_now().await;
        }
        forget_claim(it, bell.job).await;
        it.main.advance(Duration::from_secs(6));
    };
    tokio::join!(first, meanwhile);
    let job = it.job(id, "create_ticket.v1").await;
    assert_eq!(
        job.state,
        JobState::Rung,
        "nobody may end what nobody claimed"
    );
    it.main.set_knobs(|knobs| knobs.latency_ms = 0);
    worker::ring(&it.worker, bell).await;
    it.pass(Duration::from_mins(3), Duration::from_secs(5))
        .await;
    one_ticket_is_linked(it, id).await;
}

async fn a_run_beside_its_forgotten_one_makes_no_second_ticket(it: &Running) {
    let (id, bell) = asked_where_ids_are_kept(it).await;
    let first = worker::ring(&it.worker, bell.clone());
    let beside = async {
        while it.main.in_flight().0 == 0 {
            tokio::task::yield_now().await;
        }
        forget_claim(it, bell.job).await;
        let again = worker::ring(&it.worker, bell.clone());
        let answers = async {
            while it.main.in_flight().0 < 2 {
                tokio::task::yield_now().await;
            }
            it.main.advance(Duration::from_secs(6));
        };
        tokio::join!(again, answers);
    };
    tokio::join!(first, beside);
    it.main.set_knobs(|knobs| knobs.latency_ms = 0);
    it.pass(Duration::from_mins(3), Duration::from_secs(5))
        .await;
    one_ticket_is_linked(it, id).await;
}

/// The answer of the instance comes while another worker already has the job.
async fn what_a_worker_learned_after_it_lost_its_job_is_dropped(it: &Running) {
    let id = it.ask("R1", "access").await;
    let bell = it.bells().await.remove(0);
    it.main.set_knobs(|knobs| knobs.latency_ms = 5_000);
    let slow = worker::ring(&it.worker, bell.clone());
    let meanwhile = async {
        while it.main.in_flight().0 == 0 {
            tokio::task::yield_now().await;
        }
        let (conn, now) = (it.bridge.store().conn(), it.bridge.clock.now());
        processes::deregister(conn, "worker-1").await.unwrap();
        assert_eq!(jobs::reclaim(conn, now, now, 10).await.unwrap().len(), 1);
        let claimed = jobs::claim(conn, &[bell.job], "worker-9", now)
            .await
            .unwrap();
        assert_eq!(claimed[0].lease.token, 2);
        it.main.advance(Duration::from_secs(6));
    };
    tokio::join!(slow, meanwhile);
    let ticket = it.ticket(id).await;
    assert!(!ticket.exists, "the first worker's effects are dropped");
    assert_eq!(it.request(id).await.state, RequestState::Accepted);
    assert_eq!(
        it.job(id, "create_ticket.v1").await.state,
        JobState::Running,
        "the second worker has it"
    );
    assert_eq!(it.records("incident").len(), 1);

    it.main.set_knobs(|knobs| knobs.latency_ms = 0);
    processes_restart(it).await;
    it.look().await;
    assert_eq!(
        it.request(id).await.state,
        RequestState::Open,
        "{:?}",
        it.attempts(id).await
    );
    assert_eq!(it.records("incident").len(), 1);
}

/// `worker-9` was never on the list, so the sweeper takes its job; `worker-1` begins anew with its next heart-beat.
async fn processes_restart(it: &Running) {
    worker::heartbeat::tick(&it.worker).await.unwrap();
    assert_eq!(it.worker.lease.owner(), "worker-1.1");
}

/// The process is frozen while a read is under way, taken for dead, and known again before it goes on: its lease is good, but the job
/// was claimed under the one before.
async fn a_run_of_a_lost_lease_writes_nothing_although_its_worker_lives_again(it: &Running) {
    let id = it.ask_for("R1", "personal", "nina.agent").await;
    let bell = it.bells().await.remove(0);
    it.main.set_knobs(|knobs| knobs.latency_ms = 5_000);
    let frozen = worker::ring(&it.worker, bell.clone());
    let meanwhile = async {
        while it.main.in_flight().0 == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(it.calls("table.create", "incident"), 0, "it looks first");
        let (conn, now) = (it.bridge.store().conn(), it.bridge.clock.now());
        processes::deregister(conn, "worker-1").await.unwrap();
        assert_eq!(jobs::reclaim(conn, now, now, 10).await.unwrap().len(), 1);
        processes_restart(it).await;
        it.main.set_knobs(|knobs| knobs.latency_ms = 0);
        it.main.advance(Duration::from_secs(6));
    };
    tokio::join!(frozen, meanwhile);
    assert_eq!(it.calls("table.create", "incident"), 0);
    assert_eq!(it.job(id, "create_ticket.v1").await.state, JobState::Due);

    it.look().await;
    assert_eq!(it.request(id).await.state, RequestState::Open);
    assert_eq!(it.calls("table.create", "incident"), 1);
}

async fn a_worker_taken_for_dead_begins_anew(it: &Running) {
    it.advance(Duration::from_secs(20));
    let (conn, now) = (it.bridge.store().conn(), it.bridge.clock.now());
    assert_eq!(processes::expire(conn, now).await.unwrap(), ["worker-1"]);
    worker::heartbeat::tick(&it.worker).await.unwrap();
    let alive = processes::alive(conn, now).await.unwrap();
    assert_eq!(alive.len(), 1);
    assert_eq!(alive[0].process.id, "worker-1.1");
    assert!(
        alive[0]
            .process
            .lanes
            .contains(&"create-ticket@main".to_owned())
    );
    let id = it.opened("R1", "access").await;
    assert_eq!(it.request(id).await.state, RequestState::Open);
    assert_eq!(
        it.job(id, "create_ticket.v1").await.lease_owner.as_deref(),
        Some("worker-1.1")
    );
}

async fn a_job_of_a_newer_version_is_left_for_it(it: &Running) {
    let id = it.ask("R1", "access").await;
    let bell = it.bells().await.remove(0);
    let newer = "UPDATE jobs SET kind = 'create_ticket.v9'";
    it.bridge
        .store()
        .conn()
        .execute_unprepared(newer)
        .await
        .unwrap();
    worker::ring(&it.worker, bell).await;
    let job = it.job(id, "create_ticket.v9").await;
    assert_eq!((job.state, job.attempts), (JobState::Due, 0));
    assert!(job.due_at > it.bridge.clock.now());
    assert_eq!(it.main.count(&simulator::CallFilter::default()), 0);
}

#[tokio::test]
async fn nothing_is_sent_when_too_little_is_left_of_the_lease() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.ask("R1", "access").await;
    let bell = it.bells().await.remove(0);
    it.worker.lease.lost();
    worker::ring(&it.worker, bell).await;
    assert_eq!(it.main.count(&simulator::CallFilter::default()), 0);
    let job = it.job(id, "create_ticket.v1").await;
    assert_eq!(
        (job.state, job.last_error_class.as_deref()),
        (JobState::Due, Some("lease"))
    );
    assert_eq!(it.request(id).await.state, RequestState::Accepted);
}

#[tokio::test]
async fn a_bell_for_nothing_is_no_trouble() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.ask("R1", "access").await;
    let bell = it.bells().await.remove(0);
    worker::ring(&it.worker, bell.clone()).await;
    worker::ring(&it.worker, bell).await;
    let nobody = shared::queue::Doorbell {
        job: uuid::Uuid::now_v7(),
        kind: "create_ticket.v1".into(),
        traceparent: None,
    };
    worker::ring(&it.worker, nobody).await;
    assert_eq!(it.calls("table.create", "incident"), 1);
    assert_eq!(it.request(id).await.state, RequestState::Open);
}

/// The clock of the bridge, which makes whoever asks it panic, once, after it was armed.
struct Trap {
    clock: Arc<ManualClock>,
    armed: AtomicBool,
}

impl Clock for Trap {
    fn now(&self) -> DateTime<Utc> {
        assert!(
            !self.armed.swap(false, Ordering::SeqCst),
            "the clock fell off the wall"
        );
        self.clock.now()
    }

    fn monotonic(&self) -> Instant {
        self.clock.monotonic()
    }
}

#[tokio::test]
async fn a_panic_in_a_handler_is_a_failed_attempt_and_no_more() {
    let it = Running::start(Flavour::Sqlite).await;
    let trap = Arc::new(Trap {
        clock: it.bridge.clock.clone(),
        armed: AtomicBool::new(false),
    });
    let clumsy = worker::Context::new(worker::Parts {
        store: it.bridge.store().clone(),
        broker: it.bridge.broker.clone(),
        ledger: Arc::clone(&it.bridge.ledger),
        routes: Arc::clone(&it.worker.routes),
        settings: Arc::clone(&it.worker.settings),
        clock: trap.clone(),
        identity: "clumsy".to_owned(),
    })
    .unwrap();
    worker::heartbeat::register(&clumsy).await.unwrap();
    let id = it.ask("R1", "access").await;
    let bell = it.bells().await.remove(0);
    it.main.set_knobs(|knobs| knobs.latency_ms = 5_000);
    let arming = async {
        while it.calls("table.create", "incident") == 0 {
            it.main.advance(Duration::from_secs(6));
            tokio::task::yield_now().await;
        }
        trap.armed.store(true, Ordering::SeqCst);
        it.main.advance(Duration::from_secs(6));
    };
    tokio::join!(worker::ring(&clumsy, bell), arming);
    assert_eq!(
        it.records("incident").len(),
        1,
        "it panicked after its POST"
    );
    let job = it.job(id, "create_ticket.v1").await;
    assert_eq!(
        (job.state, job.attempts, job.last_error_class.as_deref()),
        (JobState::Due, 1, Some("panic"))
    );
    assert!(
        job.last_error
            .unwrap()
            .contains("the clock fell off the wall")
    );

    it.main.set_knobs(|knobs| knobs.latency_ms = 0);
    it.pass(Duration::from_secs(10), Duration::from_secs(2))
        .await;
    assert_eq!(it.request(id).await.state, RequestState::Open);
    assert_eq!(
        it.calls("table.create", "incident"),
        1,
        "the ticket was found"
    );
}
