//! What was done, by the minute, the quarter of an hour and the hour.

use std::time::Duration;

use serde_json::{Value, json};
use shared::operator::Role;
use tests::bridge::Api;
use tests::databases::Flavour;
use tests::running::Running;

on_both!(
    what_was_done_is_told_by_the_minute,
    what_nobody_knows_is_null,
    bad_ranges_are_told_with_what_to_send,
    cancelled_jobs_are_drawn_beside_those_that_were_done_or_died,
);

async fn fold(it: &Running) -> u64 {
    scheduler::minutes::tick(&it.bridge.scheduler)
        .await
        .unwrap()
}

async fn points(api: &Api, query: &str) -> Vec<Value> {
    let answer = api.get(&format!("/v1/ops/history?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["points"].as_array().unwrap().clone()
}

fn sum(points: &[Value], of: &str) -> u64 {
    points.iter().filter_map(|it| it[of].as_u64()).sum()
}

/// Three tickets in the first minute, one update that dies in the third, and a request that waits since then.
async fn a_busy_quarter(it: &Running) {
    for number in 0..3 {
        it.opened(&format!("H-{number}"), "access").await;
    }
    it.advance(Duration::from_secs(125));
    fold(it).await;
    it.dead_updates(1).await;
    it.ask("W-1", "access").await;
    it.advance(Duration::from_mins(1));
    fold(it).await;
    it.advance(Duration::from_secs(80));
    fold(it).await;
}

async fn what_was_done_is_told_by_the_minute(it: &Running) {
    a_busy_quarter(it).await;
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let all = points(&vera, "").await;
    assert_eq!(all.len(), 60);
    let known: Vec<&Value> = all.iter().filter(|it| it["minutes"] == 1).collect();
    // How long calls took is different each time.
    insta::assert_json_snapshot!("history_by_the_minute", known, {
        "[].call" => insta::dynamic_redaction(|call, _| {
            if call.is_nil() { call } else { "[durations]".into() }
        }),
    });
    let lane = points(&vera, "lane=create-ticket%40main").await;
    assert_eq!(
        (sum(&lane, "tickets"), sum(&lane, "dead")),
        (sum(&all, "tickets"), 0)
    );
    let updates = points(&vera, "lane=update-status%40main").await;
    assert_eq!((sum(&updates, "dead"), sum(&updates, "tickets")), (1, 0));
    for (range, count, step) in [("1h", 60, 60), ("24h", 96, 900), ("7d", 168, 3_600)] {
        let answer = vera.get(&format!("/v1/ops/history?range={range}")).await;
        assert_eq!(answer.body["step_seconds"], step);
        let told = points(&vera, &format!("range={range}")).await;
        assert_eq!(told.len(), count);
        for of in ["created", "done", "dead", "attempts", "tickets", "minutes"] {
            assert_eq!(sum(&told, of), sum(&all, of), "{of} {range}");
        }
    }
}

async fn what_nobody_knows_is_null(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let empty = points(&vera, "").await;
    assert!(
        empty
            .iter()
            .all(|it| it["done"].is_null() && it["waiting"].is_null())
    );
    it.opened("H-1", "access").await;
    it.advance(Duration::from_secs(125));
    fold(it).await;
    it.advance(Duration::from_hours(3));
    while fold(it).await > 0 {}
    let hour = points(&vera, "").await;
    assert!(
        hour.iter().all(|it| it["done"] == 0 && it["minutes"] == 1),
        "nothing was done, and that is known"
    );
    assert_eq!(hour[59]["waiting"], Value::Null, "nobody has counted yet");
    it.advance(Duration::from_secs(70));
    fold(it).await;
    let last = points(&vera, "").await.pop().unwrap();
    assert_eq!((&last["done"], &last["waiting"]), (&json!(0), &json!(0)));
    assert_eq!(last["latency"], Value::Null, "of nothing there is no mean");
}

async fn bad_ranges_are_told_with_what_to_send(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let bad = vera.get("/v1/ops/history?range=2h&lan=x").await;
    insta::assert_json_snapshot!("a_bad_range", bad.body);
    let lane = vera.get("/v1/ops/history?lane=nowhere").await;
    insta::assert_json_snapshot!("a_bad_lane", lane.body);
    assert_eq!((bad.status, lane.status), (400, 400));
    let stranger = it.bridge.stranger().get("/v1/ops/history").await;
    assert_eq!(stranger.status, 401);
    let mut console = it.bridge.signed_in("omar", Role::Operator).await;
    let page = console.get("/console?range=nonsense").await;
    assert_eq!(page.status, 200);
    assert!(page.words().contains("What was done"), "{}", page.words());
}

async fn cancelled_jobs_are_drawn_beside_those_that_were_done_or_died(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    it.opened("H-1", "access").await;
    for number in 0..2 {
        let id = it.ask(&format!("C-{number}"), "access").await;
        let job = it.job(id, "create_ticket.v1").await.id;
        let cancel = json!({"action": "cancel", "ids": [job], "reason": "a test"});
        let answer = omar.post("/v1/ops/operations", &cancel).await;
        assert!(matches!(answer.status, 200 | 202), "{}", answer.body);
    }
    for seconds in [125, 80] {
        it.advance(Duration::from_secs(seconds));
        fold(it).await;
    }
    assert_eq!(sum(&points(&omar, "").await, "cancelled"), 2);
    let mut vera = it.bridge.signed_in("vera", Role::Viewer).await;
    let page = vera.get("/console").await;
    let chart = page.between("id=\"chart-throughput\"", "</figure>");
    let key = "<span class=\"swatch swatch--3\"></span>cancelled <b>";
    assert!(chart.contains(key), "{chart}");
    assert_eq!(chart.matches("class=\"chart__line ").count(), 3);
    assert!(chart.contains(", cancelled 2</title>"), "{chart}");
    assert!(
        chart.contains("<th scope=\"col\" class=\"num\">Cancelled</th>"),
        "{chart}"
    );
    let (_, summary) = chart.split_once("aria-label=\"").unwrap();
    let (summary, _) = summary.split_once('"').unwrap();
    assert!(summary.contains(", cancelled "), "{summary}");
}

/// After days without a scheduler, jobs that are old enough to go are still to be counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_charts_have_not_seen_is_not_removed() {
    let it = Running::with(Flavour::Sqlite, "[retention]\njobs_days = 1\n").await;
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    it.poll("incident").await;
    it.advance(Duration::from_mins(10));
    while fold(&it).await > 0 {}
    it.poll("incident").await;
    it.advance(Duration::from_hours(71));
    let removed = async |it: &Running| {
        it.advance(Duration::from_hours(2));
        scheduler::retention::tick(&it.bridge.scheduler)
            .await
            .unwrap();
        let left = vera.get("/v1/ops/jobs?kind=get_ticket_status.v1").await;
        super::items(&left.body).len()
    };
    assert_eq!(removed(&it).await, 1, "the first was folded");
    while fold(&it).await > 0 {}
    let told = points(&vera, "range=7d").await;
    assert_eq!(sum(&told, "done"), 2);
    assert_eq!(removed(&it).await, 0);
}
