//! The console as a browser without script sees it.

use std::time::Duration;

use shared::job::JobState;
use shared::operator::Role;
use shared::store::jobs;
use simulator::RateLimit;
use tests::operating::{Console, PASSWORD};
use tests::running::Running;

use super::dead_creates;

on_both!(
    every_page_is_shown_to_every_role,
    a_dead_job_is_found_and_retried,
    all_that_match_are_confirmed_by_their_count,
    a_lane_is_paused_with_a_reason_and_resumed,
    a_session_that_ends_in_the_middle_of_a_form_changes_nothing,
    what_is_not_there_is_said,
    a_connection_that_is_held_back_is_named_on_every_page,
);

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

async fn every_page_is_shown_to_every_role(it: &Running) {
    let dead = it.dead_updates(2).await;
    dead_creates(it, 1).await;
    let id = it.opened("REQ-1", "access").await;
    it.ask("REQ-2", "access").await;
    let job = it.job(id, "create_ticket.v1").await.id;
    let number = it.number(id).await;
    for (name, role) in [
        ("vera", Role::Viewer),
        ("omar", Role::Operator),
        ("ada", Role::Admin),
    ] {
        let mut console = it.bridge.signed_in(name, role).await;
        let pages = [
            ("/console".to_owned(), "Lanes"),
            ("/console?range=24h".to_owned(), "Jobs that ended"),
            ("/console/requests".to_owned(), "REQ-1"),
            (
                "/console/requests?state=denied&window=24h".to_owned(),
                "D-0",
            ),
            (
                "/console/requests?text=nothing".to_owned(),
                "No request matches",
            ),
            (format!("/console/requests/{id}"), "is up to date"),
            ("/console/jobs".to_owned(), "create_ticket.v1"),
            (
                "/console/jobs?state=dead&window=7d".to_owned(),
                "refused_jump",
            ),
            (
                "/console/jobs?created_before=2000-01-01T00%3A00".to_owned(),
                "No job matches",
            ),
            (format!("/console/jobs/{}", dead[0]), "was given up after"),
            (format!("/console/jobs/{job}"), "has ended well"),
            ("/console/operations".to_owned(), "Operations"),
            ("/console/queues".to_owned(), "create-ticket@main"),
            ("/console/workers".to_owned(), "worker-1"),
            ("/console/connections".to_owned(), "none yet"),
            (
                "/console/connections/main".to_owned(),
                "Last failure of each class",
            ),
            ("/console/routes".to_owned(), "u_no_such_table"),
            (
                "/console/routes/owned".to_owned(),
                "Values that nobody mapped",
            ),
            ("/console/audit".to_owned(), "operator.login"),
            (
                format!("/console/audit?subject_kind=request&subject_id={id}"),
                "request.accepted",
            ),
            ("/console/search?q=joon.park".to_owned(), "Payroll viewer"),
        ];
        for (path, words) in pages {
            let page = console.get(&path).await;
            assert_eq!(page.status, 200, "{path}: {}", page.html);
            assert!(
                page.words().contains(words),
                "{path} as {name}: {}",
                page.words()
            );
            assert_eq!(page.headers["content-security-policy"], POLICY);
            assert!(
                !page.html.contains(" style=") && !page.html.contains(" onclick="),
                "{path}"
            );
        }
        let found = console.get(&format!("/console/search?q={number}")).await;
        assert_eq!(
            (found.status, found.location),
            (303, format!("/console/requests/{id}"))
        );
        let asset = console.get("/console/assets/console.css").await;
        assert_eq!(
            (asset.status, &asset.headers["content-type"]),
            (200, &"text/css; charset=utf-8".parse().unwrap())
        );
    }
}

async fn a_dead_job_is_found_and_retried(it: &Running) {
    let dead = it.dead_updates(1).await;
    let mut omar = it.bridge.signed_in("omar", Role::Operator).await;
    let id = dead[0].to_string();
    omar.get("/console/jobs?state=dead").await;
    let nothing = omar
        .post(
            "/console/jobs/confirm",
            &[
                ("scope", "selected"),
                ("do", "retry"),
                ("filter", "state=dead"),
            ],
        )
        .await;
    assert_eq!(nothing.location, "/console/jobs?state=dead&flash=nothing");
    let confirm = omar
        .post(
            "/console/jobs/confirm",
            &[("scope", "selected"), ("job", &id), ("do", "retry")],
        )
        .await;
    assert_eq!(confirm.status, 200, "{}", confirm.words());
    insta::assert_snapshot!("a_confirmation", timeless(&confirm.words()));
    let plan = confirm.between("name=\"plan\" value=\"", "\"").to_owned();
    let unsaid = omar
        .post("/console/jobs/do", &[("plan", &plan), ("reason", " ")])
        .await;
    assert_eq!(unsaid.status, 422);
    assert!(
        unsaid.words().contains("reason is empty"),
        "{}",
        unsaid.words()
    );
    let done = omar
        .post(
            "/console/jobs/do",
            &[("plan", &plan), ("reason", "the rule was corrected")],
        )
        .await;
    assert_eq!(done.status, 303, "{}", done.words());
    let progress = omar.get(&done.location).await;
    assert!(
        progress.words().contains("It has begun."),
        "{}",
        progress.words()
    );
    assert!(
        progress.words().contains("1 of 1 jobs"),
        "{}",
        progress.words()
    );
    it.settle().await;
    let states = jobs::states(it.bridge.store().conn(), &dead).await.unwrap();
    assert_eq!(states[0].1, JobState::Done);
    // The same confirmation once more: somebody pressed Back.
    let stale = omar
        .post("/console/jobs/do", &[("plan", &plan), ("reason", "again")])
        .await;
    assert_eq!(stale.status, 409);
    assert!(
        stale.words().contains("is done by now"),
        "{}",
        stale.words()
    );
}

async fn all_that_match_are_confirmed_by_their_count(it: &Running) {
    it.dead_updates(3).await;
    let mut omar = it.bridge.signed_in("omar", Role::Operator).await;
    let confirm = omar
        .post(
            "/console/jobs/confirm",
            &[
                ("scope", "matching"),
                ("filter", "state=dead&window=24h"),
                ("do", "retry-paced"),
                ("rate", "1"),
            ],
        )
        .await;
    assert!(
        confirm.words().contains("Retry 3 jobs?"),
        "{}",
        confirm.words()
    );
    let plan = confirm.between("name=\"plan\" value=\"", "\"").to_owned();
    let begun = omar
        .post("/console/jobs/do", &[("plan", &plan), ("reason", "slowly")])
        .await;
    let path = begun.location.split('?').next().unwrap().to_owned();
    let page = omar.get(&path).await;
    assert!(page.words().contains("1 of 3 jobs"), "{}", page.words());
    let stopped = omar.post(&format!("{path}/stop"), &[]).await;
    assert_eq!(stopped.location, format!("{path}?flash=stopped"));
    assert!(
        omar.get(&stopped.location)
            .await
            .words()
            .contains("stopped")
    );
    let odd = omar
        .post(
            "/console/jobs/confirm",
            &[
                ("scope", "matching"),
                ("filter", ""),
                ("do", "retry-paced"),
                ("rate", "many"),
            ],
        )
        .await;
    assert_eq!(odd.status, 422, "{}", odd.words());
}

async fn a_lane_is_paused_with_a_reason_and_resumed(it: &Running) {
    let mut omar = it.bridge.signed_in("omar", Role::Operator).await;
    let ask = omar.get("/console/queues/create-ticket%40main/pause").await;
    insta::assert_snapshot!("a_pause_is_asked_for", timeless(&ask.words()));
    let path = "/console/queues/create-ticket%40main/pause";
    assert_eq!(omar.post(path, &[("reason", "")]).await.status, 422);
    let paused = omar
        .post(path, &[("reason", "the instance is being upgraded")])
        .await;
    assert_eq!(paused.location, "/console/queues?flash=paused");
    let page = omar.get(&paused.location).await;
    assert!(
        page.words().contains("by operator:omar"),
        "{}",
        page.words()
    );
    it.opened("P-1", "access").await;
    assert_eq!(it.records("incident").len(), 0);
    let resumed = omar
        .post("/console/queues/create-ticket%40main/resume", &[])
        .await;
    assert_eq!(resumed.location, "/console/queues?flash=resumed");
    let mut vera = it.bridge.signed_in("vera", Role::Viewer).await;
    let refused = vera.get("/console/queues/create-ticket%40main/pause").await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.words().contains("This needs the role `operator`"),
        "{}",
        refused.words()
    );
}

async fn a_session_that_ends_in_the_middle_of_a_form_changes_nothing(it: &Running) {
    let mut omar = it.bridge.signed_in("omar", Role::Operator).await;
    omar.get("/console/queues/callback/pause").await;
    it.advance(std::time::Duration::from_hours(2));
    let late = omar
        .post(
            "/console/queues/callback/pause",
            &[("reason", "typed with care")],
        )
        .await;
    assert_eq!(late.status, 401);
    assert!(
        late.words().contains("nothing was changed"),
        "{}",
        late.words()
    );
    assert!(
        late.words().contains("what you typed is still there"),
        "{}",
        late.words()
    );
    assert!(it.bridge.store().ping().await.is_ok());
    let mut other: Console = it.bridge.signed_in("vera", Role::Viewer).await;
    assert!(
        !other
            .get("/console/queues")
            .await
            .words()
            .contains("paused by")
    );
}

async fn what_is_not_there_is_said(it: &Running) {
    let mut vera = it.bridge.signed_in("vera", Role::Viewer).await;
    for path in [
        "/console/jobs/x",
        "/console/requests/x",
        "/console/operations/x",
    ] {
        let page = vera.get(path).await;
        assert_eq!(page.status, 404, "{path}");
        assert!(
            page.words().contains("There is nothing here"),
            "{}",
            page.words()
        );
    }
    let bad = vera
        .get("/console/jobs?created_after=never&state=undead")
        .await;
    assert_eq!(bad.status, 200);
    assert!(bad.words().contains("has `undead`"), "{}", bad.words());
    assert_eq!(vera.get("/console/assets/nothing.js").await.status, 404);
}

/// Without ids and moments.
fn timeless(words: &str) -> String {
    let is_moment = |word: &str| {
        word.len() >= 8
            && word
                .trim_start_matches('…')
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"-:.".contains(&byte))
    };
    let kept: Vec<&str> = words
        .split(' ')
        .map(|word| if is_moment(word) { "<moment>" } else { word })
        .collect();
    kept.join(" ")
}

async fn a_connection_that_is_held_back_is_named_on_every_page(it: &Running) {
    it.main
        .set_knobs(|knobs| knobs.rate_limit = Some(RateLimit { per_hour: 0 }));
    it.opened("REQ-1", "access").await;
    let mut console = it.bridge.signed_in("vera", Role::Viewer).await;
    for path in ["/console/jobs", "/console/queues", "/console/audit"] {
        let words = console.get(path).await.words();
        assert!(
            words.contains("Degraded: “main” throttled until 2026-03-02 "),
            "{path}: {words}"
        );
    }
    let overview = console.get("/console").await;
    assert!(
        overview.html.contains("badge--hold\">degraded<"),
        "{}",
        overview.html
    );
    it.main.set_knobs(|knobs| knobs.rate_limit = None);
    it.advance(Duration::from_hours(2));
    it.settle().await;
    // Nobody has used the session meanwhile.
    console.sign_in("vera", PASSWORD).await;
    let words = console.get("/console/jobs").await.words();
    assert!(
        words.contains("create_ticket.v1") && !words.contains("Degraded"),
        "{words}"
    );
}
