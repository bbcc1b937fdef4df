//! The console in a real browser: what an operator does at night, in both themes, on a phone, without a complaint of the browser and without
//! a serious fault of accessibility.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod looks;

use std::collections::BTreeSet;
use std::time::Duration;

use fantoccini::Locator;
use shared::job::JobState;
use shared::operator::Role;
use shared::store::jobs;
use tests::browser::Browser;
use tests::databases::Flavour;
use tests::oidc_provider::OidcProvider;
use tests::operating::PASSWORD;
use tests::running::Running;
use uuid::Uuid;

/// Nobody listens there, and the second one has a long name.
const DESTINATIONS: &str = r#"
[alerts.destinations.oncall]
kind = "webhook"
url = "http://127.0.0.1:9/hook"
allow_http = true
[alerts.destinations.team-for-the-night-and-the-weekend]
kind = "mail"
smtp_host = "localhost"
smtp_port = 9
from = "ticketbridge@example.com"
to = ["team@example.com"]
"#;

const PICTURES: &str = env!("CARGO_TARGET_TMPDIR");

async fn signed_in(it: &Running, name: &str, role: Role) -> Browser {
    it.bridge.enter(name, role).await;
    let browser = Browser::open(&it.bridge.url()).await;
    browser.go("/console").await;
    browser.fill("#name", name).await;
    browser.fill("#password", PASSWORD).await;
    browser.follow("main button").await;
    assert_eq!(browser.path().await, "/console");
    browser
}

async fn count(it: &Running, ids: &[Uuid], state: JobState) -> usize {
    let states = jobs::states(it.bridge.store().conn(), ids).await.unwrap();
    states.iter().filter(|(_, found)| *found == state).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_ticket_is_found_by_its_number_and_explained() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("REQ-1", "access").await;
    let number = it.number(id).await;
    let browser = signed_in(&it, "vera", Role::Viewer).await;
    browser
        .fill("[data-search-all]", &format!("{number}\n"))
        .await;
    browser
        .until("location.pathname.startsWith('/console/requests/')")
        .await;
    let words = browser.words().await;
    assert!(
        words.contains(&format!("{number} is up to date.")),
        "{words}"
    );
    assert!(words.contains("Do you have to act?"), "{words}");
    assert!(words.contains("POST"), "the call that made it: {words}");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn somebody_signs_in_through_an_identity_provider_of_another_site() {
    let provider = OidcProvider::start().await;
    let it = Running::with(Flavour::Sqlite, &provider.preset()).await;
    provider.follow(&it.bridge.clock);
    let browser = Browser::open(&it.bridge.url()).await;
    browser.go("/console/queues").await;
    assert!(browser.path().await.starts_with("/console/login"));
    assert_eq!(browser.accessibility_faults().await, Vec::<String>::new());
    browser.follow("#provider").await;
    assert!(browser.words().await.contains("Go on as yourself"));
    browser.press("main button").await;
    // The page in between goes on by itself, without script, and with the cookie of the session.
    let arrived = browser
        .page
        .wait()
        .for_element(Locator::Css("header.topbar"));
    arrived.await.unwrap();
    assert_eq!(browser.path().await, "/console/queues");
    let who = "return document.querySelector('.who').innerText";
    let who = browser.run(who, vec![]).await;
    assert!(who.as_str().unwrap().contains("vera"), "{who}");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_dead_jobs_are_retried_at_a_rate() {
    let it = Running::start(Flavour::Sqlite).await;
    let dead = it.dead_updates(100).await;
    assert_eq!(count(&it, &dead, JobState::Dead).await, 100);
    let browser = signed_in(&it, "omar", Role::Operator).await;
    browser.go("/console/jobs?state=dead").await;
    browser.press("[data-scope=matching]").await;
    browser.fill("[name=rate]", "600").await;
    browser.follow("[value=retry-paced]").await;
    let words = browser.words().await;
    assert!(words.contains("Retry 100 jobs?"), "{words}");
    assert!(words.contains("At 600 a minute"), "{words}");
    assert_eq!(
        count(&it, &dead, JobState::Dead).await,
        100,
        "nothing happens before it is confirmed"
    );
    browser.fill("#reason", "the rule was corrected").await;
    browser.follow("main form button").await;
    assert!(browser.path().await.starts_with("/console/operations/"));
    assert_eq!(
        count(&it, &dead, JobState::Dead).await,
        90,
        "a part of it at once"
    );
    for _ in 0..9 {
        it.advance(Duration::from_secs(1));
        scheduler::operations::tick(&it.bridge.scheduler)
            .await
            .unwrap();
    }
    // The page looks by itself.
    browser
        .until("document.querySelector('main').innerText.includes('100 of 100 jobs')")
        .await;
    it.settle().await;
    assert_eq!(count(&it, &dead, JobState::Done).await, 100);
    let csv = browser
        .fetch("/v1/ops/jobs/export?state=done&kind=update_servicenow_status.v1")
        .await;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let ids = reader
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == "id")
        .unwrap();
    let rows: Vec<Uuid> = reader
        .records()
        .map(|row| row.unwrap()[ids].parse().unwrap())
        .collect();
    assert!(
        dead.iter().all(|id| rows.contains(id)),
        "all of them are in the file"
    );
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lane_is_paused_and_stops() {
    let it = Running::start(Flavour::Sqlite).await;
    let browser = signed_in(&it, "omar", Role::Operator).await;
    browser.go("/console/queues").await;
    browser
        .follow("a[href='/console/queues/create-ticket%40main/pause']")
        .await;
    browser
        .fill("#reason", "the instance is being upgraded")
        .await;
    browser.follow("main form button").await;
    let words = browser.words().await;
    assert!(
        words.contains("paused") && words.contains("the instance is being upgraded"),
        "{words}"
    );
    it.opened("REQ-1", "access").await;
    assert_eq!(it.records("incident").len(), 0, "it has stopped");
    // The page looks by itself.
    browser.until("[...document.querySelectorAll('tr')].some(it => it.innerText.includes('create-ticket@main') && it.innerText.includes('1'))").await;
    browser
        .follow("form[action='/console/queues/create-ticket%40main/resume'] button")
        .await;
    it.pass(Duration::from_secs(12), Duration::from_secs(6))
        .await;
    assert_eq!(it.records("incident").len(), 1, "and goes on");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

async fn fold(it: &Running) {
    scheduler::minutes::tick(&it.bridge.scheduler)
        .await
        .unwrap();
}

/// Tickets every few minutes, so that there is something to be drawn.
async fn some_hours(it: &Running) {
    for round in 0..30 {
        for number in 0..round % 4 {
            it.opened(&format!("C-{round}-{number}"), "access").await;
        }
        it.advance(Duration::from_secs(125));
        fold(it).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_done_is_drawn_and_follows_by_itself() {
    let it = Running::start(Flavour::Sqlite).await;
    some_hours(&it).await;
    let browser = signed_in(&it, "vera", Role::Viewer).await;
    let drawn = "return [...document.querySelectorAll('.chart')].map(it => it.querySelector('.chart__line').getAttribute('d').length)";
    let lengths = browser.run(drawn, vec![]).await;
    let lengths: Vec<u64> = lengths
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_u64().unwrap())
        .collect();
    assert_eq!(lengths.len(), 4);
    assert!(lengths.iter().all(|it| *it > 20), "{lengths:?}");
    // What ended is drawn by the state it ended in, each line with a stroke of its own.
    let strokes = "return [...document.querySelectorAll('#chart-throughput ~ .chart__frame .chart__line')].map(it => {\
                   const style = getComputedStyle(it); return `${style.stroke} ${style.strokeDasharray}` })";
    let strokes = browser.run(strokes, vec![]).await;
    let strokes: BTreeSet<String> = serde_json::from_value(strokes).unwrap();
    assert_eq!(strokes.len(), 3, "{strokes:?}");
    // A point says what it is when one points at it, and the table says all of them.
    let title = "return document.querySelector('#charts rect:last-of-type title').textContent";
    let title = browser.run(title, vec![]).await;
    assert!(title.as_str().unwrap().contains(" UTC: done "), "{title}");
    browser.press("#table-throughput summary").await;
    let rows = "return document.querySelectorAll('#table-throughput tbody tr').length";
    assert_eq!(browser.run(rows, vec![]).await, 60);
    // Time goes on, and so does the page; the table stays open.
    let newest = "return document.querySelector('#table-throughput tbody time').dateTime";
    let before = browser.run(newest, vec![]).await;
    it.advance(Duration::from_mins(1));
    fold(&it).await;
    browser
        .until(&format!(
            "document.querySelector('#table-throughput[open] tbody time')?.dateTime > {before}"
        ))
        .await;
    // A longer time is a link.
    browser.follow("#charts a[href='/console?range=24h']").await;
    assert_eq!(browser.path().await, "/console?range=24h");
    let chosen = "return document.querySelector('#charts [aria-current]').textContent";
    assert_eq!(browser.run(chosen, vec![]).await, "24 hours");
    assert_eq!(browser.run(rows, vec![]).await, 96);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
