//! A comment stays single whatever is lost: answers, processes, or a process that comes back from the dead (ARCHITECTURE.md,
//! invariant 8).

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use shared::queue::Doorbell;
use simulator::CallFilter;
use tests::databases::Flavour;
use tests::running::Running;
use uuid::Uuid;

type Paused = Pin<Box<dyn Future<Output = ()> + Send>>;

fn entries(it: &Running, text: &str) -> usize {
    it.main
        .rows("sys_journal_field", &format!("valueLIKE{text}"))
        .len()
}

/// Answers a bell in a process of its own; stops in the middle as soon as `when` holds. `None`: it came to its end before.
async fn stops_when(
    it: &Running,
    name: &str,
    bell: Doorbell,
    mut when: impl FnMut() -> bool,
) -> Option<(Arc<worker::Context>, Paused)> {
    let doomed = it.fresh_worker(name);
    worker::heartbeat::register(&doomed).await.unwrap();
    let own = Arc::clone(&doomed);
    let mut run: Paused = Box::pin(async move { worker::ring(&own, bell).await });
    let stopped = poll_fn(|cx| {
        if when() {
            return Poll::Ready(true);
        }
        run.as_mut().poll(cx).map(|()| false)
    })
    .await;
    stopped.then_some((doomed, run))
}

/// The bells that wait once the sweeper and the relay have looked.
async fn bells(it: &Running) -> Vec<Doorbell> {
    worker::heartbeat::tick(&it.worker).await.unwrap();
    scheduler::sweeper::tick(&it.bridge.scheduler)
        .await
        .unwrap();
    it.bridge.settle().await;
    it.bells().await
}

#[tokio::test]
async fn what_was_sent_a_second_time_is_waited_for_as_long_as_the_first_time() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "access").await;
    it.fault(
        "PATCH",
        "incident",
        1,
        &json!({"connection_drop": {"when": "before"}}),
    );
    it.main.set_knobs(|knobs| knobs.visible_delay_ms = 30_000);
    it.say(id, "comment", json!({"comment": "Once only."}))
        .await;
    let mut killed = false;
    for second in 0..300 {
        for bell in bells(&it).await {
            let name = format!("doomed-{second}");
            // Killed when the entry is there, before the answer is read.
            let stopped = stops_when(&it, &name, bell, || entries(&it, "Once only") == 1).await;
            killed |= stopped.is_some();
        }
        if killed {
            break;
        }
        it.advance(Duration::from_secs(1));
    }
    assert!(killed, "it was sent a second time");
    it.pass(Duration::from_mins(6), Duration::from_secs(1))
        .await;
    assert_eq!(entries(&it, "Once only"), 1, "{:?}", it.attempts(id).await);
    assert!(it.live(id).await.is_empty());
}

/// How a process ends in the middle of a run.
#[derive(Debug, Clone, Copy)]
enum Ends {
    Well,
    /// Killed after so many steps.
    Killed(usize),
    /// Stopped while so many calls are out, for longer than its lease, and woken when all is over.
    Stopped(usize),
}

/// One run of the job.
#[derive(Debug, Clone)]
struct Turn {
    /// What the PATCH meets.
    write: Option<Value>,
    /// What the looks meet.
    look: Option<Value>,
    ends: Ends,
    /// Seconds until the next run.
    rest: u64,
}

fn lost_answer() -> impl Strategy<Value = Option<Value>> {
    let drop = |when: &str| Some(json!({"connection_drop": {"when": when}}));
    prop_oneof![
        2 => Just(None),
        1 => Just(drop("before")),
        2 => Just(drop("after_commit")),
        1 => Just(drop("mid_body")),
        1 => Just(Some(json!({"canned": {"status": 429, "content_type": "text/html", "body": ""}}))),
        1 => Just(Some(json!({"canned": {"status": 500, "content_type": "application/json", "body": "{}"}}))),
    ]
}

fn bad_look() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(json!({"connection_drop": {"when": "mid_body"}}))),
        1 => Just(Some(json!({"canned": {"status": 500, "content_type": "application/json", "body": "{}"}}))),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    let ends = prop_oneof![
        2 => Just(Ends::Well),
        2 => (1_usize..60).prop_map(Ends::Killed),
        2 => (1_usize..5).prop_map(Ends::Stopped),
    ];
    let parts = (lost_answer(), bad_look(), ends, 1_u64..100);
    parts.prop_map(|(write, look, ends, rest)| Turn {
        write,
        look,
        ends,
        rest,
    })
}

/// Plays the turns, then mends everything; the processes that were stopped wake last.
async fn play(turns: &[Turn], hidden: bool, delay_s: u64) -> (Running, Uuid) {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "access").await;
    it.main.set_knobs(|knobs| {
        knobs.journal_hidden = hidden;
        knobs.visible_delay_ms = delay_s * 1000;
    });
    for text in ["First words.", "Second words."] {
        it.say(id, "comment", json!({ "comment": text })).await;
    }
    let mut stopped = Vec::new();
    for (number, turn) in turns.iter().enumerate() {
        it.main.clear_faults();
        if let Some(set) = &turn.write {
            it.fault("PATCH", "incident", 1, set);
        }
        if let Some(set) = &turn.look {
            it.fault("GET", "sys_journal_field", 1, set);
        }
        for (index, bell) in bells(&it).await.into_iter().enumerate() {
            let (mut steps, before) = (0, it.main.count(&CallFilter::default()));
            let when = || {
                steps += 1;
                match turn.ends {
                    Ends::Well => false,
                    Ends::Killed(last) => steps > last,
                    Ends::Stopped(calls) => it.main.count(&CallFilter::default()) >= before + calls,
                }
            };
            let run = stops_when(&it, &format!("turn-{number}-{index}"), bell, when).await;
            if let (Some((process, run)), Ends::Stopped(_)) = (run, turn.ends) {
                process.lease.lost();
                stopped.push(run);
            }
        }
        it.advance(Duration::from_secs(turn.rest));
    }
    it.main.clear_faults();
    it.pass(Duration::from_mins(15), Duration::from_secs(15))
        .await;
    for run in stopped {
        run.await;
    }
    it.pass(Duration::from_mins(5), Duration::from_secs(15))
        .await;
    (it, id)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_lost_answers_and_deaths_doubles_or_loses_a_comment(
        turns in proptest::collection::vec(turn(), 1..7), hidden: bool, delay_s in prop_oneof![Just(0_u64), Just(20), Just(60)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (it, id) = play(&turns, hidden, delay_s).await;
            for text in ["First words", "Second words"] {
                prop_assert_eq!(entries(&it, text), 1, "{}: {:#?}", text, it.attempts(id).await);
            }
            prop_assert!(it.live(id).await.is_empty());
            prop_assert_eq!(it.request(id).await.attention, None);
            Ok(())
        })?;
    }
}
