//! Each rule, from what really happens: when it begins to fire, what is said, and when it is over.

use std::time::Duration;

use serde_json::json;
use shared::alert::{AlertName, AlertState};
use shared::clock::Clock as _;
use shared::store::audit::Actor;
use shared::store::cursors::{self, Cursor};
use shared::store::jobs;
use simulator::{AgentAction, RateLimit};
use tests::databases::Flavour;
use tests::receiver::Receiver;
use tests::running::Running;
use uuid::Uuid;

use super::alert_messages::alerted;

with_receiver!(
    dead_jobs_fire_until_they_are_retried,
    a_job_that_waits_for_too_long_fires_until_it_runs,
    a_lane_without_a_worker_fires_until_one_lives,
    a_refused_login_fires_until_it_is_mended,
    a_value_that_nobody_mapped_fires_until_it_is_gone,
    a_create_without_a_clean_answer_fires_until_it_is_settled,
    a_source_that_is_not_told_fires_until_it_is,
    limits_that_last_fire_until_they_end,
    drift_fires_until_a_comparison_is_clean,
    a_map_that_does_not_fit_fires_until_it_is_mended,
);

/// Lets dead jobs run again.
pub(crate) async fn revive(it: &Running, dead: &[Uuid]) {
    let actor = Actor::Operator("omar".to_owned());
    for id in dead {
        let tx = it.bridge.store().begin().await.unwrap();
        let revived = jobs::revive(&tx, *id, &actor, it.bridge.clock.now()).await;
        assert!(revived.unwrap());
        tx.commit().await.unwrap();
    }
    it.settle().await;
}

async fn state(it: &Running, name: AlertName) -> AlertState {
    it.look_at_alerts().await;
    it.alert(name).await.standing.state
}

/// What was told of an alert: the subjects.
fn told(receiver: &Receiver, name: AlertName) -> Vec<String> {
    let heard = receiver.heard().into_iter().map(|it| it.json());
    let about = heard.filter(|it| it["data"]["alert"] == name.as_str());
    about
        .map(|it| {
            let text = it["text"].as_str().unwrap();
            text.lines().next().unwrap().to_owned()
        })
        .collect()
}

/// The whole text of the first message about an alert, without what is different each time.
fn first_text(it: &Running, receiver: &Receiver, name: AlertName) -> String {
    let heard = receiver.heard().into_iter().map(|it| it.json());
    let found = heard
        .into_iter()
        .find(|it| it["data"]["alert"] == name.as_str());
    let body = found.unwrap();
    let text = body["text"].as_str().unwrap();
    text.replace(&it.bridge.url(), "https://bridge.example.com")
}

async fn dead_jobs_fire_until_they_are_retried(it: &Running, receiver: &Receiver) {
    assert_eq!(state(it, AlertName::DeadJobs).await, AlertState::Resolved);
    let dead = it.dead_updates(2).await;
    assert_eq!(state(it, AlertName::DeadJobs).await, AlertState::Firing);
    assert_eq!(
        state(it, AlertName::DeadJobsInLane).await,
        AlertState::Resolved
    );
    let body = receiver.heard()[0].json().to_string();
    let shown = body.replace(&it.bridge.url(), "https://bridge.example.com");
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)",
        "[time]",
    );
    settings.bind(|| {
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        insta::assert_json_snapshot!("a_message", shown);
    });
    revive(it, &dead).await;
    assert_eq!(state(it, AlertName::DeadJobs).await, AlertState::Resolved);
    assert_eq!(
        told(receiver, AlertName::DeadJobs),
        ["[local] warning: 2 dead jobs", "[local] over: Dead jobs"]
    );
}

#[tokio::test]
async fn dead_jobs_of_one_lane_fire_from_their_own_threshold_on() {
    let more = "[alerts.rules.dead_jobs_in_lane]\nthreshold = 2\n[alerts.rules.dead_jobs]\nenabled = false\n";
    let (it, receiver) = alerted(Flavour::Sqlite, more).await;
    let dead = it.dead_updates(2).await;
    assert_eq!(
        state(&it, AlertName::DeadJobsInLane).await,
        AlertState::Firing
    );
    assert_eq!(
        state(&it, AlertName::DeadJobs).await,
        AlertState::Resolved,
        "it is off"
    );
    revive(&it, &dead[..1]).await;
    assert_eq!(
        state(&it, AlertName::DeadJobsInLane).await,
        AlertState::Resolved
    );
    assert_eq!(
        told(&receiver, AlertName::DeadJobsInLane),
        [
            "[local] critical: 2 dead jobs in one lane",
            "[local] over: Dead jobs in one lane"
        ]
    );
}

async fn a_job_that_waits_for_too_long_fires_until_it_runs(it: &Running, receiver: &Receiver) {
    it.ask("R1", "access").await;
    let name = AlertName::OldestDue;
    assert_eq!(state(it, name).await, AlertState::Resolved);
    it.advance(Duration::from_mins(11));
    assert_eq!(state(it, name).await, AlertState::Pending);
    it.advance(Duration::from_mins(2));
    assert_eq!(state(it, name).await, AlertState::Firing);
    insta::assert_snapshot!("a_due_job_waits", first_text(it, receiver, name));
    it.pass(Duration::from_secs(12), Duration::from_secs(6))
        .await;
    assert_eq!(state(it, name).await, AlertState::Resolved);
    assert_eq!(
        told(receiver, name),
        [
            "[local] warning: a due job has waited for 13 min",
            "[local] over: A due job waits"
        ]
    );
}

async fn a_lane_without_a_worker_fires_until_one_lives(it: &Running, receiver: &Receiver) {
    let name = AlertName::NoWorker;
    assert_eq!(state(it, name).await, AlertState::Resolved);
    // It is silent for longer than its lease, and the sweeper strikes it off.
    it.advance(Duration::from_secs(30));
    scheduler::sweeper::tick(&it.bridge.scheduler)
        .await
        .unwrap();
    assert_eq!(state(it, name).await, AlertState::Pending);
    it.advance(Duration::from_mins(1));
    assert_eq!(state(it, name).await, AlertState::Firing);
    assert_eq!(it.alert(name).await.findings.len(), 7, "every lane");
    it.settle().await;
    assert_eq!(state(it, name).await, AlertState::Resolved);
    assert_eq!(
        told(receiver, name),
        [
            "[local] critical: 7 lanes have too few workers",
            "[local] over: Too few workers"
        ]
    );
}

async fn a_refused_login_fires_until_it_is_mended(it: &Running, receiver: &Receiver) {
    let (held, refused) = (AlertName::ConnectionHeld, AlertName::CredentialRefused);
    it.main
        .set_knobs(|knobs| knobs.oauth_client_credentials = false);
    it.opened("R1", "access").await;
    worker::credentials::tick(&it.worker).await.unwrap();
    for name in [held, refused] {
        assert_eq!(state(it, name).await, AlertState::Pending, "{name}");
    }
    it.advance(Duration::from_mins(1));
    for name in [held, refused] {
        assert_eq!(state(it, name).await, AlertState::Firing, "{name}");
    }
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\[transaction [0-9a-f]+\]", "[transaction]");
    settings.bind(|| {
        let text = first_text(it, receiver, held);
        insta::assert_snapshot!("a_connection_is_held_back", text);
    });
    it.main
        .set_knobs(|knobs| knobs.oauth_client_credentials = true);
    it.pass(Duration::from_hours(2), Duration::from_mins(5))
        .await;
    worker::credentials::tick(&it.worker).await.unwrap();
    for name in [held, refused] {
        assert_eq!(state(it, name).await, AlertState::Resolved, "{name}");
    }
    assert_eq!(
        told(receiver, held),
        [
            "[local] critical: 1 connection is held back",
            "[local] over: A connection is held back"
        ]
    );
    assert_eq!(told(receiver, refused).len(), 2);
}

async fn a_value_that_nobody_mapped_fires_until_it_is_gone(it: &Running, receiver: &Receiver) {
    let name = AlertName::UnmappedStates;
    let id = it.opened("R1", "access").await;
    let sys_id = it.ticket(id).await.sys_id.unwrap();
    it.advance(Duration::from_secs(30));
    it.main.set_knobs(|knobs| knobs.choice_strict = false);
    it.main
        .update(None, "incident", &sys_id, &[("state", "42")])
        .unwrap();
    it.look().await;
    assert_eq!(state(it, name).await, AlertState::Firing);
    it.advance(Duration::from_secs(30));
    it.main
        .update(None, "incident", &sys_id, &[("state", "2")])
        .unwrap();
    it.look().await;
    assert_eq!(state(it, name).await, AlertState::Resolved);
    assert_eq!(
        told(receiver, name),
        [
            "[local] warning: 1 ticket has a value that nobody mapped",
            "[local] over: Values that nobody mapped"
        ]
    );
}

async fn a_create_without_a_clean_answer_fires_until_it_is_settled(
    it: &Running,
    receiver: &Receiver,
) {
    let name = AlertName::AmbiguousCreates;
    it.fault(
        "POST",
        "incident",
        1,
        &json!({"post_commits_then_500": 1.0}),
    );
    it.opened("R1", "access").await;
    assert_eq!(state(it, name).await, AlertState::Pending);
    // The look that would settle it does not come.
    it.advance(Duration::from_mins(1));
    assert_eq!(state(it, name).await, AlertState::Firing);
    it.pass(Duration::from_mins(2), Duration::from_secs(6))
        .await;
    assert_eq!(state(it, name).await, AlertState::Resolved);
    assert_eq!(
        told(receiver, name),
        [
            "[local] warning: 1 create is without a clean answer",
            "[local] over: Creates without a clean answer"
        ]
    );
}

async fn a_source_that_is_not_told_fires_until_it_is(it: &Running, receiver: &Receiver) {
    let name = AlertName::FailedCallbacks;
    for _ in 0..3 {
        it.receiver.plan(500, &[]);
    }
    it.opened("R1", "access").await;
    assert_eq!(state(it, name).await, AlertState::Pending);
    it.pass(Duration::from_mins(10), Duration::from_secs(6))
        .await;
    assert_eq!(state(it, name).await, AlertState::Firing);
    it.pass(Duration::from_hours(3), Duration::from_mins(10))
        .await;
    assert_eq!(it.receiver.types().last().unwrap(), "request.open");
    assert_eq!(state(it, name).await, AlertState::Resolved);
    assert_eq!(
        told(receiver, name),
        [
            "[local] warning: 1 callback was not taken",
            "[local] over: A source is not told"
        ]
    );
}

async fn limits_that_last_fire_until_they_end(it: &Running, receiver: &Receiver) {
    let name = AlertName::ThrottledShare;
    it.opened("R0", "access").await;
    it.main
        .set_knobs(|knobs| knobs.rate_limit = Some(RateLimit { per_hour: 0 }));
    it.opened("R1", "access").await;
    assert_eq!(state(it, name).await, AlertState::Resolved);
    it.pass(Duration::from_mins(16), Duration::from_mins(1))
        .await;
    assert_eq!(state(it, name).await, AlertState::Pending);
    it.pass(Duration::from_mins(5), Duration::from_mins(1))
        .await;
    assert_eq!(state(it, name).await, AlertState::Firing);
    it.main.set_knobs(|knobs| knobs.rate_limit = None);
    it.pass(Duration::from_hours(2), Duration::from_mins(1))
        .await;
    assert_eq!(state(it, name).await, AlertState::Resolved);
    assert_eq!(told(receiver, name).len(), 2, "{:?}", told(receiver, name));
}

async fn drift_fires_until_a_comparison_is_clean(it: &Running, receiver: &Receiver) {
    let name = AlertName::DriftFound;
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(it.opened(&format!("R{number}"), "access").await);
    }
    it.pass(Duration::from_mins(6), Duration::from_mins(1))
        .await;
    it.agent(&it.number(ids[1]).await, &AgentAction::Resume);
    // As if the polls of the last minutes had read and lost what they were told.
    it.advance(Duration::from_mins(10));
    let conn = it.bridge.store().conn();
    let before = cursors::get(conn, "changes:main:incident").await.unwrap();
    let after = Cursor {
        updated_on: it
            .bridge
            .clock
            .now()
            .format("%Y-%m-%d %H:%M:%S")
            .to_string(),
        ..before.clone().unwrap()
    };
    assert!(cursors::put(conn, before.as_ref(), &after).await.unwrap());
    it.compare("incident").await;
    assert_eq!(state(it, name).await, AlertState::Firing);
    it.compare("incident").await;
    assert_eq!(state(it, name).await, AlertState::Resolved);
    assert_eq!(
        told(receiver, name),
        [
            "[local] warning: 1 difference was found",
            "[local] over: Drift is found"
        ]
    );
}

async fn a_map_that_does_not_fit_fires_until_it_is_mended(it: &Running, receiver: &Receiver) {
    let name = AlertName::ChoiceDrift;
    it.read_choices("problem").await;
    assert_eq!(
        state(it, name).await,
        AlertState::Resolved,
        "what cannot be told is no drift"
    );
    it.show_choices();
    it.read_choices("problem").await;
    assert_eq!(state(it, name).await, AlertState::Resolved);
    it.add_choice("problem", "state", "105", "Waits for the vendor");
    it.read_choices("problem").await;
    assert_eq!(state(it, name).await, AlertState::Firing);
    insta::assert_snapshot!("a_map_that_does_not_fit", first_text(it, receiver, name));
    // A scheduler that starts with a map that knows the value.
    let values = [
        ("101", "open"),
        ("102", "in_progress"),
        ("103", "in_progress"),
        ("104", "in_progress"),
        ("105", "on_hold"),
        ("106", "fulfilled"),
        ("107", "fulfilled"),
    ];
    let map: Vec<String> = values
        .iter()
        .map(|(value, state)| format!("\"{value}\" = \"{state}\""))
        .collect();
    let route = "name = \"problem\"\n";
    let mended = format!("{route}states_in = {{ {} }}\n", map.join(", "));
    let scheduler = it.scheduler_with(route, &mended).await;
    scheduler::alerts::tick(&scheduler).await.unwrap();
    assert_eq!(it.alert(name).await.standing.state, AlertState::Resolved);
    scheduler::alerts::deliver(&scheduler).await.unwrap();
    assert_eq!(
        told(receiver, name),
        [
            "[local] warning: 1 entry of a state map does not fit the choice lists",
            "[local] over: State maps do not fit choice lists"
        ]
    );
}

#[tokio::test]
async fn a_credential_that_dies_soon_fires_until_it_is_replaced() {
    let name = AlertName::CredentialAge;
    let third = "[connections.third]\nbase_url = \"https://third.example.com\"\nauth = \"api_key\"\napi_key = \"fictional\"\n\
                 credential_expires_on = \"2026-03-12\"\n";
    let (it, receiver) = alerted(Flavour::Sqlite, third).await;
    assert_eq!(state(&it, name).await, AlertState::Firing);
    assert_eq!(
        it.alert(name).await.findings[0].what,
        "the credential dies in 9 days"
    );
    let replaced = it.scheduler_with("2026-03-12", "2027-03-12").await;
    assert_eq!(scheduler::alerts::tick(&replaced).await.unwrap(), 1);
    scheduler::alerts::deliver(&replaced).await.unwrap();
    assert_eq!(
        told(&receiver, name),
        [
            "[local] warning: a credential dies in 9 days",
            "[local] over: A credential dies soon"
        ]
    );
}
