//! `drift run` and `drift show`: from a bridge that has compared nothing to what a comparison found.

use insta::assert_snapshot;
use serde_json::{Value, json};
use simulator::{Options, Simulator};
use tests::binary::{Ended, Home, PATIENCE};
use tokio::time::{Duration, interval, timeout};

use crate::{redacted, up};

/// A home whose tickets go to a simulated instance.
async fn stage() -> (Home, Simulator) {
    let simulator = Simulator::start(Options::default())
        .await
        .expect("an instance starts");
    let toml = format!(
        r#"
[server]
listen = "127.0.0.1:0"
[scheduler]
relay_interval_ms = 100
[telemetry]
format = "json"
[connections.main]
base_url = "{}"
auth = "client_credentials"
client_id = "ticketbridge-demo"
client_secret = "ticketbridge-demo-secret"
poll_seconds = 1
overlap_seconds = 0
drift_minutes = 0
[sources.idm]
[[routes]]
name = "access"
category = "access"
connection = "main"
table = "incident"
[routes.fields]
short_description = "{{{{ item }}}}"
"#,
        simulator.base_url()
    );
    let home = Home::with(&toml);
    (home, simulator)
}

/// Runs a command again until `enough`.
async fn until(home: &Home, line: &str, enough: impl Fn(&Ended) -> bool) -> Ended {
    let looking = async {
        let mut beat = interval(Duration::from_millis(200));
        loop {
            beat.tick().await;
            let ended = home.run(line);
            if enough(&ended) {
                return ended;
            }
        }
    };
    let found = timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("`{line}` never says it: {}", home.run(line)))
}

/// Compares again until there is such a report.
async fn compared(home: &Home, such: impl Fn(&Value) -> bool) -> Value {
    let find = |ended: &Ended| {
        home.run("drift run --connection main").with_code(0);
        let reports = (ended.code == Some(0)).then(|| ended.json())?;
        reports.as_array()?.iter().find(|it| such(it)).cloned()
    };
    let shown = until(home, "drift show --json", |ended| find(ended).is_some()).await;
    find(&shown).expect("it was just found")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_anything_was_compared() {
    let (home, _simulator) = stage().await;
    home.run("migrate").with_code(0);
    let nothing = home.run("drift show").with_code(4);
    redacted(&home, || assert_snapshot!(nothing.stderr));
    let unknown = home.run("drift show --connection mian").with_code(4);
    redacted(&home, || assert_snapshot!(unknown.stderr));
    let unknown = home.run("drift run --connection mian").with_code(4);
    redacted(&home, || assert_snapshot!(unknown.stderr));
    let started = home.run("drift run").with_code(0);
    redacted(&home, || assert_snapshot!(started.stdout));
    let again = home.run("drift run --connection main --json").with_code(0);
    assert_eq!(again.json(), json!({"started": ["main/incident"]}));
    home.run("drift show").with_code(4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_is_gone_is_found() {
    let (mut home, simulator) = stage().await;
    let made = home.run("token create --source idm --json").with_code(0);
    let (process, url) = up(&home);
    home.set("TICKETBRIDGE_URL", &url);
    home.set("TICKETBRIDGE_TOKEN", made.json()["token"].as_str().unwrap());
    for name in ["R-1", "R-2"] {
        let line = format!(
            "requests create --category access --item Payroll --requester sam.sample --requested-for joon.park --external-id {name}"
        );
        home.run(&line).with_code(0);
    }
    let every_ticket = |ended: &Ended| {
        let page = ended.json();
        let mut all = page.as_array().unwrap().iter();
        all.all(|it| it["ticket"]["number"].is_string())
    };
    let list = until(&home, "requests list --json", every_ticket).await;
    let clean = compared(&home, |it| it["expected"] == 2 && it["verdict"] == "clean").await;
    assert_eq!(
        (&clean["found"], &clean["findings"]),
        (&json!(2), &json!([]))
    );
    let gone = list.json()[0]["ticket"]["sys_id"].clone();
    simulator
        .delete("incident", gone.as_str().unwrap())
        .unwrap();

    // A comparison may have begun before: the first one that sees it counts.
    let found = compared(&home, |it| it["verdict"] == "drifted").await;
    assert_eq!(
        (&found["expected"], &found["found"]),
        (&json!(2), &json!(1)),
        "{found:#}"
    );
    assert_eq!(found["findings"][0]["difference"], "gone", "{found:#}");
    let text = home.run("drift show --limit 1000").with_code(0).stdout;
    let mut lines = text.lines();
    let headings = lines.next().unwrap();
    let row = lines.find(|line| line.contains("drifted")).unwrap();
    redacted(&home, || assert_snapshot!(format!("{headings}\n{row}")));
    let one = home
        .run("drift show --connection main --limit 1")
        .with_code(0);
    assert_eq!(one.stdout.lines().count(), 2, "{one}");
    process.stop().with_code(0);
}
