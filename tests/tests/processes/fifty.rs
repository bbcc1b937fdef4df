//! The main job, as it runs in production.

use serde_json::{Value, json};
use simulator::RowMap;
use tests::redis_server::RedisServer;

use crate::{Installation, is_open, until};

const CATEGORIES: [&str; 4] = ["access", "folder", "catalog", "badge"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_requests_through_separate_processes() {
    let redis = RedisServer::start();
    let it = Installation::new(&redis.url()).await;
    let schedulers = [it.scheduler(), it.scheduler()];
    let workers = [it.worker(), it.worker()];

    let mut badges = Vec::new();
    for number in 0..50 {
        let category = CATEGORIES[number % CATEGORIES.len()];
        let id = it
            .ask(
                &schedulers[number / 4 % 2],
                &format!("R-{number}"),
                category,
            )
            .await;
        badges.extend((category == "badge").then_some(id));
    }
    it.until_each_has_its_ticket(&schedulers[0], 50).await;
    for (number, id) in badges.iter().enumerate() {
        let approved = json!({"status": "approved", "comment": "The site manager agrees."});
        it.say(&schedulers[number % 2], id, &approved).await;
        let done = json!({"status": "fulfilled", "reason": "Badge handed over."});
        it.say(&schedulers[(number + 1) % 2], id, &done).await;
    }
    let requests = until("every request has ended on both sides", async || {
        it.work();
        let requests = it.requests(&schedulers[1]).await;
        let mut tickets = it.tickets().into_values().flatten();
        let closed = tickets.all(|(table, row)| !is_open(table, &row));
        (closed && requests.iter().all(is_final)).then_some(requests)
    })
    .await;

    assert_eq!(requests.len(), 50);
    it.assert_one_ticket_each(&requests);
    assert_eq!(it.creates(), 50, "calls per created ticket: 1.0");
    let tickets = it.tickets();
    for request in &requests {
        let (table, row) = &tickets[request["id"].as_str().unwrap()][0];
        assert_eq!(
            request["state"],
            json!(meaning(table, row)),
            "{request:#} {row:#?}"
        );
        assert_eq!(request["ticket"]["sys_id"], json!(row["sys_id"]));
        assert_eq!(request["ticket"]["number"], json!(row["number"]));
        assert_eq!(request["attention"], Value::Null, "{request:#}");
    }
    let count = |state: &str| requests.iter().filter(|it| it["state"] == state).count();
    assert_eq!(count("fulfilled") + count("denied"), 50);
    assert!(count("denied") > 3 && count("fulfilled") > 30);

    for worker in workers {
        worker.stop().with_code(0);
    }
    for scheduler in schedulers {
        scheduler.process.stop().with_code(0);
    }
}

fn is_final(request: &Value) -> bool {
    ["fulfilled", "denied", "cancelled"].contains(&request["state"].as_str().unwrap_or_default())
}

/// What a closed row means to the person who asked.
fn meaning(table: &str, row: &RowMap) -> &'static str {
    let rejected = row.get("approval").is_some_and(|it| it == "rejected");
    match (table, row["state"].as_str()) {
        _ if rejected => "denied",
        ("incident", "6" | "7") | ("sc_task" | "sc_req_item", "3") => "fulfilled",
        _ => panic!("nobody has put a ticket there: {row:#?}"),
    }
}
