//! What is done with jobs: one, some, all that match; counted first, paced, stopped, and never half.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::job::JobState;
use shared::operator::Role;
use shared::request::RequestState;
use shared::store::{audit, circuits, jobs};
use tests::bridge::Api;
use tests::running::Running;
use uuid::Uuid;

on_both!(
    a_dead_job_gets_a_fresh_start,
    what_will_happen_is_counted_first,
    all_that_match_are_treated_and_those_that_do_not_fit_are_left_out,
    a_paced_retry_keeps_its_rate_and_is_stopped,
    a_killed_job_ends_dead_without_running,
    a_cancelled_job_never_runs_and_its_request_is_flagged,
    a_job_that_waits_runs_now,
    two_operators_at_once_do_it_once,
    jobs_that_come_later_are_not_touched,
    a_retry_says_which_jobs_stand_behind_an_open_circuit,
    a_retry_waits_until_the_circuit_is_over,
    only_what_lets_jobs_run_waits_for_a_circuit,
);

async fn act(api: &Api, body: Value) -> Value {
    let answer = api.post("/v1/ops/operations", &body).await;
    assert!(matches!(answer.status, 200 | 202), "{}", answer.body);
    answer.body
}

async fn states(it: &Running, ids: &[Uuid]) -> Vec<JobState> {
    let found = jobs::states(it.bridge.store().conn(), ids).await.unwrap();
    found.into_iter().map(|(_, state)| state).collect()
}

async fn a_dead_job_gets_a_fresh_start(it: &Running) {
    let dead = it.dead_updates(1).await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let begun = act(
        &omar,
        json!({"action": "retry", "ids": dead, "reason": "the rule was corrected"}),
    )
    .await;
    assert_eq!(
        (&begun["state"], &begun["done"], &begun["matched"]),
        (&json!("done"), &json!(1), &json!(1))
    );
    it.settle().await;
    assert_eq!(states(it, &dead).await, [JobState::Done]);
    let trail = audit::of_subject(it.bridge.store().conn(), "job", &dead[0].to_string()).await;
    let last = trail.unwrap().pop().unwrap();
    assert_eq!(
        (
            last.actor.as_str(),
            last.action.as_str(),
            last.to.as_deref()
        ),
        ("operator:omar", "job.revived", Some("due"))
    );
    // Pressed once more, it is told what the job is by now.
    let again = omar
        .post(
            "/v1/ops/operations",
            &json!({"action": "retry", "ids": dead}),
        )
        .await;
    assert_eq!(again.status, 409);
    assert!(
        again.body["detail"]
            .as_str()
            .unwrap()
            .contains("is done by now"),
        "{}",
        again.body
    );
}

async fn what_will_happen_is_counted_first(it: &Running) {
    let dead = it.dead_updates(3).await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let body = json!({"action": "retry", "filter": {}, "per_minute": 2, "dry_run": true});
    let counted = act(&omar, body).await;
    assert_eq!(counted["matched"], 3);
    assert!(
        counted["will"]
            .as_str()
            .unwrap()
            .contains("At 2 a minute this takes 2 min or longer")
    );
    assert!(
        states(it, &dead)
            .await
            .iter()
            .all(|state| *state == JobState::Dead)
    );
    // It has changed meanwhile: nothing is done.
    act(&omar, json!({"action": "retry", "ids": [dead[0]]})).await;
    let stale = omar
        .post(
            "/v1/ops/operations",
            &json!({"action": "retry", "filter": {}, "expected": 3}),
        )
        .await;
    insta::assert_json_snapshot!("an_action_on_what_has_changed", stale.body);
    assert_eq!(
        states(it, &dead[1..]).await,
        [JobState::Dead, JobState::Dead]
    );
    let none = omar
        .post(
            "/v1/ops/operations",
            &json!({"action": "retry", "filter": {"kind": "no.v1"}}),
        )
        .await;
    assert_eq!(none.status, 409);
}

async fn all_that_match_are_treated_and_those_that_do_not_fit_are_left_out(it: &Running) {
    let dead = it.dead_updates(3).await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let all = act(
        &omar,
        json!({"action": "retry", "filter": {"kind": "update_servicenow_status.v1"}}),
    )
    .await;
    assert_eq!(
        (&all["matched"], &all["done"], &all["state"]),
        (&json!(3), &json!(3), &json!("done"))
    );
    it.settle().await;
    assert_eq!(states(it, &dead).await, [JobState::Done; 3]);
    // A create that is dead has denied its request: to run it again would make no ticket.
    let denied = super::dead_creates(it, 1).await[0];
    assert_eq!(it.request(denied).await.state, RequestState::Denied);
    let left = act(
        &omar,
        json!({"action": "retry", "filter": {"kind": "create_ticket.v1"}}),
    )
    .await;
    assert_eq!((&left["done"], &left["skipped"]), (&json!(0), &json!(1)));
    assert!(
        left["last_skipped"]
            .as_str()
            .unwrap()
            .contains("it has to be asked again")
    );
    let trail = audit::of_subject(
        it.bridge.store().conn(),
        "operation",
        left["id"].as_str().unwrap(),
    )
    .await;
    let words: Vec<_> = trail.unwrap().into_iter().map(|row| row.action).collect();
    assert_eq!(words, ["operation.started", "operation.ended"]);
}

async fn a_paced_retry_keeps_its_rate_and_is_stopped(it: &Running) {
    let dead = it.dead_updates(5).await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let begun = act(
        &omar,
        json!({"action": "retry", "filter": {}, "per_minute": 1}),
    )
    .await;
    assert_eq!(
        (&begun["done"], &begun["state"]),
        (&json!(1), &json!("running"))
    );
    let path = format!("/v1/ops/operations/{}", begun["id"].as_str().unwrap());
    for minute in 2..=3 {
        it.advance(Duration::from_secs(59));
        scheduler::operations::tick(&it.bridge.scheduler)
            .await
            .unwrap();
        assert_eq!(
            omar.get(&path).await.body["done"],
            minute - 1,
            "not before its time"
        );
        it.advance(Duration::from_secs(1));
        scheduler::operations::tick(&it.bridge.scheduler)
            .await
            .unwrap();
        assert_eq!(omar.get(&path).await.body["done"], minute);
    }
    let stopped = omar.post(&format!("{path}/stop"), &json!({})).await;
    assert_eq!(stopped.body["state"], "stopped");
    it.advance(Duration::from_mins(10));
    scheduler::operations::tick(&it.bridge.scheduler)
        .await
        .unwrap();
    let left = states(it, &dead).await;
    assert_eq!(
        left.iter()
            .filter(|state| **state == JobState::Dead)
            .count(),
        2
    );
    let again = omar.post(&format!("{path}/stop"), &json!({})).await;
    assert_eq!(again.status, 409);
    assert_eq!(
        super::items(&omar.get("/v1/ops/operations").await.body).len(),
        1
    );
}

async fn a_killed_job_ends_dead_without_running(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let id = it.ask("K-1", "access").await;
    let job = it.job(id, "create_ticket.v1").await.id;
    act(
        &omar,
        json!({"action": "kill", "ids": [job], "reason": "asked for by mistake"}),
    )
    .await;
    let twice = act(&omar, json!({"action": "kill", "ids": [job]})).await;
    assert_eq!(twice["skipped"], 1);
    it.settle().await;
    assert_eq!(states(it, &[job]).await, [JobState::Dead]);
    assert_eq!(it.calls("create", "incident"), 0);
    let request = it.request(id).await;
    assert_eq!(request.state, RequestState::Denied);
    assert!(
        request
            .reason
            .as_deref()
            .unwrap()
            .contains("killed by operator:omar: asked for by mistake"),
        "{:?}",
        request.reason
    );
}

async fn a_cancelled_job_never_runs_and_its_request_is_flagged(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let id = it.ask("C-1", "access").await;
    let job = it.job(id, "create_ticket.v1").await.id;
    act(
        &omar,
        json!({"action": "cancel", "ids": [job], "reason": "a test"}),
    )
    .await;
    it.settle().await;
    assert_eq!(states(it, &[job]).await, [JobState::Cancelled]);
    assert_eq!(it.calls("create", "incident"), 0);
    let flag = it.request(id).await.attention.unwrap();
    assert!(
        flag.contains("cancelled by operator:omar: a test"),
        "{flag}"
    );
    // One that a worker has had may have done something.
    it.fault(
        "POST",
        "incident",
        1,
        &json!({"connection_drop": {"when": "before"}}),
    );
    let had = it.opened("C-2", "access").await;
    let had = it.job(had, "create_ticket.v1").await.id;
    let left = act(&omar, json!({"action": "cancel", "ids": [had]})).await;
    assert!(
        left["last_skipped"]
            .as_str()
            .unwrap()
            .contains("kill it instead"),
        "{left}"
    );
}

async fn a_job_that_waits_runs_now(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    it.fault(
        "POST",
        "incident",
        1,
        &json!({"connection_drop": {"when": "before"}}),
    );
    let id = it.opened("N-1", "access").await;
    let job = it.job(id, "create_ticket.v1").await;
    assert_eq!(job.state, JobState::Due);
    assert!(job.due_at > it.bridge.clock.now());
    act(&omar, json!({"action": "run_now", "ids": [job.id]})).await;
    it.settle().await;
    let job = it.job(id, "create_ticket.v1").await;
    assert!(job.lease_token >= 2, "{job:?}");
}

async fn two_operators_at_once_do_it_once(it: &Running) {
    let dead = it.dead_updates(1).await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let vera = it.bridge.operator("vera", Role::Operator).await;
    let body = json!({"action": "retry", "ids": dead});
    let (one, other) = tokio::join!(
        omar.post("/v1/ops/operations", &body),
        vera.post("/v1/ops/operations", &body)
    );
    let done = [&one, &other]
        .into_iter()
        .filter(|it| it.status == 202)
        .map(|it| it.body["done"].as_u64().unwrap());
    // The other one is refused, or its part finds the job revived.
    scheduler::operations::tick(&it.bridge.scheduler)
        .await
        .unwrap();
    assert!(done.sum::<u64>() <= 1, "{} {}", one.body, other.body);
    let trail = audit::of_subject(it.bridge.store().conn(), "job", &dead[0].to_string()).await;
    let revived = trail
        .unwrap()
        .into_iter()
        .filter(|row| row.action == "job.revived");
    assert_eq!(revived.count(), 1);
}

async fn jobs_that_come_later_are_not_touched(it: &Running) {
    let dead = it.dead_updates(2).await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let begun = act(
        &omar,
        json!({"action": "retry", "filter": {}, "per_minute": 1}),
    )
    .await;
    assert_eq!((&begun["matched"], &begun["done"]), (&json!(2), &json!(1)));
    it.settle().await;
    it.advance(Duration::from_millis(5));
    let later = super::dead_creates(it, 1).await[0];
    let later = it.job(later, "create_ticket.v1").await.id;
    let path = format!("/v1/ops/operations/{}", begun["id"].as_str().unwrap());
    for _ in 0..3 {
        it.advance(Duration::from_mins(1));
        scheduler::operations::tick(&it.bridge.scheduler)
            .await
            .unwrap();
    }
    let ended = omar.get(&path).await.body;
    assert_eq!(
        (&ended["state"], &ended["done"], &ended["skipped"]),
        (&json!("done"), &json!(2), &json!(0))
    );
    assert_eq!(states(it, &[later]).await, [JobState::Dead]);
    assert!(!states(it, &dead).await.contains(&JobState::Dead));
}

/// Somebody has to mend the connection; nobody calls before then.
async fn held(it: &Running, circuit: &str, minutes: i64) -> DateTime<Utc> {
    let now = it.bridge.clock.now();
    let until = now + TimeDelta::minutes(minutes);
    let conn = it.bridge.store().conn();
    circuits::open(conn, circuit, "auth", "the log-in is refused", until, now)
        .await
        .unwrap();
    until
}

async fn a_retry_says_which_jobs_stand_behind_an_open_circuit(it: &Running) {
    let dead = it.dead_updates(3).await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let count = async |body: Value| act(&omar, body).await;
    let retry = json!({"action": "retry", "filter": {"state": ["dead"]}, "dry_run": true});
    assert_eq!(count(retry.clone()).await["held"], json!([]));
    let until = held(it, "main", 10).await;
    let forecast = count(retry.clone()).await;
    let one = json!([{
        "circuit": "main", "jobs": 3, "until": until, "reason": "the log-in is refused", "wants_a_hand": true,
    }]);
    assert_eq!(forecast["held"], one);
    insta::assert_snapshot!("a_retry_behind_a_circuit", told(&forecast, until));
    let named =
        json!({"action": "retry", "ids": [dead[0]], "wait_for_circuit": true, "dry_run": true});
    insta::assert_snapshot!("a_retry_that_waits", told(&count(named).await, until));
    // A kill calls nobody, whatever is held.
    let kill = json!({"action": "kill", "filter": {"state": ["due", "rung"]}, "dry_run": true});
    let waiting = it.ask("W-1", "access").await;
    assert_eq!(count(kill).await["held"], json!([]));
    // A circuit of one table holds only what is about that table.
    circuits::close(it.bridge.store().conn(), "main", it.bridge.clock.now())
        .await
        .unwrap();
    held(it, "main/sc_task", 10).await;
    assert_eq!(count(retry.clone()).await["held"], json!([]));
    held(it, "main/incident", 10).await;
    let forecast = count(retry).await;
    assert_eq!(forecast["held"][0]["circuit"], "main/incident");
    assert_eq!(forecast["held"][0]["jobs"], 3);
    assert!(it.live(waiting).await.len() == 1);
}

fn told(forecast: &Value, until: DateTime<Utc>) -> String {
    let until = until.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    forecast["will"]
        .as_str()
        .unwrap()
        .replace(&until, "[until]")
}

async fn a_retry_waits_until_the_circuit_is_over(it: &Running) {
    let dead = it.dead_updates(3).await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let until = held(it, "main", 10).await;
    let retry = json!({"action": "retry", "filter": {"state": ["dead"]}, "wait_for_circuit": true});
    let begun = act(&omar, retry).await;
    assert_eq!(
        (&begun["state"], &begun["done"]),
        (&json!("waiting"), &json!(0))
    );
    assert_eq!(
        begun["waits_for"],
        "the circuit of main: the log-in is refused"
    );
    // What is paced waits without being told to.
    let paced = json!({"action": "retry", "ids": [dead[0]], "per_minute": 60});
    let paced = act(&omar, paced).await;
    assert_eq!(
        (&paced["state"], &paced["waits_for_circuit"]),
        (&json!("waiting"), &json!(true))
    );
    let stop = format!("/v1/ops/operations/{}/stop", paced["id"].as_str().unwrap());
    assert_eq!(omar.post(&stop, &json!({})).await.status, 200);
    it.advance(Duration::from_mins(5));
    scheduler::operations::tick(&it.bridge.scheduler)
        .await
        .unwrap();
    assert_eq!(states(it, &dead).await, [JobState::Dead; 3]);
    // Its time has come, but nobody knows yet whether it works again: one job goes first.
    it.advance(Duration::from_mins(5) + Duration::from_secs(1));
    assert!(it.bridge.clock.now() > until);
    let path = format!("/v1/ops/operations/{}", begun["id"].as_str().unwrap());
    for treated in [1, 1] {
        scheduler::operations::tick(&it.bridge.scheduler)
            .await
            .unwrap();
        assert_eq!(omar.get(&path).await.body["done"], treated);
    }
    it.settle().await;
    assert!(it.circuits().await.is_empty(), "it got through");
    it.advance(Duration::from_secs(6));
    scheduler::operations::tick(&it.bridge.scheduler)
        .await
        .unwrap();
    let after = omar.get(&path).await.body;
    assert_eq!(
        (&after["state"], &after["done"]),
        (&json!("done"), &json!(3))
    );
    it.settle().await;
    assert_eq!(states(it, &dead).await, [JobState::Done; 3]);
}

async fn only_what_lets_jobs_run_waits_for_a_circuit(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let body = json!({"action": "kill", "filter": {}, "wait_for_circuit": true});
    let refused = omar.post("/v1/ops/operations", &body).await;
    assert_eq!(refused.status, 422);
    assert_eq!(
        refused.body["errors"][0]["field"], "/wait_for_circuit",
        "{}",
        refused.body
    );
    // The console offers to wait where something is held.
    let dead = it.dead_updates(1).await[0].to_string();
    let mut console = it.bridge.signed_in("ada", Role::Admin).await;
    let pick = [("job", dead.as_str()), ("do", "retry")];
    let page = console.post("/console/jobs/confirm", &pick).await;
    assert!(!page.html.contains("name=\"wait\""), "{}", page.html);
    held(it, "main", 10).await;
    let page = console.post("/console/jobs/confirm", &pick).await;
    assert!(
        page.words()
            .contains("1 of them stands behind the open circuit of “main”")
    );
    let plan = page.between("name=\"plan\" value=\"", "\"").to_owned();
    let fields = [("plan", plan.as_str()), ("wait", "yes")];
    let asked = console.post("/console/jobs/do", &fields).await;
    assert_eq!(asked.status, 422, "a reason is wanted");
    assert!(asked.html.contains("name=\"wait\" value=\"yes\" checked"));
    let plan = asked.between("name=\"plan\" value=\"", "\"").to_owned();
    let fields = [
        ("plan", plan.as_str()),
        ("wait", "yes"),
        ("reason", "the secret is renewed soon"),
    ];
    let begun = console.post("/console/jobs/do", &fields).await;
    assert_eq!(begun.status, 303, "{}", begun.html);
    let shown = console.get(&begun.location).await.words();
    assert!(
        shown.contains("the circuit of main: the log-in is refused"),
        "{shown}"
    );
}
