use std::time::Duration;

use serde_json::{Value, json};
use tests::binary::{Home, PATIENCE};
use tokio::time::{interval, timeout};

#[test]
fn a_demo_of_fifty_requests_ends_by_itself_and_its_last_line_adds_up() {
    let home = Home::new();
    let ended = home.run("demo --requests 50 --once").with_code(0);
    let last = ended.stdout.lines().last().unwrap_or_default();
    let summary: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{ended}"));
    let number = |name: &str| {
        summary[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name} in {last}"))
    };
    assert_eq!(number("requests"), 50);
    assert_eq!(number("tickets"), 50);
    assert_eq!(number("duplicates"), 0);
    assert_eq!(number("open"), 0);
    assert_eq!(
        number("fulfilled") + number("rejected") + number("cancelled"),
        50
    );
    let calls = |name: &str| summary["servicenow_calls"][name].as_u64().unwrap();
    assert_eq!(calls("create"), 50, "calls per created ticket: 1.0");
    assert!(calls("status") > 0 && calls("update") > 0 && calls("token") > 0);
    assert!(summary["seconds"].as_f64().unwrap() > 0.0);
    assert!(!ended.stdout.contains('\u{1b}') && !ended.stderr.contains('\u{1b}'));
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().collect();
    assert!(left.is_empty(), "it leaves nothing behind: {left:?}");
}

/// The instance takes longer for a ticket than the demo once had patience for its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_waits_for_the_job_that_runs() {
    let home = Home::new();
    let demo = home.start("demo");
    let instance = demo.wait_for("the address of the instance", |stdout, _| {
        let mut lines = stdout.lines();
        let line = lines.find_map(|line| line.strip_prefix("ServiceNow "))?;
        let end = line.find("/_sim/log")?;
        Some(line[..end].to_owned())
    });
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::builder().build().unwrap();
    let slow = json!({"method": "POST", "path": "/api/now/table/", "set": {"latency_ms": 12_000}});
    let faults = http.post(format!("{instance}/_sim/faults")).json(&slow);
    faults.send().await.unwrap().error_for_status().unwrap();
    let works_on_a_ticket = async {
        let mut beat = interval(Duration::from_millis(50));
        let is_create = |it: &Value| it["kind"] == "table.create" && it["status"].is_null();
        loop {
            beat.tick().await;
            let log = http.get(format!("{instance}/_sim/log")).send().await;
            let log: Value = log.unwrap().json().await.unwrap();
            if log["calls"].as_array().unwrap().iter().any(is_create) {
                break;
            }
        }
    };
    timeout(PATIENCE, works_on_a_ticket).await.unwrap();
    demo.signal("INT");
    demo.end().with_code(0);
}

#[test]
fn ctrl_c_ends_a_demo_without_end_in_good_order() {
    let home = Home::new();
    let demo = home.start("demo");
    demo.wait_for("a word to the reader", |stdout, stderr| {
        (stdout.contains("http") || stderr.contains("http")).then_some(())
    });
    demo.signal("INT");
    let ended = demo.end().with_code(0);
    assert!(ended.stderr.is_empty(), "{ended}");
}
