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
    let token = home.run("operator token vera").with_code(0);
    assert!(
        token
            .stdout
            .contains("console.oidc.token_days after each sign-in of vera"),
        "{token}"
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
    let fewer = home
        .run("queues concurrency callback 2 --reason slow")
        .with_code(0);
    assert!(fewer.stdout.contains("2 (configured: 6)"), "{fewer}");
    home.run("queues concurrency callback 2").with_code(7);
    let none = home.run("queues concurrency callback 0").with_code(7);
    assert!(none.stderr.contains("from 1 to 256"), "{none}");
    home.run("queues concurrency nowhere 2").with_code(4);
    home.run("queues concurrency callback few").with_code(2);
    home.run("queues concurrency callback default").with_code(0);
    home.run("queues concurrency callback default").with_code(7);
    assert!(
        home.run("queues list")
            .with_code(0)
            .stdout
            .contains("callback")
    );
    let history = home
        .run("queues history --range 24h --json")
        .with_code(0)
        .json();
    assert_eq!(history["points"].as_array().unwrap().len(), 96);
    let hour = home.run("queues history --lane callback").with_code(0);
    assert_eq!(hour.stdout.lines().count(), 61, "{hour}");
    home.run("queues history --lane nowhere").with_code(7);
    home.run("queues history --range 2h").with_code(2);
    let cadences = home.run("cadences list --json").with_code(0).json();
    let cadence = cadences[0]["name"].as_str().unwrap();
    home.run(&format!("cadences pause {cadence}")).with_code(0);
    home.run(&format!("cadences run {cadence}")).with_code(7);
    home.run(&format!("cadences resume {cadence}")).with_code(0);
    home.run("cadences run nothing").with_code(4);
    routes_are_listed_and_switched(&home);
    connections_are_shown_and_checked(&home);
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
    assert_eq!(words, ["on", "off", "on", "off"]);
    let lines = home
        .run("audit export --format jsonl --action switch.set")
        .with_code(0);
    assert_eq!(lines.stdout.lines().count(), 4, "{lines}");
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

/// Its worker serves callbacks only, so that nobody makes the check.
fn connections_are_shown_and_checked(home: &Home) {
    let all = home.run("connections list --json").with_code(0).json();
    let name = all[0]["name"].as_str().expect("a name");
    assert_eq!(all[0]["serving"]["workers"], 0);
    assert!(
        home.run("connections list")
            .with_code(0)
            .stdout
            .contains("LAST CHECK")
    );
    let shown = home.run(&format!("connections show {name}")).with_code(0);
    assert!(shown.stdout.contains("No check yet"), "{shown}");
    let check = home.run(&format!("connections check {name}")).with_code(6);
    assert!(
        check
            .stdout
            .contains("waiting: No worker that lives serves")
            && check.stdout.contains("`ticketbridge worker`"),
        "{check}"
    );
    let again = home.run(&format!("connections check {name}")).with_code(7);
    assert!(again.stderr.contains("is under way"), "{again}");
    home.run("connections show nothing").with_code(4);
}

fn routes_are_listed_and_switched(home: &Home) {
    let routes = home.run("routes list --json").with_code(0).json();
    let name = routes[0]["name"].as_str().expect("a name");
    let shown = home.run(&format!("routes show {name}")).with_code(0);
    assert!(shown.stdout.contains("THE REQUEST IS THEN"), "{shown}");
    let uncompared = "The choice list of the instance was not compared with the map yet.";
    assert!(shown.stdout.contains(uncompared), "{shown}");
    let off = home
        .run(&format!("routes off {name} --reason freeze"))
        .with_code(0);
    assert!(off.stdout.contains("by operator:vera: freeze"), "{off}");
    let again = home
        .run(&format!("routes off {name} --reason freeze"))
        .with_code(7);
    assert!(again.stderr.contains("is off already since"), "{again}");
    home.run(&format!("routes on {name}")).with_code(2);
    let on = home
        .run(&format!("routes on {name} --reason over --json"))
        .with_code(0)
        .json();
    assert_eq!(on["on"], true);
    home.run("routes show nothing").with_code(4);
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

#[test]
fn alerts_are_seen_silenced_and_tested() {
    let mut home = home();
    let destination = "TICKETBRIDGE__ALERTS__DESTINATIONS__ONCALL__";
    home.set(&format!("{destination}KIND"), "webhook");
    home.set(&format!("{destination}URL"), "http://127.0.0.1:9/hook");
    home.set(&format!("{destination}ALLOW_HTTP"), "true");
    let (process, url) = up(&home);
    home.set("TICKETBRIDGE_URL", &url);
    home.run("operator create vera --no-password").with_code(0);
    let token = home.run("operator token vera --json").with_code(0).json();
    home.set(
        "TICKETBRIDGE_TOKEN",
        token["token"].as_str().expect("a token"),
    );
    let silenced = home
        .run("alerts silence dead_jobs --minutes 30 --reason mistake --json")
        .with_code(0)
        .json();
    let find = |all: &Value| {
        let items = all["items"].as_array().expect("a list");
        let found = items.iter().find(|it| it["name"] == "dead_jobs");
        found.expect("it is there").clone()
    };
    assert_eq!(find(&silenced)["silence"]["by"], "operator:vera");
    home.run("alerts silence dead_jobs --reason again")
        .with_code(7);
    home.run("alerts silence dead_job --reason mistake")
        .with_code(4);
    let past = home
        .run("alerts silence no_worker --until 2026-01-01T00:00:00Z --reason mistake")
        .with_code(7);
    assert!(past.stderr.contains("is past"), "{past}");
    home.run("alerts resume dead_jobs").with_code(0);
    home.run("alerts resume dead_jobs").with_code(7);
    let listed = home.run("alerts list").with_code(0);
    assert!(listed.stdout.contains("credential_age"), "{listed}");
    let tested = home.run("alerts test oncall").with_code(6);
    assert!(
        tested
            .stdout
            .contains("oncall has not taken the test message"),
        "{tested}"
    );
    home.run("alerts test nobody").with_code(4);
    process.stop().with_code(0);
}

#[test]
fn top_prints_a_frame_for_scripts() {
    let (home, process) = stage("viewer");
    let frame = home.run("top --once").with_code(0);
    for word in ["live", "vera (viewer)", "callback", "Workers (1)", "main"] {
        assert!(frame.stdout.contains(word), "{word}: {frame}");
    }
    assert!(!frame.stdout.contains('\u{1b}'), "{frame}");
    assert!(!frame.stdout.contains("q quit"), "nobody can press it");
    let data = home.run("top --json").with_code(0).json();
    assert_eq!(data["session"]["operator"], "vera");
    assert!(data["overview"]["queues"].is_array());
    assert_eq!(data["history"]["points"].as_array().unwrap().len(), 60);
    let no_terminal = home.run("top").with_code(3);
    assert!(no_terminal.stderr.contains("give --once"), "{no_terminal}");
    let wrong = home.run("top --once --token tbo_wrong").with_code(7);
    assert!(wrong.stderr.contains("oken"), "{wrong}");
    home.run("top --once --url http://127.0.0.1:1").with_code(5);
    process.stop().with_code(0);
}
