//! `operator …`, and what operators do at the command line of a running `up` on SQLite.

use serde_json::Value;
use tests::binary::{Home, Running};
use tests::oidc_provider::OidcProvider;
use tests::operating::Console;

use crate::{CONFIGURATION, home, up};

/// A bridge on which nobody makes tickets, an operator's token, and one request with its job.
fn stage(role: &str) -> (Home, Running) {
    let mut home = home();
    home.set("TICKETBRIDGE__WORKER__QUEUES", "callback");
    let (process, url) = up(&home);
    home.set("TICKETBRIDGE_URL", &url);
    let source = home
        .run("token create --source idm --json")
        .with_code(0)
        .json();
    home.set(
        "TICKETBRIDGE_TOKEN",
        source["token"].as_str().expect("a token"),
    );
    home.run(
        "requests create --external-id R-1 --category access --item Ledger --requester sam.sample",
    )
    .with_code(0);
    home.run(&format!("operator create vera --role {role} --no-password"))
        .with_code(0);
    let token = home.run("operator token vera --json").with_code(0).json();
    home.set(
        "TICKETBRIDGE_TOKEN",
        token["token"].as_str().expect("a token"),
    );
    (home, process)
}

fn jobs(home: &Home, filter: &str) -> Vec<Value> {
    let listed = home.run(&format!("jobs list --json {filter}")).with_code(0);
    listed.json().as_array().expect("a list").clone()
}

#[test]
fn operators_are_entered_changed_and_sent_away() {
    let home = home();
    let made = home
        .run("operator create vera --role viewer --no-password")
        .with_code(0);
    assert!(made.stdout.starts_with("vera is viewer now."), "{made}");
    let again = home.run("operator create vera --no-password").with_code(3);
    assert!(
        again.stderr.contains("there is an operator `vera` already"),
        "{again}"
    );
    home.run("operator create no/body --no-password")
        .with_code(3);
    // Standard input is no terminal, and holds no password.
    let short = home.run("operator create omar").with_code(3);
    assert!(
        short.stderr.contains("a password has 12 to 256 characters"),
        "{short}"
    );
    home.run("operator role vera admin").with_code(0);
    home.run("operator disable vera").with_code(0);
    home.run("operator role nobody admin").with_code(4);
    let listed = home.run("operator list --json").with_code(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["role"], "admin");
    assert_eq!(listed[0]["source"], "local");
    let shown = home.run("operator list").with_code(0).stdout;
    assert!(shown.contains("local"), "{shown}");
    assert!(listed[0]["disabled_at"].is_string());
    let token = home.run("operator token vera --json").with_code(0).json();
    let tokens = home.run("operator tokens").with_code(0);
    assert!(tokens.stdout.contains(token["id"].as_str().unwrap()));
    assert!(!tokens.stdout.contains(token["token"].as_str().unwrap()));
    let id = token["id"].as_str().unwrap();
    home.run(&format!("operator revoke {id}")).with_code(0);
    home.run(&format!("operator revoke {id}")).with_code(4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_of_an_identity_provider_can_be_sent_away_and_not_raised() {
    let provider = OidcProvider::start().await;
    let home = Home::with(&format!("{}{CONFIGURATION}", provider.preset()));
    let (process, url) = up(&home);
    let mut console = Console::at(&url);
    let sign_in = async |console: &mut Console| {
        let left = console.get("/console/login/oidc").await;
        let back = provider.approve(&left.location);
        // The configuration says port 0, and so does the address that browsers are sent back to.
        let (_, path) = back.split_once(":0").expect("the address of the bridge");
        console.get(path).await.status
    };
    assert_eq!(sign_in(&mut console).await, 200);
    let listed = home.run("operator list --json").with_code(0).json();
    assert_eq!(
        (
            &listed[0]["name"],
            &listed[0]["role"],
            &listed[0]["source"],
            &listed[0]["issuer"]
        ),
        (
            &"vera".into(),
            &"operator".into(),
            &"oidc".into(),
            &provider.issuer().into()
        )
    );
    let refused = home.run("operator role vera admin").with_code(3);
    assert!(
        refused
            .stderr
            .contains("whose claims give the role at each sign-in"),
        "{refused}"
    );
    home.run("operator disable vera").with_code(0);
    assert_eq!(console.get("/console").await.status, 303);
    assert_eq!(sign_in(&mut console).await, 403);
    home.run("operator enable vera").with_code(0);
    assert_eq!(sign_in(&mut console).await, 200);
    process.stop().with_code(0);
}

#[test]
fn jobs_are_found_counted_and_killed() {
    let (home, process) = stage("operator");
    let waiting = jobs(&home, "--state rung,due --kind create_ticket.v1");
    assert_eq!(waiting.len(), 1);
    let id = waiting[0]["id"].as_str().unwrap();
    let shown = home.run(&format!("jobs show {id}")).with_code(0);
    assert!(shown.stdout.contains("create-ticket@"), "{shown}");
    let counted = home.run(&format!("jobs kill {id} --dry-run")).with_code(0);
    assert!(
        counted.stdout.contains("1 job will end as dead"),
        "{counted}"
    );
    let unasked = home.run(&format!("jobs kill {id}")).with_code(3);
    assert!(unasked.stderr.contains("give --yes"), "{unasked}");
    let killed = home
        .run(&format!("jobs kill {id} --yes --reason mistake --json"))
        .with_code(0)
        .json();
    assert_eq!(
        (&killed["state"], &killed["done"]),
        (&"done".into(), &1.into())
    );
    let listed = home.run("operations list").with_code(0);
    assert!(listed.stdout.contains("kill"), "{listed}");
    let operation = killed["id"].as_str().unwrap();
    home.run(&format!("operations show {operation}"))
        .with_code(0);
    home.run(&format!("operations stop {operation}"))
        .with_code(7);
    let none = home
        .run("jobs retry --error-class nothing --yes")
        .with_code(7);
    assert!(none.stderr.contains("No job matches"), "{none}");
    let csv = home.run("jobs export --kind create_ticket.v1").with_code(0);
    assert_eq!(csv.stdout.lines().count(), 2, "{csv}");
    home.run("jobs show 00000000-0000-0000-0000-000000000001")
        .with_code(4);
    process.stop().with_code(0);
}

#[test]
fn queues_workers_and_the_audit_trail_are_at_hand() {
    let (home, process) = stage("admin");
    let paused = home
        .run_with(&[
            "queues",
            "pause",
            "callback",
            "--reason",
            "the receiver is away",
        ])
        .with_code(0);
    assert!(paused.stdout.contains("paused"), "{paused}");
    home.run("queues pause callback").with_code(7);
    home.run("queues resume callback").with_code(0);
    home.run("queues pause nowhere").with_code(4);
    assert!(
        home.run("queues list")
            .with_code(0)
            .stdout
            .contains("callback")
    );
    let cadences = home.run("cadences list --json").with_code(0).json();
    let cadence = cadences[0]["name"].as_str().unwrap();
    home.run(&format!("cadences pause {cadence}")).with_code(0);
    home.run(&format!("cadences run {cadence}")).with_code(7);
    home.run(&format!("cadences resume {cadence}")).with_code(0);
    home.run("cadences run nothing").with_code(4);
    let workers = home.run("workers list --json").with_code(0).json();
    assert_eq!(workers.as_array().unwrap().len(), 1);
    let trail = home
        .run("audit list --actor operator:vera --action switch.set --json")
        .with_code(0)
        .json();
    let words: Vec<&str> = trail
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["to"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["on", "off"]);
    let lines = home
        .run("audit export --format jsonl --action switch.set")
        .with_code(0);
    assert_eq!(lines.stdout.lines().count(), 2, "{lines}");
    let proof = home.run("audit verify --json").with_code(0).json();
    assert_eq!(
        (&proof["faults"], proof["unsealed"].as_u64() > Some(2)),
        (&0.into(), true)
    );
    let head = home
        .run(&format!("audit verify --head {}", "ab".repeat(32)))
        .with_code(6);
    assert!(head.stdout.contains("no block has the chain"), "{head}");
    // A drained worker ends its process in good order.
    let worker = workers[0]["id"].as_str().unwrap();
    home.run(&format!("workers drain {worker}")).with_code(0);
    process.end().with_code(0);
}

#[test]
fn a_viewer_is_told_which_role_is_needed() {
    let (home, process) = stage("viewer");
    let refused = home.run("queues pause callback").with_code(7);
    assert!(
        refused.stderr.contains("This needs the role `operator`"),
        "{refused}"
    );
    assert_eq!(jobs(&home, "--limit 1").len(), 1);
    process.stop().with_code(0);
}
