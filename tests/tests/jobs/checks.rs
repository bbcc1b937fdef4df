//! Checks of a connection (N14): what each fault is told to be, and what a check must not do.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shared::checkup::Step;
use shared::clock::Clock as _;
use shared::job::{ConnectionCheck, NewJob, Payload};
use shared::store::{connection_checks, jobs};
use simulator::{CallFilter, Hibernate, RowAcl};
use tests::databases::Flavour;
use tests::running::Running;

on_both!(an_answer_that_is_lost_is_a_step_that_failed);

/// Has `worker` make a check of `connection`; what it found.
async fn check(it: &Running, worker: &Arc<worker::Context>, connection: &str) -> Vec<Step> {
    // Ids begin with their time, and the newest is looked at.
    it.advance(Duration::from_secs(1));
    let (store, now) = (it.bridge.store(), it.bridge.clock.now());
    let job = NewJob {
        payload: Payload::CheckConnection(ConnectionCheck {
            connection: connection.to_owned(),
        }),
        connection: Some(connection.to_owned()),
        request_id: None,
        priority: 1,
        due_at: now,
        dedup_key: Some(ConnectionCheck::key(connection)),
        traceparent: None,
    };
    let tx = store.begin().await.unwrap();
    let queued = jobs::insert(&tx, &job, now).await.unwrap().unwrap();
    connection_checks::ask(&tx, queued.id, connection, "operator:omar", now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    shared::queue::ring(&*it.bridge.broker, &[queued]).await;
    for bell in it.bells().await {
        worker::ring(worker, bell).await;
    }
    let newest = connection_checks::of_connection(store.conn(), connection, 1)
        .await
        .unwrap()
        .remove(0);
    assert!(newest.ended_at.is_some(), "it has come to an end");
    newest.steps
}

/// As people read them, without what differs from run to run.
fn told(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        writeln!(
            text,
            "{} {} {}: {}",
            step.verdict.as_str(),
            step.part,
            step.tried,
            step.found
        )
        .unwrap();
        if !step.fix.is_empty() {
            writeln!(text, "    {}", step.fix).unwrap();
        }
    }
    text
}

fn snapshot(name: &str, steps: &[Step]) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"in \d+ ms", "in [n] ms");
    settings.add_filter(
        r"failed to lookup address information: [^).\n]+",
        "[what the system says]",
    );
    settings.add_filter(r"127\.0\.0\.1:\d+", "[instance]");
    settings.add_filter(r"transaction [0-9a-f]{6,}", "transaction [id]");
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? UTC", "[time]");
    settings.bind(|| insta::assert_snapshot!(name, told(steps)));
}

#[tokio::test]
async fn each_fault_of_the_log_in_or_the_line_is_named_with_its_fix() {
    let it = Running::start(Flavour::Sqlite).await;
    let secret = "client_secret = \"ticketbridge-demo-secret\"";
    let address = format!("base_url = \"{}\"", it.main.base_url());
    let https = address.replace("http://", "https://");
    for (name, from, to) in [
        (
            "a_wrong_secret",
            secret,
            "client_secret = \"a-plainly-wrong-one\"",
        ),
        (
            "a_host_without_an_address",
            &address,
            "base_url = \"https://nowhere.invalid\"",
        ),
        (
            "nobody_listens",
            &address,
            "base_url = \"http://127.0.0.1:1\"",
        ),
        ("no_tls", &address, &https),
    ] {
        let worker = it.fresh_worker_with(from, to);
        let steps = check(&it, &worker, "main").await;
        let text = told(&steps);
        assert!(!text.contains("plainly-wrong"), "{text}");
        snapshot(name, &steps);
    }
    assert!(it.circuits().await.is_empty(), "a check opens no circuit");
}

#[tokio::test]
async fn each_fault_of_the_instance_is_named_with_its_fix() {
    let it = Running::start(Flavour::Sqlite).await;
    it.main.set_knobs(|knobs| {
        knobs.row_acl = vec![RowAcl {
            table: "incident".into(),
            query: String::new(),
            unless_role: None,
        }];
    });
    snapshot("hidden_rows", &check(&it, &it.worker, "main").await);
    it.main.set_knobs(|knobs| {
        knobs.row_acl.clear();
        knobs.api_acl_denied = true;
    });
    snapshot("no_right_to_the_api", &check(&it, &it.worker, "main").await);
    it.main.set_knobs(|knobs| {
        knobs.api_acl_denied = false;
        knobs.hibernate = Some(Hibernate {
            html: 50,
            bad_gateway: 0,
        });
    });
    snapshot(
        "a_hibernating_instance",
        &check(&it, &it.worker, "main").await,
    );
}

#[tokio::test]
async fn rights_to_choices_and_to_write_are_told_without_writing() {
    let it = Running::start(Flavour::Sqlite).await;
    let of_access = async || -> Vec<Step> {
        let steps = check(&it, &it.worker, "main").await;
        let is_wanted = |step: &Step| {
            step.part == "main/incident" && ["choices", "write"].contains(&step.tried.as_str())
        };
        steps.into_iter().filter(is_wanted).collect()
    };
    snapshot("no_right_to_choices", &of_access().await);
    it.show_choices();
    it.opened("R1", "access").await;
    snapshot("all_rights", &of_access().await);
    it.fault("PATCH", "incident", 1, &json!({"api_acl_denied": true}));
    snapshot("no_right_to_write", &of_access().await);
    assert_eq!(it.records("incident").len(), 1, "nothing was made");
    let ticket = &it.records("incident")[0];
    assert_eq!(ticket["sys_mod_count"], "0", "nothing was changed");
}

#[tokio::test]
async fn a_silence_that_was_asked_for_is_kept() {
    let it = Running::start(Flavour::Sqlite).await;
    let body =
        r#"{"error":{"message":"Rate limit exceeded","detail":"fictional"},"status":"failure"}"#;
    let canned =
        json!({"canned": {"status": 429, "content_type": "application/json", "body": body}});
    it.fault("POST", "incident", 1, &canned);
    it.opened("R1", "access").await;
    let calls = it.main.count(&CallFilter::default());
    let steps = check(&it, &it.worker, "main").await;
    assert_eq!(
        it.main.count(&CallFilter::default()),
        calls,
        "nobody calls before the instance wants it"
    );
    snapshot("silence", &steps);
}

/// Whatever step meets it: the check ends, says so, and may be made again.
async fn an_answer_that_is_lost_is_a_step_that_failed(it: &Running) {
    for when in ["before", "after_commit", "mid_body"] {
        let lost = json!({"connection_drop": {"when": when}});
        it.fault("GET", "sys_user", 1, &lost);
        let steps = check(it, &it.worker, "main").await;
        let account = steps.iter().find(|step| step.tried == "account").unwrap();
        assert_eq!(account.verdict.as_str(), "bad", "{when}: {}", told(&steps));
        assert!(!account.fix.is_empty(), "{when}");
        it.main.clear_faults();
        let steps = check(it, &it.worker, "main").await;
        let account = steps.iter().find(|step| step.tried == "account").unwrap();
        assert_eq!(account.verdict.as_str(), "good", "{when}: {}", told(&steps));
    }
    assert!(it.circuits().await.is_empty());
    assert_eq!(it.calls("table.create", "incident"), 0);
}
