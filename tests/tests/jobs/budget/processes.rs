//! Several processes at one budget.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use futures::future::join_all;
use shared::budget::{
    Budget, Call, Class, Ledger, MemoryLedger, Quiet, Report, Step, Taken, Terms, Verdict,
};
use shared::clock::{Clock as _, SharedClock};
use tests::clock::ManualClock;

use super::Ledgers;

const RESOURCE: &str = "POST now/table";

pub(super) fn call(class: Class) -> Call {
    Call {
        class,
        resource: RESOURCE.to_owned(),
    }
}

pub(super) fn said(verdict: Verdict, quiet: Duration) -> Report {
    Report {
        verdict,
        quiet_ms: i64::try_from(quiet.as_millis()).unwrap(),
        ..Report::other(RESOURCE)
    }
}

pub(super) fn good() -> Report {
    said(Verdict::Ok, Duration::ZERO)
}

pub(super) fn budget(
    ledger: &Arc<dyn Ledger>,
    clock: &Arc<ManualClock>,
    owner: &str,
    most: u32,
) -> Budget {
    let clock: SharedClock = clock.clone();
    let terms = Terms {
        most,
        reserve_percent: 10,
    };
    let terms = [("main".to_owned(), terms)];
    Budget::new(ledger, &clock, owner, Duration::from_secs(8), terms)
}

/// What somebody sees who holds nothing and wants nothing.
pub(super) async fn look(ledger: &Arc<dyn Ledger>, clock: &ManualClock) -> Taken {
    let step = Step {
        now: clock.now().timestamp_millis(),
        owner: "onlooker".to_owned(),
        until: clock.now().timestamp_millis() + 8_000,
        held: 0,
        reports: Vec::new(),
        wants: Vec::new(),
        most: 100,
        reserve_percent: 10,
        quiet: Quiet::default(),
    };
    ledger.step("main", step).await
}

on_each_ledger!(
    calls_of_all_processes_share_one_limit,
    urgent_calls_go_first,
    urgent_calls_of_another_process_go_first,
    what_a_dead_process_held_is_free_after_its_lease,
    a_retry_after_stops_every_process_at_once,
);

async fn calls_of_all_processes_share_one_limit(ledgers: &Ledgers) {
    let clock = Arc::new(ManualClock::default());
    let (under_way, highest) = (AtomicU32::new(0), AtomicU32::new(0));
    let budgets: Vec<Budget> = ["a", "b", "c"]
        .iter()
        .map(|owner| budget(&ledgers.another(), &clock, owner, 4))
        .collect();
    let calls = (0..90).map(async |number: usize| {
        let permit = budgets[number % 3].take("main", call(Class::Read)).await;
        let permit = permit.unwrap();
        let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
        highest.fetch_max(now, Ordering::SeqCst);
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        under_way.fetch_sub(1, Ordering::SeqCst);
        permit.report(good()).await;
    });
    join_all(calls).await;
    assert_eq!(highest.into_inner(), 4);
    assert_eq!(
        look(&ledgers.another(), &clock).await.state.under_way(),
        0,
        "everything was given back"
    );
}

async fn urgent_calls_go_first(ledgers: &Ledgers) {
    let clock = Arc::new(ManualClock::default());
    let budget = budget(&ledgers.another(), &clock, "a", 1);
    let first = budget.take("main", call(Class::Read)).await.unwrap();
    let order = Mutex::new(Vec::new());
    let waiting = [Class::Bulk, Class::Read, Class::Create, Class::Push].map(async |class| {
        let permit = budget.take("main", call(class)).await.unwrap();
        order.lock().unwrap().push(class);
        permit.report(good()).await;
    });
    tokio::join!(join_all(waiting), first.report(good()));
    assert_eq!(order.into_inner().unwrap(), Class::ALL);
}

async fn urgent_calls_of_another_process_go_first(ledgers: &Ledgers) {
    let clock = Arc::new(ManualClock::default());
    let ledger = ledgers.another();
    let ours = budget(&ledger, &clock, "ours", 1);
    let theirs = budget(&ledgers.another(), &clock, "theirs", 1);
    let first = ours.take("main", call(Class::Read)).await.unwrap();
    let order = Mutex::new(Vec::new());
    let wait = async |budget: &Budget, class| {
        let permit = budget.take("main", call(class)).await.unwrap();
        order.lock().unwrap().push(class);
        permit.report(good()).await;
    };
    let when_both_wait = async {
        loop {
            let state = look(&ledger, &clock).await.state;
            let waits = |owner: &str, class: Class| {
                state
                    .holders
                    .get(owner)
                    .is_some_and(|it| it.waiting[class.place()] > 0)
            };
            if waits("theirs", Class::Push) && waits("ours", Class::Bulk) {
                break;
            }
            tokio::task::yield_now().await;
        }
        first.report(good()).await;
    };
    tokio::join!(
        wait(&ours, Class::Bulk),
        wait(&theirs, Class::Push),
        when_both_wait
    );
    assert_eq!(order.into_inner().unwrap(), [Class::Push, Class::Bulk]);
}

async fn what_a_dead_process_held_is_free_after_its_lease(ledgers: &Ledgers) {
    let clock = Arc::new(ManualClock::default());
    let ledger = ledgers.another();
    let dead = budget(&ledger, &clock, "dead", 2);
    let slow = budget(&ledger, &clock, "slow", 2);
    let held = dead.take("main", call(Class::Read)).await.unwrap();
    let kept = slow.take("main", call(Class::Read)).await.unwrap();
    for _ in 0..3 {
        clock.advance(Duration::from_secs(3));
        slow.renew().await;
    }
    let state = look(&ledger, &clock).await.state;
    assert_eq!(state.under_way(), 1, "only who lives holds: {state:?}");
    let other = budget(&ledgers.another(), &clock, "other", 2);
    let next = other.take("main", call(Class::Read)).await.unwrap();
    assert_eq!(look(&ledger, &clock).await.state.under_way(), 2);
    drop((held, kept, next));
    for budget in [&dead, &slow, &other] {
        budget.renew().await;
    }
    assert_eq!(look(&ledger, &clock).await.state.under_way(), 0);
}

async fn a_retry_after_stops_every_process_at_once(ledgers: &Ledgers) {
    let clock = Arc::new(ManualClock::default());
    let ours = budget(&ledgers.another(), &clock, "ours", 4);
    let theirs = budget(&ledgers.another(), &clock, "theirs", 4);
    for (verdict, word) in [
        (
            Verdict::RateLimited,
            "a rate-limit rule of the instance was hit",
        ),
        (Verdict::Busy, "the instance was full"),
    ] {
        let until = clock.now() + TimeDelta::seconds(90);
        let permit = ours.take("main", call(Class::Create)).await.unwrap();
        permit.report(said(verdict, Duration::from_secs(90))).await;
        for class in Class::ALL {
            let refused = theirs.take("main", call(class)).await.err().unwrap();
            assert_eq!((refused.until, refused.reason.as_str()), (until, word));
        }
        let standing = theirs.standings().remove(0);
        assert_eq!(standing.throttled.map(|it| it.until), Some(until));
        clock.advance(Duration::from_millis(89_999));
        assert!(ours.take("main", call(Class::Push)).await.is_err());
        clock.advance(Duration::from_millis(1));
        let permit = theirs.take("main", call(Class::Create)).await.unwrap();
        permit.report(good()).await;
        assert_eq!(theirs.standings().remove(0).throttled, None);
    }
}

/// Counts steps, each of which gives way once as a server would.
#[derive(Default)]
struct Counted {
    ledger: MemoryLedger,
    steps: AtomicU32,
}

#[async_trait]
impl Ledger for Counted {
    async fn step(&self, connection: &str, step: Step) -> Taken {
        self.steps.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.ledger.step(connection, step).await
    }
}

#[tokio::test]
async fn concurrent_calls_of_a_process_share_steps() {
    let clock = Arc::new(ManualClock::default());
    let counted = Arc::new(Counted::default());
    let ledger: Arc<dyn Ledger> = counted.clone();
    let budget = budget(&ledger, &clock, "a", 256);
    let calls = (0..256).map(async |_| {
        for _ in 0..4 {
            let permit = budget.take("main", call(Class::Read)).await.unwrap();
            tokio::task::yield_now().await;
            permit.report(good()).await;
        }
    });
    join_all(calls).await;
    let steps = counted.steps.load(Ordering::SeqCst);
    assert!(steps <= 256, "1024 calls in {steps} steps");
}
