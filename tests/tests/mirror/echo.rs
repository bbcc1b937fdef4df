//! Own writes never come back as changes (T12; ARCHITECTURE.md, invariant 9).

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;
use shared::request::RequestState;
use shared::state_map::Mapped;
use simulator::{AgentAction, CallFilter};
use tests::databases::Flavour;
use tests::running::Running;
use uuid::Uuid;

on_both!(what_we_wrote_is_no_news);

async fn what_we_wrote_is_no_news(it: &Running) {
    let id = it.opened("R1", "owned").await;
    it.say(id, "in_progress", json!({})).await;
    it.settle().await;
    let (version, jobs) = (it.request(id).await.version, it.jobs(id).await.len());
    let writes = |it: &Running| {
        it.main.count(&CallFilter {
            method: Some("PATCH".into()),
            ..CallFilter::default()
        })
    };
    let written = writes(it);
    it.pass(Duration::from_mins(40), Duration::from_secs(30))
        .await;
    assert_eq!(it.request(id).await.version, version);
    assert_eq!(it.jobs(id).await.len(), jobs);
    assert_eq!(writes(it), written);
}

/// One thing that happens on one of the two sides.
#[derive(Debug, Clone)]
enum Deed {
    Source(&'static str),
    Agent(AgentAction),
    Pass(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let source = prop::sample::select(vec!["in_progress", "on_hold", "comment", "in_progress"])
        .prop_map(Deed::Source);
    let agent = prop::sample::select(vec![
        AgentAction::Resume,
        AgentAction::Hold {
            reason: None,
            comment: None,
        },
        AgentAction::Assign {
            to: Some("nina.agent".into()),
            group: None,
        },
        AgentAction::Comment {
            text: "Working on it.".into(),
        },
    ]);
    let pass = (1_u64..50).prop_map(Deed::Pass);
    prop_oneof![source, agent.prop_map(Deed::Agent), pass]
}

async fn happen(it: &Running, id: Uuid, owned: bool, deed: &Deed) {
    match deed {
        Deed::Source("comment") => {
            drop(it.say(id, "comment", json!({"comment": "Any news?"})).await);
        }
        Deed::Source(word) if owned => drop(it.say(id, word, json!({})).await),
        Deed::Source(_) => {}
        Deed::Agent(action) => it.agent(&it.number(id).await, action),
        Deed::Pass(seconds) => {
            it.pass(Duration::from_secs(*seconds), Duration::from_secs(10))
                .await;
        }
    }
}

/// A→B→A ends: whatever happened, some minutes later nothing is written any more, and both sides tell the same story, or a human
/// was called.
async fn ends(owned: bool, deeds: &[Deed]) -> Result<(), TestCaseError> {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it
        .opened("R1", if owned { "owned" } else { "access" })
        .await;
    for deed in deeds {
        happen(&it, id, owned, deed).await;
        it.advance(Duration::from_secs(2));
    }
    it.pass(Duration::from_mins(4), Duration::from_secs(20))
        .await;
    let (request, log) = (
        it.request(id).await,
        it.main.calls(&CallFilter::default()).len(),
    );
    it.pass(Duration::from_mins(5), Duration::from_mins(1))
        .await;
    let after = it.request(id).await;
    prop_assert_eq!(request.version, after.version, "nothing changes any more");
    let later = it.main.calls(&CallFilter::default()).split_off(log);
    prop_assert!(later.iter().all(|call| call.method == "GET"), "{:?}", later);
    prop_assert!(it.live(id).await.is_empty());

    let route = it.worker.routes.by_name(&after.route).unwrap();
    let record = it.records("incident").remove(0);
    let shown = route.states.read(&shared::state_map::Observed {
        state: &record["state"],
        approval: "",
        close_code: "",
    });
    let agree = match shown {
        Mapped::To(state) if owned && after.state == RequestState::Open => !state.is_final(),
        shown => shown == Mapped::To(after.state),
    };
    let called = after
        .attention
        .as_deref()
        .is_some_and(|text| text.starts_with("Conflict:"));
    prop_assert!(
        agree || (owned && called),
        "{:?} {:?} {:?}",
        after.state,
        record["state"],
        after.attention
    );
    prop_assert!(after.state != RequestState::Opening);
    let comments = deeds
        .iter()
        .filter(|deed| matches!(deed, Deed::Source("comment")))
        .count();
    prop_assert_eq!(
        it.main.rows("sys_journal_field", "valueLIKEAny news").len(),
        comments,
        "each comment once"
    );
    Ok(())
}

/// Runs `ends` for random deeds; a run takes about a second, so there are not many of them.
fn hold(owned: bool) {
    let config = Config {
        cases: 12,
        max_shrink_iters: 20,
        ..Config::default()
    };
    let deeds = prop::collection::vec(deed(), 1..10);
    let outcome = TestRunner::new(config).run(&deeds, |deeds| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(ends(owned, &deeds))
    });
    outcome.unwrap();
}

#[test]
fn echoes_end_where_servicenow_decides() {
    hold(false);
}

#[test]
fn echoes_end_where_the_source_decides() {
    hold(true);
}
