//! What is done with jobs: one, some, all that match; counted first, paced, stopped, and never half.

use std::time::Duration;

use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::job::JobState;
use shared::operator::Role;
use shared::request::RequestState;
use shared::store::{audit, jobs};
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
