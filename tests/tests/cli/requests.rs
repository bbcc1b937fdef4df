//! `requests create|list|show|cancel`, against a running `up` on SQLite.

use insta::{assert_json_snapshot, assert_snapshot};
use serde_json::Value;
use tests::binary::{Home, Running};

use crate::{home, redacted, up};

const CREATE: [&str; 16] = [
    "requests",
    "create",
    "--external-id",
    "R-1",
    "--category",
    "access",
    "--item",
    "Ledger: read access",
    "--requester",
    "sam.sample",
    "--requested-for",
    "joon.park",
    "--justification",
    "Covers accounts payable.",
    "--attribute",
    "role=Z_FI",
];

fn stage() -> (Home, Running) {
    let mut home = home();
    // Nobody creates tickets, so a request stays as it was taken in.
    home.set("TICKETBRIDGE__WORKER__QUEUES", "callback");
    let (process, url) = up(&home);
    let made = home
        .run("token create --source idm --json")
        .with_code(0)
        .json();
    home.set("TICKETBRIDGE_URL", &url);
    home.set(
        "TICKETBRIDGE_TOKEN",
        made["token"].as_str().expect("a token"),
    );
    (home, process)
}

/// Creates R-1; its id.
fn create(home: &Home) -> String {
    let created = home.run_with(&CREATE).with_code(0);
    let id = created.stdout.split(' ').next().expect("an id").to_owned();
    redacted(home, || assert_snapshot!("created", created.stdout));
    id
}

#[test]
fn a_request_is_created_listed_shown_and_cancelled() {
    let (home, process) = stage();
    let id = create(&home);
    let again = home.run_with(&CREATE).with_code(0);
    assert!(again.stdout.starts_with(&id), "the same request: {again}");

    let listed = home.run("requests list --category access").with_code(0);
    let line = listed.stdout.lines().nth(1).unwrap_or_default();
    for part in [&id, "R-1", "access", "Ledger: read access", "joon.park"] {
        assert!(line.contains(part), "{listed}");
    }
    let nothing = home.run("requests list --text nobody").with_code(0);
    assert_eq!(nothing.stdout, "No request matches.\n");

    let cancelled = home
        .run_with(&["requests", "cancel", &id, "--reason", "Asked for twice."])
        .with_code(0);
    assert_eq!(cancelled.stdout, format!("{id} is cancelled\n"));
    let shown = home.run(&format!("requests show {id}")).with_code(0);
    for part in [
        "Request      ",
        "External id  R-1",
        "State        cancelled",
        "Reason       Asked for twice.",
        "Route        access",
        "For          joon.park",
        "\nTimeline\n",
        "source:idm",
    ] {
        assert!(shown.stdout.contains(part), "{part}: {shown}");
    }
    let listed = home.run("requests list --state cancelled --json");
    assert_eq!(listed.with_code(0).json()[0]["id"], Value::String(id));
    process.stop().with_code(0);
}

#[test]
fn json_is_what_the_api_answers() {
    let (home, process) = stage();
    let mut line = CREATE.to_vec();
    line.push("--json");
    let created = home.run_with(&line).with_code(0).json();
    assert_json_snapshot!(created, {
        ".id" => "[id]", ".created_at" => "[time]", ".updated_at" => "[time]", ".ticket.sys_id" => "[sys_id]",
    });
    process.stop().with_code(0);
}

#[test]
fn what_the_api_refuses_is_told_field_by_field() {
    let (home, process) = stage();
    let mut line = CREATE;
    line[5] = "acess";
    let refused = home.run_with(&line).with_code(7);
    redacted(&home, || assert_snapshot!(refused.stderr));
    assert!(refused.stdout.is_empty(), "{refused}");
    let missing = home
        .run("requests show 01890000-0000-7000-8000-000000000000")
        .with_code(4);
    redacted(&home, || assert_snapshot!(missing.stderr));
    process.stop().with_code(0);
}

#[test]
fn a_bridge_that_is_not_there_is_exit_code_5() {
    let mut home = Home::new();
    home.set("TICKETBRIDGE_TOKEN", "tb_fictional");
    let ended = home
        .run("requests list --url http://127.0.0.1:1")
        .with_code(5);
    assert!(
        ended.stderr.contains(
            "no answer from http://127.0.0.1:1/: is the bridge running, and is --url right?"
        ),
        "{ended}"
    );
    assert!(!ended.stderr.contains("tb_fictional"));
}

#[test]
fn a_wait_ends_with_the_request_or_says_that_it_took_too_long() {
    let (home, process) = stage();
    let id = create(&home);
    let vain = home
        .run(&format!("requests wait {id} --timeout-seconds 1 --json"))
        .with_code(6);
    assert_eq!(vain.json()["state"], "accepted");
    home.run(&format!("requests cancel {id}")).with_code(0);
    let ended = home
        .run(&format!("requests wait {id} --for ticket --json"))
        .with_code(0);
    assert_eq!(ended.json()["state"], "cancelled");
    home.run(&format!("requests wait {}", uuid::Uuid::nil()))
        .with_code(4);
    home.run(&format!("requests wait {id} --for lunch"))
        .with_code(2);
    process.stop().with_code(0);
}
