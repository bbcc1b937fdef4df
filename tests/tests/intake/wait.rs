//! Jobs by id, and calls that wait (N20, N22).

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::job::Claimed;
use shared::store::jobs::{self, Ending};
use shared::store::processes::{self, Process};
use shared::store::tickets::{self, Saved};
use shared::ticket::Ticket;
use tests::bridge::{Api, Bridge};
use uuid::Uuid;

use crate::stable;

on_both!(
    a_job_is_shown_to_the_source_of_its_request_alone,
    a_wait_ends_when_it_has_happened,
    a_wait_for_what_has_happened_already_ends_at_once,
    a_wait_that_is_in_vain_says_so,
    many_who_wait_share_one_look,
    a_resubmission_names_the_job_that_runs_and_who_runs_it,
    a_stranded_job_answers_no_resubmission_for_long,
    waits_for_nonsense_are_refused,
);

async fn opened(bridge: &Bridge, external_id: &str) -> (Api, Uuid, Uuid) {
    let api = bridge.api("idm").await;
    let request = api.create(external_id, "application-access").await;
    let all = jobs::of_request(bridge.store().conn(), request).await;
    (api, request, all.unwrap()[0].id)
}

async fn claim(bridge: &Bridge, job: Uuid, owner: &str) -> Claimed {
    let now = bridge.clock.now();
    let mut claimed = jobs::claim(bridge.store().conn(), &[job], owner, now)
        .await
        .unwrap();
    claimed.remove(0)
}

async fn finish(bridge: &Bridge, run: &Claimed) {
    let conn = bridge.store().conn();
    let ended = jobs::finish(conn, run.id, &run.lease, &Ending::Done, bridge.clock.now()).await;
    assert!(ended.unwrap());
}

async fn show_ticket(bridge: &Bridge, request: Uuid) {
    let conn = bridge.store().conn();
    let before = tickets::of_request(conn, request).await.unwrap().unwrap();
    let after = Ticket {
        exists: true,
        number: Some("INC0010001".into()),
        ..before.clone()
    };
    let saved = tickets::save(conn, &before, &after, bridge.clock.now())
        .await
        .unwrap();
    assert_eq!(saved, Saved::Saved);
}

/// Lets a call wait, and looks for it again and again until it has its answer.
async fn waited(bridge: &Bridge, api: &Api, path: &str, then: impl AsyncFnOnce()) -> Value {
    let calling = api.get(path);
    let looking = async {
        then().await;
        loop {
            scheduler::waits::tick(&bridge.scheduler).await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let answer = tokio::select! {
        answer = calling => answer,
        () = looking => unreachable!("it looks for ever"),
    };
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

async fn a_job_is_shown_to_the_source_of_its_request_alone(bridge: &Bridge) {
    let (api, _, job) = opened(bridge, "R1").await;
    claim(bridge, job, "host-worker-1-aa").await;
    let path = format!("/v1/jobs/{job}");
    let shown = api.get(&path).await;
    assert_eq!(shown.status, 200);
    insta::assert_json_snapshot!("job", stable(&shown.body));
    for (api, path) in [
        (bridge.api("hr").await, path),
        (api.clone(), format!("/v1/jobs/{}", Uuid::nil())),
        (api.clone(), "/v1/jobs/7".to_owned()),
    ] {
        for path in [path.clone(), format!("{path}/wait")] {
            let refused = api.get(&path).await;
            assert_eq!(refused.status, 404, "{path} {}", refused.body);
        }
    }
}

async fn a_wait_ends_when_it_has_happened(bridge: &Bridge) {
    let (api, request, job) = opened(bridge, "R1").await;
    let run = claim(bridge, job, "w1").await;
    let ended = waited(bridge, &api, &format!("/v1/jobs/{job}/wait"), async || {
        finish(bridge, &run).await;
    })
    .await;
    assert_eq!(ended["reached"], true);
    assert_eq!(
        (&ended["job"]["state"], &ended["job"]["holder"]),
        (&json!("done"), &Value::Null)
    );

    let path = format!("/v1/requests/{request}/wait?for=ticket&timeout_seconds=60");
    let shown = waited(bridge, &api, &path, async || {
        show_ticket(bridge, request).await;
    })
    .await;
    assert_eq!(shown["reached"], true);
    assert_eq!(shown["request"]["ticket"]["number"], "INC0010001");

    let path = format!("/v1/requests/{request}/wait");
    let closed = waited(bridge, &api, &path, async || {
        let cancelled = api
            .post(&format!("/v1/requests/{request}/cancel"), &json!({}))
            .await;
        assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    })
    .await;
    assert_eq!(closed["reached"], true);
    assert_eq!(closed["request"]["state"], "cancelled");
}

async fn a_wait_for_what_has_happened_already_ends_at_once(bridge: &Bridge) {
    let (api, request, job) = opened(bridge, "R1").await;
    show_ticket(bridge, request).await;
    let run = claim(bridge, job, "w1").await;
    finish(bridge, &run).await;
    // Nobody looks here, so only the first look can have ended these.
    for path in [
        format!("/v1/requests/{request}/wait?for=ticket"),
        format!("/v1/jobs/{job}/wait"),
    ] {
        let answer = api.get(&path).await;
        assert_eq!(
            (answer.status, &answer.body["reached"]),
            (200, &json!(true))
        );
    }
}

async fn a_wait_that_is_in_vain_says_so(bridge: &Bridge) {
    let (api, request, job) = opened(bridge, "R1").await;
    for path in [
        format!("/v1/requests/{request}/wait?timeout_seconds=1"),
        format!("/v1/jobs/{job}/wait?timeout_seconds=1"),
    ] {
        let body = waited(bridge, &api, &path, async || ()).await;
        assert_eq!(body["reached"], false);
    }
}

async fn many_who_wait_share_one_look(bridge: &Bridge) {
    let (api, request, _) = opened(bridge, "R1").await;
    assert_eq!(scheduler::waits::tick(&bridge.scheduler).await.unwrap(), 0);
    let path: Arc<str> = format!("/v1/requests/{request}/wait?for=ticket").into();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (api, path) = (api.clone(), Arc::clone(&path));
        calls.spawn(async move { api.get(&path).await });
    }
    show_ticket(bridge, request).await;
    let mut reached = 0;
    while !calls.is_empty() {
        // One thing has happened, however many wait for it.
        assert!(scheduler::waits::tick(&bridge.scheduler).await.unwrap() <= 1);
        while let Some(answer) = calls.try_join_next() {
            reached += usize::from(answer.unwrap().body["reached"] == true);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(reached, 50);
    assert_eq!(
        scheduler::waits::tick(&bridge.scheduler).await.unwrap(),
        0,
        "nobody waits any more"
    );
}

async fn owned(bridge: &Bridge) -> (Api, Uuid) {
    let api = bridge.api("idm").await;
    let request = api.create("R1", "directory-group").await;
    (api, request)
}

async fn say(api: &Api, request: Uuid, status: &str) -> Value {
    let path = format!("/v1/requests/{request}/status");
    let answer = api.post(&path, &json!({ "status": status })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["job"].clone()
}

async fn a_resubmission_names_the_job_that_runs_and_who_runs_it(bridge: &Bridge) {
    let (api, request) = owned(bridge).await;
    let job = say(&api, request, "approved").await;
    assert_eq!(
        (&job["state"], &job["holder"]),
        (&json!("rung"), &Value::Null)
    );
    let id: Uuid = job["id"].as_str().unwrap().parse().unwrap();
    let run = claim(bridge, id, "host-worker-1-aa").await;
    let since = json!(bridge.clock.now());
    bridge.clock.advance(Duration::from_secs(5));
    let again = say(&api, request, "fulfilled").await;
    assert_eq!(again["id"], job["id"], "no second one beside it");
    assert_eq!(again["holder"]["worker"], "host-worker-1-aa");
    assert_eq!(again["runs_again"], true, "what was said since is not lost");
    let held: chrono::DateTime<chrono::Utc> =
        serde_json::from_value(again["holder"]["since"].clone()).unwrap();
    assert_eq!(json!(held), since, "its age is that of the run");
    finish(bridge, &run).await;
    let after = api.get(&format!("/v1/jobs/{id}")).await;
    assert_eq!(after.body["state"], "due", "it runs once more");
}

async fn a_stranded_job_answers_no_resubmission_for_long(bridge: &Bridge) {
    let (api, request) = owned(bridge).await;
    let job = say(&api, request, "approved").await;
    let id: Uuid = job["id"].as_str().unwrap().parse().unwrap();
    let (conn, now) = (bridge.store().conn(), bridge.clock.now());
    let worker = Process {
        id: "victim".into(),
        kind: "worker".into(),
        host: "host".into(),
        version: "0.1.0".into(),
        lanes: Vec::new(),
        started_at: now,
    };
    processes::register(conn, &worker, now + TimeDelta::seconds(8), now)
        .await
        .unwrap();
    claim(bridge, id, "victim").await;
    // It is killed, and says nothing any more.
    bridge.clock.advance(Duration::from_secs(8));
    scheduler::sweeper::tick(&bridge.scheduler).await.unwrap();
    let again = say(&api, request, "in_progress").await;
    assert_eq!(
        again["id"], job["id"],
        "the key went with the job to whoever comes next"
    );
    assert_eq!(
        (&again["state"], &again["holder"]),
        (&json!("due"), &Value::Null)
    );
    let run = claim(bridge, id, "heir").await;
    finish(bridge, &run).await;
    let fresh = say(&api, request, "fulfilled").await;
    assert_ne!(fresh["id"], job["id"], "with its end the key is free");
}

async fn waits_for_nonsense_are_refused(bridge: &Bridge) {
    let (api, request, job) = opened(bridge, "R1").await;
    let mut problems = Vec::new();
    for path in [
        format!("/v1/requests/{request}/wait?for=lunch&timeout_seconds=61"),
        format!("/v1/requests/{request}/wait?timeout_seconds=0&fro=end"),
        format!("/v1/jobs/{job}/wait?timeout_seconds=-1&for=end"),
        format!("/v1/jobs/{job}?wait=true"),
    ] {
        let refused = api.get(&path).await;
        assert_eq!(refused.status, 400, "{path} {}", refused.body);
        problems.push(refused.body["errors"].clone());
    }
    insta::assert_json_snapshot!("wait_refusals", problems);
    for path in ["7", &Uuid::nil().to_string()] {
        let refused = api.get(&format!("/v1/requests/{path}/wait")).await;
        assert_eq!(refused.status, 404);
    }
    let foreign = bridge.api("hr").await;
    let refused = foreign.get(&format!("/v1/requests/{request}/wait")).await;
    assert_eq!(refused.status, 404);
}
