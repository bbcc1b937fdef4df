//! Whole bridges; the instance's log of calls is the judge.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use serde_json::{Value, json};
use shared::budget::{Ledger, Report, Step, Taken, Verdict};
use shared::job::JobState;
use shared::request::RequestState;
use simulator::{AgentAction, CallFilter, Fault, RateLimit};
use tests::databases::Flavour;
use tests::running::Running;
use uuid::Uuid;

use super::Ledgers;

type Workers = Vec<Arc<worker::Context>>;

async fn workers(it: &Running, ledgers: &Ledgers) -> Workers {
    watched_workers(it, ledgers, &Arc::default()).await
}

async fn watched_workers(
    it: &Running,
    ledgers: &Ledgers,
    tally: &Arc<tokio::sync::Mutex<Tally>>,
) -> Workers {
    let mut workers = Vec::new();
    for name in ["one", "two", "three"] {
        let witness = Witness {
            inner: ledgers.another(),
            tally: Arc::clone(tally),
        };
        workers.push(it.worker_at(Arc::new(witness), name).await);
    }
    workers
}

/// Everything that is due, over all workers at once, until nothing moves any more.
async fn hammer(it: &Running, workers: &Workers) {
    loop {
        for worker in workers {
            worker::heartbeat::tick(worker).await.unwrap();
        }
        it.bridge.settle().await;
        let bells = it.bells().await;
        if bells.is_empty() {
            return;
        }
        let runs = bells
            .into_iter()
            .enumerate()
            .map(|(number, bell)| worker::ring(&workers[number % workers.len()], bell));
        join_all(runs).await;
    }
}

async fn asked(it: &Running, count: usize) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(it.ask(&format!("R{number}"), "access").await);
    }
    ids
}

async fn states(it: &Running, ids: &[Uuid]) -> Vec<RequestState> {
    let mut states = Vec::new();
    for id in ids {
        states.push(it.request(*id).await.state);
    }
    states
}

/// A ledger that takes one step at a time for all workers, and counts what it granted before it heard of the first refusal.
struct Witness {
    inner: Arc<dyn Ledger>,
    tally: Arc<tokio::sync::Mutex<Tally>>,
}

#[derive(Default)]
struct Tally {
    granted: usize,
    before_refusal: Option<usize>,
}

#[async_trait]
impl Ledger for Witness {
    async fn step(&self, connection: &str, step: Step) -> Taken {
        let mut tally = self.tally.lock().await;
        let is_refusal = |it: &Report| matches!(it.verdict, Verdict::Busy | Verdict::RateLimited);
        if step.reports.iter().any(is_refusal) {
            let granted = tally.granted;
            tally.before_refusal.get_or_insert(granted);
        }
        let taken = self.inner.step(connection, step).await;
        let granted = taken.answers.iter().map(|it| it.granted as usize);
        tally.granted += granted.sum::<usize>();
        taken
    }
}

/// Calls that need a permit: the token endpoint is no part of an instance's limits.
fn limited_calls(it: &Running) -> usize {
    let token = CallFilter {
        kind: Some("token".to_owned()),
        ..CallFilter::default()
    };
    it.main.count(&CallFilter::default()) - it.main.count(&token)
}

/// Three workers with runs past the gate; the fourth create is refused. What was granted before the ledger heard of it may
/// still be sent, and nothing else.
async fn obeyed(ledgers: &Ledgers, at_a_time: usize, refusal: &Value, silence: Duration) {
    let it = Running::tuned(Flavour::Sqlite, &format!("max_in_flight = {at_a_time}")).await;
    let tally = Arc::default();
    let workers = watched_workers(&it, ledgers, &tally).await;
    let ids = asked(&it, 18).await;
    let fault = Fault {
        method: Some("POST".to_owned()),
        table: Some("incident".to_owned()),
        skip: 3,
        times: Some(1),
        set: refusal.as_object().unwrap().clone(),
        ..Fault::default()
    };
    it.main.add_fault(fault).unwrap();
    hammer(&it, &workers).await;
    let granted = tally.lock().await.before_refusal.unwrap();
    assert_eq!(limited_calls(&it), granted);
    assert!(it.records("incident").len() < granted, "one was refused");

    // To the last second of the silence not one more, whatever rings.
    let calls = it.main.count(&CallFilter::default());
    let half = silence / 2;
    for step in [half, half.saturating_sub(Duration::from_secs(1))] {
        it.advance(step);
        hammer(&it, &workers).await;
    }
    assert_eq!(it.main.count(&CallFilter::default()), calls);

    for _ in 0..30 {
        it.advance(Duration::from_secs(3));
        hammer(&it, &workers).await;
    }
    assert_eq!(states(&it, &ids).await, [RequestState::Open; 18]);
    assert_eq!(it.records("incident").len(), 18, "one ticket each");
    for id in ids {
        assert_eq!(it.job(id, "create_ticket.v1").await.attempts, 1);
    }
    let standing = workers[0].budget.standings();
    let main = standing.iter().find(|it| it.connection == "main").unwrap();
    assert_eq!(main.throttled, None);
    assert_eq!(
        main.width as usize, at_a_time,
        "as many calls at a time as before"
    );
}

on_each_ledger!(
    a_rate_limit_silences_runs_past_the_gate,
    a_full_instance_silences_runs_past_the_gate,
    four_at_a_time_stop_and_come_back,
    a_spent_hour_is_no_call_too_many,
    the_reserve_lets_status_reads_through,
    a_start_under_a_spent_budget_goes_on_at_the_reset,
);

async fn a_rate_limit_silences_runs_past_the_gate(ledgers: &Ledgers) {
    let refusal = json!({"canned": {
        "status": 429, "content_type": "application/json", "headers": {"Retry-After": "90"},
        "body": r#"{"error":{"message":"Rate limit exceeded","detail":null},"status":"failure"}"#,
    }});
    obeyed(ledgers, 1, &refusal, Duration::from_secs(90)).await;
}

async fn a_full_instance_silences_runs_past_the_gate(ledgers: &Ledgers) {
    let refusal = json!({"canned": {"status": 429, "content_type": "text/html", "body": ""}});
    obeyed(ledgers, 1, &refusal, Duration::from_secs(5)).await;
}

async fn four_at_a_time_stop_and_come_back(ledgers: &Ledgers) {
    let refusal = json!({"canned": {"status": 429, "content_type": "text/html", "body": ""}});
    obeyed(ledgers, 4, &refusal, Duration::from_secs(5)).await;
}

/// The limit is learned from the answers, so that the rule itself never has to refuse.
async fn a_spent_hour_is_no_call_too_many(ledgers: &Ledgers) {
    let it = Running::tuned(Flavour::Sqlite, "reserve_percent = 0").await;
    it.main
        .set_knobs(|knobs| knobs.rate_limit = Some(RateLimit { per_hour: 10 }));
    let workers = workers(&it, ledgers).await;
    let ids = asked(&it, 14).await;
    hammer(&it, &workers).await;
    assert_eq!(it.calls("table.create", "incident"), 10);
    let refused = CallFilter {
        status: Some(429),
        ..CallFilter::default()
    };
    assert_eq!(it.main.count(&refused), 0);
    let mut held = 0;
    for id in &ids {
        let job = it.job(*id, "create_ticket.v1").await;
        if job.state == JobState::Due {
            held += 1;
            assert_eq!(job.attempts, 0);
            let said = job.last_error.unwrap_or_default();
            assert!(
                said.contains("2026-03-02 10:00:0")
                    && said.contains("the calls of this hour are used up"),
                "{said}"
            );
        }
    }
    assert_eq!(held, 4);
    it.main.set_knobs(|knobs| {
        knobs.rate_limit = Some(RateLimit { per_hour: 1_000 });
    });
    for _ in 0..62 {
        it.advance(Duration::from_mins(1));
        hammer(&it, &workers).await;
    }
    assert_eq!(states(&it, &ids).await, [RequestState::Open; 14]);
    assert_eq!(it.main.count(&refused), 0);
}

async fn the_reserve_lets_status_reads_through(ledgers: &Ledgers) {
    let it = Running::tuned(Flavour::Sqlite, "reserve_percent = 50").await;
    it.main
        .set_knobs(|knobs| knobs.rate_limit = Some(RateLimit { per_hour: 10 }));
    let workers = workers(&it, ledgers).await;
    let ids = asked(&it, 9).await;
    hammer(&it, &workers).await;
    assert_eq!(it.calls("table.create", "incident"), 5);
    let first = ids[0];
    let ticket = it.number(first).await;
    let hold = AgentAction::Hold {
        reason: None,
        comment: None,
    };
    it.agent(&ticket, &hold);
    it.advance(Duration::from_secs(40));
    scheduler::cadence::tick(&it.bridge.scheduler)
        .await
        .unwrap();
    hammer(&it, &workers).await;
    assert!(it.calls("table.list", "incident") >= 1);
    assert_eq!(it.request(first).await.state, RequestState::OnHold);
    assert_eq!(
        it.calls("table.create", "incident"),
        5,
        "creates wait for the next hour"
    );
    let refused = CallFilter {
        status: Some(429),
        ..CallFilter::default()
    };
    assert_eq!(it.main.count(&refused), 0);
}

/// N6: processes that know nothing meet a spent hour; they live, deny nothing and go on at the reset.
async fn a_start_under_a_spent_budget_goes_on_at_the_reset(ledgers: &Ledgers) {
    let it = Running::start(Flavour::Sqlite).await;
    it.main
        .set_knobs(|knobs| knobs.rate_limit = Some(RateLimit { per_hour: 0 }));
    let ids = asked(&it, 5).await;
    let workers = workers(&it, ledgers).await;
    hammer(&it, &workers).await;
    let before = it.main.count(&CallFilter::default());
    it.advance(Duration::from_mins(30));
    hammer(&it, &workers).await;
    assert_eq!(it.main.count(&CallFilter::default()), before);
    it.main
        .set_knobs(|knobs| knobs.rate_limit = Some(RateLimit { per_hour: 500 }));
    for _ in 0..32 {
        it.advance(Duration::from_mins(1));
        hammer(&it, &workers).await;
    }
    assert_eq!(states(&it, &ids).await, [RequestState::Open; 5]);
}
