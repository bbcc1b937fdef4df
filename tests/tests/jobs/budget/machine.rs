//! The state machine against a model that counts in its own way, and the script in Redis against the state machine.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use shared::budget::{
    Class, Ledger, MemoryLedger, Quiet, Report, State, Step, Taken, Verdict, Want, Why,
};

use super::Ledgers;

const MOST: u32 = 6;
const RESERVE_PERCENT: i64 = 20;
const LEASE: i64 = 8_000;
const START: i64 = 1_772_442_000_000;
const HOUR: i64 = 3_600_000;
const RESOURCES: [&str; 2] = ["POST now/table", "GET now/table"];

#[derive(Debug, Clone)]
enum Op {
    Pass(i64),
    /// A process asks for calls.
    Ask(usize, Class, usize, u32),
    /// A call of a process ends.
    End(usize, usize, Verdict, i64, Option<(i64, i64)>),
}

fn op() -> impl Strategy<Value = Op> {
    let class = (0_usize..4).prop_map(|place| Class::ALL[place]);
    let verdict = prop_oneof![
        6 => Just(Verdict::Ok),
        1 => Just(Verdict::Slow),
        1 => Just(Verdict::Busy),
        1 => Just(Verdict::RateLimited),
        1 => Just(Verdict::Other),
    ];
    let window = proptest::option::of((1_i64..20, -1_i64..20));
    prop_oneof![
        3 => prop_oneof![4 => 0_i64..3_000, 1 => 0_i64..HOUR].prop_map(Op::Pass),
        4 => (0_usize..3, class, 0_usize..2, 1_u32..5).prop_map(|(o, c, r, n)| Op::Ask(o, c, r, n)),
        4 => (0_usize..3, 0_usize..2, verdict, 0_i64..20_000, window)
            .prop_map(|(o, r, v, q, w)| Op::End(o, r, v, q, w)),
    ]
}

/// What the model knows: when silence ends, what each process holds, which calls were made since the hour began.
struct Model {
    now: i64,
    held: [u32; 3],
    quiet_until: i64,
    cut_at: i64,
    width: u32,
    last: State,
}

impl Model {
    fn new() -> Self {
        Self {
            now: START,
            held: [0; 3],
            quiet_until: 0,
            cut_at: 0,
            width: MOST,
            last: State::default(),
        }
    }

    fn step(&mut self, op: &Op) -> Option<(usize, Step)> {
        let (owner, reports, wants) = match op {
            Op::Pass(by) => {
                self.now += by;
                return None;
            }
            Op::Ask(owner, class, resource, count) => {
                let want = Want {
                    class: *class,
                    resource: RESOURCES[*resource].to_owned(),
                    count: *count,
                    reserve: class.may_use_reserve(),
                };
                (*owner, Vec::new(), vec![want])
            }
            Op::End(owner, resource, verdict, quiet, window) => {
                if self.held[*owner] == 0 {
                    return None;
                }
                self.held[*owner] -= 1;
                let (limit, remaining) = window.unwrap_or((0, -1));
                let report = Report {
                    verdict: *verdict,
                    quiet_ms: *quiet,
                    rule: if window.is_some() { "r" } else { "" }.to_owned(),
                    limit,
                    remaining,
                    reset: (self.now / HOUR + 1) * HOUR,
                    ..Report::other(RESOURCES[*resource])
                };
                (*owner, vec![report], Vec::new())
            }
        };
        let step = Step {
            now: self.now,
            owner: format!("process-{owner}"),
            until: self.now + LEASE,
            held: self.held[owner],
            reports,
            wants,
            most: MOST,
            reserve_percent: RESERVE_PERCENT,
            quiet: Quiet::default(),
        };
        Some((owner, step))
    }

    /// What must hold after a step.
    fn judge(&mut self, owner: usize, step: &Step, taken: &Taken) {
        let state = &taken.state;
        self.judge_width(step, state);
        for report in &step.reports {
            if matches!(report.verdict, Verdict::Busy | Verdict::RateLimited) {
                self.quiet_until = self.quiet_until.max(self.now + report.quiet_ms);
            }
        }
        let [answer] = taken.answers[..] else {
            assert!(step.wants.is_empty());
            self.last = state.clone();
            return;
        };
        let want = &step.wants[0];
        let granted = answer.granted;
        assert!(granted <= want.count);
        if self.now < self.quiet_until {
            assert_eq!((granted, answer.until), (0, self.quiet_until), "{answer:?}");
            assert!(matches!(answer.why, Why::Busy | Why::RateLimited));
        } else if granted > 0 {
            assert!(state.under_way() <= state.width, "{state:?}");
        }
        if let Some(window) = state.windows.get("r")
            && state.rules.contains_key(&want.resource)
            && granted > 0
        {
            let before = self.last.windows["r"].left;
            assert_eq!(window.left, before - i64::from(granted));
            let kept = window.limit * RESERVE_PERCENT / 100;
            let floor = if want.class.may_use_reserve() {
                0
            } else {
                kept
            };
            assert!(window.left >= floor, "{window:?}");
        }
        let nobody_waits = state
            .holders
            .values()
            .all(|it| it.waiting.iter().sum::<u32>() == 0);
        if self.now >= self.quiet_until && state.windows.is_empty() && nobody_waits {
            assert_eq!(granted, want.count, "nothing is refused without a cause");
        }
        self.held[owner] += granted;
        self.last = state.clone();
    }

    fn judge_width(&mut self, step: &Step, state: &State) {
        let before = self.width;
        match step.reports.first().map(|report| report.verdict) {
            Some(Verdict::Busy | Verdict::Slow) if self.now >= self.cut_at + 1_000 => {
                self.cut_at = self.now;
                self.width = (before / 2).max(1);
            }
            Some(Verdict::Ok) => self.width = state.width.clamp(before, (before + 1).min(MOST)),
            _ => {}
        }
        assert_eq!(
            state.width, self.width,
            "halved once a second at most, one more after good answers"
        );
    }
}

/// Every step in both ledgers when there are two.
async fn drive(connection: &str, ops: &[Op], ledgers: &[Arc<dyn Ledger>]) {
    let mut model = Model::new();
    for op in ops {
        let Some((owner, step)) = model.step(op) else {
            continue;
        };
        let mut taken = Vec::new();
        for ledger in ledgers {
            taken.push(ledger.step(connection, step.clone()).await);
        }
        model.judge(owner, &step, &taken[0]);
        for other in &taken[1..] {
            assert_eq!(&taken[0], other, "after {step:?}");
        }
    }
}

fn run(cases: u32, ledgers: &[Arc<dyn Ledger>]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let ops = proptest::collection::vec(op(), 1..80);
    let number = std::sync::atomic::AtomicU32::new(0);
    let result = runner.run(&ops, |ops| {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let ledgers = ledgers.to_vec();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(drive(&format!("main-{number}"), &ops, &ledgers));
        }));
        caught.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            TestCaseError::fail(text.unwrap_or_else(|| "panicked".to_owned()))
        })
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn every_sequence_keeps_silence_limit_and_reserve() {
    run(1_000, &[Arc::new(MemoryLedger::default())]);
}

#[test]
fn the_script_takes_the_same_steps_as_the_state_machine() {
    let redis = Ledgers::redis();
    run(100, &[Arc::new(MemoryLedger::default()), redis.another()]);
}

/// Good answers after a cut bring the limit back to the most, one by one.
#[tokio::test]
async fn the_limit_rises_again() {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
    let mut ops = vec![Op::Ask(0, Class::Push, 0, 1)];
    ops.push(Op::End(0, 0, Verdict::Busy, 0, None));
    let mut widths = Vec::new();
    for _ in 0..25 {
        ops.push(Op::Ask(0, Class::Push, 0, 1));
        ops.push(Op::End(0, 0, Verdict::Ok, 0, None));
    }
    let mut model = Model::new();
    for op in &ops {
        if let Some((owner, step)) = model.step(op) {
            let taken = ledger.step("main", step.clone()).await;
            model.judge(owner, &step, &taken);
            widths.push(taken.state.width);
        }
    }
    widths.dedup();
    assert_eq!(widths, [6, 3, 4, 5, 6]);
}
