//! Every page in both themes and at the width of a phone: it reads, nothing sticks out, and neither axe-core nor the browser complains.

use std::time::Duration;

use serde_json::json;
use shared::operator::Role;
use tests::browser::Browser;
use tests::databases::Flavour;
use tests::running::Running;

use super::{DESTINATIONS, PICTURES, signed_in, some_hours};

const LANE: &str = "create-ticket@main";

/// How a page is looked at.
#[derive(Clone, Copy)]
struct Look {
    name: &'static str,
    theme: &'static str,
    width: u32,
}

const LOOKS: [Look; 3] = [
    Look {
        name: "light",
        theme: "light",
        width: 1280,
    },
    Look {
        name: "dark",
        theme: "dark",
        width: 1280,
    },
    Look {
        name: "phone",
        theme: "dark",
        width: 360,
    },
];

/// What makes a page scroll sideways.
const STICK_OUT: &str = "return document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('body *')]\
    .filter(it => it.getBoundingClientRect().right > innerWidth).map(it => it.outerHTML.slice(0, 300))";
/// What is folded away is looked at as well.
const UNFOLD: &str = "document.querySelectorAll('main details').forEach(it => { it.open = true })";

async fn put_on(browser: &Browser, look: Look) {
    let page = &browser.page;
    page.set_window_rect(0, 0, look.width, 900).await.unwrap();
    let keep = "localStorage.setItem('tb.theme', arguments[0])";
    browser.run(keep, vec![look.theme.into()]).await;
}

/// Looks at the page that is shown.
async fn inspect(browser: &Browser, name: &str, look: Look) {
    let theme = "return document.documentElement.dataset.theme";
    assert_eq!(browser.run(theme, vec![]).await, look.theme, "{name}");
    browser
        .picture(PICTURES, &format!("{name}-{}", look.name))
        .await;
    browser.run(UNFOLD, vec![]).await;
    let wide = browser.run(STICK_OUT, vec![]).await;
    assert_eq!(wide, json!([]), "{name} scrolls sideways on {}", look.name);
    let faults = browser.accessibility_faults().await;
    assert_eq!(faults, Vec::<String>::new(), "{name} {}", look.name);
    let mut complaints = browser.complaints().await;
    // The browser's word for the status of a page that is not there, or of a form that was refused.
    complaints.retain(|it| !(name == "missing" && it.contains("404")));
    complaints.retain(|it| !(name.ends_with("-refused") && it.contains("422")));
    assert_eq!(complaints, Vec::<String>::new(), "{name} {}", look.name);
}

async fn inspect_all(browser: &Browser, pages: &[(&str, String)]) {
    for look in LOOKS {
        put_on(browser, look).await;
        for (name, path) in pages {
            browser.go(path).await;
            inspect(browser, name, look).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_page_reads_in_both_themes_and_on_a_phone() {
    let it = Running::with(Flavour::Sqlite, DESTINATIONS).await;
    let dead = it.dead_updates(3).await;
    let id = it.opened("REQ-1", "access").await;
    it.ask("REQ-2", "access").await;
    // One alert fires, and nobody takes the message.
    it.look_at_alerts().await;
    // A circuit of one table, and a check that names it.
    it.opened("REQ-3", "missing").await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let check = "/v1/ops/connections/main/check";
    omar.post(check, &json!({})).await;
    it.settle().await;
    omar.post(check, &json!({})).await;
    some_hours(&it).await;
    let browser = signed_in(&it, "ada", Role::Admin).await;
    let pages = [
        ("overview", "/console".to_owned()),
        ("charts", "/console?range=24h".to_owned()),
        ("requests", "/console/requests".to_owned()),
        ("request", format!("/console/requests/{id}")),
        ("jobs", "/console/jobs".to_owned()),
        ("dead", "/console/jobs?state=dead".to_owned()),
        ("job", format!("/console/jobs/{}", dead[0])),
        ("operations", "/console/operations".to_owned()),
        ("queues", "/console/queues".to_owned()),
        ("pause", "/console/queues/all/pause".to_owned()),
        ("concurrency", format!("/console/queues/{LANE}/concurrency")),
        ("cadences", "/console/cadences".to_owned()),
        ("alerts", "/console/alerts".to_owned()),
        ("silence", "/console/alerts/dead_jobs/silence".to_owned()),
        ("workers", "/console/workers".to_owned()),
        ("connections", "/console/connections".to_owned()),
        ("connection", "/console/connections/main".to_owned()),
        ("circuit", "/console/connections/main/circuit".to_owned()),
        ("routes", "/console/routes".to_owned()),
        ("route", "/console/routes/owned".to_owned()),
        ("route-off", "/console/routes/access/off".to_owned()),
        ("audit", "/console/audit".to_owned()),
        ("search", "/console/search?q=joon.park".to_owned()),
        ("missing", "/console/jobs/x".to_owned()),
    ];
    inspect_all(&browser, &pages).await;
}

/// A request whose ticket has a state that an administrator of the instance has made up.
async fn unmapped(it: &Running) -> uuid::Uuid {
    it.main.set_knobs(|knobs| knobs.choice_strict = false);
    let id = it.opened("REQ-1", "task").await;
    let sys_id = it.ticket(id).await.sys_id.unwrap();
    it.advance(Duration::from_secs(31));
    let state = [("state", "42")];
    it.main.update(None, "sc_task", &sys_id, &state).unwrap();
    it.look().await;
    assert!(it.request(id).await.attention.is_some());
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_operators_have_done_and_what_nobody_mapped_reads_too() {
    let it = Running::with(Flavour::Sqlite, DESTINATIONS).await;
    let flagged = unmapped(&it).await;
    let dead = it.dead_updates(2).await;
    some_hours(&it).await;
    it.look_at_alerts().await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let done = async |path: &str, body: serde_json::Value| {
        let answer = omar.post(path, &body).await;
        assert!(matches!(answer.status, 200 | 202), "{path} {}", answer.body);
        answer.body
    };
    let reason =
        "the reason that somebody gives at night, in more words than there is room for on a phone";
    let retry = json!({"action": "retry", "ids": dead[..1], "per_minute": 1, "reason": reason});
    let operation = done("/v1/ops/operations", retry).await;
    done("/v1/ops/routes/access/off", json!({"reason": reason})).await;
    let silence = json!({"until": "2026-03-02T13:00:00Z", "reason": reason});
    done("/v1/ops/alerts/dead_jobs/silence", silence).await;
    done("/v1/ops/queues/callback/pause", json!({"reason": reason})).await;
    let limit = json!({"jobs": 6, "expected": null, "reason": reason});
    let path = format!("/v1/ops/queues/{LANE}/concurrency");
    assert_eq!(omar.put(&path, &limit).await.status, 200);
    let browser = signed_in(&it, "ada", Role::Admin).await;
    let at_a_time = format!("/console/queues/{LANE}/concurrency");
    let pages = [
        ("operations-done", "/console/operations".to_owned()),
        (
            "operation",
            format!("/console/operations/{}", operation["id"].as_str().unwrap()),
        ),
        ("routes-off", "/console/routes".to_owned()),
        ("route-is-off", "/console/routes/access".to_owned()),
        ("route-on", "/console/routes/access/on".to_owned()),
        ("unmapped", "/console/routes/task".to_owned()),
        ("flagged", format!("/console/requests/{flagged}")),
        ("attention", "/console/requests?attention=true".to_owned()),
        ("alerts-silenced", "/console/alerts".to_owned()),
        ("queues-paused", "/console/queues".to_owned()),
        ("concurrency-set", at_a_time.clone()),
        ("week", "/console?range=7d".to_owned()),
    ];
    inspect_all(&browser, &pages).await;
    for look in LOOKS {
        put_on(&browser, look).await;
        browser.go("/console/jobs?state=dead").await;
        browser.press("[data-scope=matching]").await;
        browser.fill("[name=rate]", "600").await;
        browser.follow("[value=retry-paced]").await;
        inspect(&browser, "confirm", look).await;
        browser.go(&at_a_time).await;
        browser.fill("[name=jobs]", "5000").await;
        browser.fill("[name=reason]", "more than fit").await;
        browser
            .run(
                "document.querySelector('main form').noValidate = true",
                vec![],
            )
            .await;
        browser.follow("main form button[value=set]").await;
        inspect(&browser, "concurrency-refused", look).await;
    }
    put_on(&browser, LOOKS[0]).await;
    browser.go("/console").await;
    let sign_out = ".topbar__wide form[action='/console/logout'] button";
    browser.follow(sign_out).await;
    inspect_all(&browser, &[("login", "/console/login".to_owned())]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pages_with_nothing_on_them_read_as_well() {
    let it = Running::start(Flavour::Sqlite).await;
    let browser = signed_in(&it, "vera", Role::Viewer).await;
    let pages = [
        "/console",
        "/console/requests",
        "/console/jobs",
        "/console/operations",
        "/console/queues",
        "/console/cadences",
        "/console/alerts",
        "/console/workers",
        "/console/connections",
        "/console/connections/main",
        "/console/routes",
        "/console/routes/task",
        "/console/audit",
        "/console/search?q=nobody",
    ];
    let names = pages.map(|path| path.replace(['/', '?', '='], "-"));
    let pages: Vec<_> = names
        .iter()
        .zip(pages)
        .map(|(name, path)| (name.as_str(), path.to_owned()))
        .collect();
    inspect_all(&browser, &pages).await;
}
