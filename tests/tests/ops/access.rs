//! Who may do what: tokens, sessions, roles, forged forms, guessed passwords.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use shared::clock::Clock as _;
use shared::operator::Role;
use shared::store::audit::{self, Actor};
use shared::store::operators::{self, OperatorChange};
use tests::bridge::Answer;
use tests::operating::PASSWORD;
use tests::running::Running;

on_both!(
    a_token_opens_what_its_operator_may,
    a_role_that_does_not_suffice_is_named,
    a_session_opens_by_password_and_ends,
    a_forged_form_changes_nothing,
    who_guesses_has_to_wait,
    access_that_is_taken_away_ends_at_once,
);

async fn a_token_opens_what_its_operator_may(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let me = vera.get("/v1/ops/session").await;
    assert_eq!(
        (
            me.status,
            &me.body["operator"],
            &me.body["role"],
            &me.body["csrf"]
        ),
        (200, &json!("vera"), &json!("viewer"), &json!(""))
    );
    let stranger = it.bridge.stranger();
    for path in [
        "/v1/ops/session",
        "/v1/ops/overview",
        "/v1/ops/jobs",
        "/v1/ops/audit",
    ] {
        assert_eq!(stranger.get(path).await.status, 401, "{path}");
        // The token of a source opens nothing here, and that of an operator nothing there.
        assert_eq!(it.idm.get(path).await.status, 401, "{path}");
        assert_eq!(vera.get(path).await.status, 200, "{path}");
    }
    assert_eq!(vera.get("/v1/requests").await.status, 401);
}

async fn a_role_that_does_not_suffice_is_named(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let act = json!({"action": "retry", "filter": {}});
    let refused = vera.post("/v1/ops/operations", &act).await;
    insta::assert_json_snapshot!("a_role_that_does_not_suffice", refused.body);
    let pause = vera.post("/v1/ops/queues/callback/pause", &json!({})).await;
    assert_eq!(pause.status, 403);
    let drain = omar
        .post("/v1/ops/workers/worker-1/drain", &json!({}))
        .await;
    assert_eq!(drain.status, 403, "{}", drain.body);
    assert!(drain.body["detail"].as_str().unwrap().contains("`admin`"));
}

async fn a_session_opens_by_password_and_ends(it: &Running) {
    it.bridge.enter("vera", Role::Operator).await;
    let mut console = it.bridge.console();
    let first = console.get("/console/jobs?state=dead").await;
    assert_eq!(
        (first.status, first.location.as_str()),
        (303, "/console/login?next=%2Fconsole%2Fjobs%3Fstate%3Ddead")
    );
    let wrong = console.sign_in("vera", "not the sentence").await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.html.contains("The name or the password is not right"));
    let right = console.sign_in("vera", PASSWORD).await;
    assert_eq!((right.status, right.location.as_str()), (303, "/console"));
    let cookie = right.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    assert_eq!(console.get("/console").await.status, 200);

    // It ends when nobody uses it, and when it is old, whatever is done.
    it.advance(Duration::from_mins(59));
    assert_eq!(console.get("/console").await.status, 200);
    it.advance(Duration::from_mins(61));
    assert_eq!(console.get("/console").await.status, 303);
    console.sign_in("vera", PASSWORD).await;
    for _ in 0..15 {
        it.advance(Duration::from_mins(50));
        console.get("/console").await;
    }
    assert_eq!(console.get("/console").await.status, 303);

    // Signing out ends it on the server, too.
    console.sign_in("vera", PASSWORD).await;
    console.get("/console").await;
    let kept = console.clone();
    assert_eq!(console.post("/console/logout", &[]).await.status, 303);
    assert_eq!(kept.clone().get("/console").await.status, 303);
    let trail = audit::of_subject(it.bridge.store().conn(), "operator", "vera").await;
    let logins = trail
        .unwrap()
        .into_iter()
        .filter(|row| row.action == "operator.login");
    assert_eq!(logins.count(), 3);
}

async fn a_forged_form_changes_nothing(it: &Running) {
    let mut console = it.bridge.signed_in("omar", Role::Operator).await;
    "of another session".clone_into(&mut console.csrf);
    let forged = console
        .post("/console/queues/callback/pause", &[("reason", "forged")])
        .await;
    assert_eq!(forged.status, 403);
    assert!(
        forged
            .html
            .contains("The form belongs to another session, so nothing was changed")
    );
    // The same by the API: a cookie alone is not enough for a change.
    let cookie = console.cookie.clone().unwrap();
    let call = || {
        it.bridge
            .stranger()
            .call(Method::POST, "/v1/ops/queues/callback/pause")
            .header("cookie", cookie.clone())
    };
    assert_eq!(
        Answer::of(call()).await.body["type"],
        "urn:ticketbridge:problem:stale-form"
    );
    let queues = it
        .bridge
        .stranger()
        .call(Method::GET, "/v1/ops/queues")
        .header("cookie", cookie.clone());
    let queues = Answer::of(queues).await;
    assert!(
        super::items(&queues.body)
            .iter()
            .all(|it| it["is_open"] == true)
    );
    let me = it
        .bridge
        .stranger()
        .call(Method::GET, "/v1/ops/session")
        .header("cookie", cookie.clone());
    let csrf = Answer::of(me).await.body["csrf"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        Answer::of(call().header("x-csrf-token", csrf)).await.status,
        200
    );
}

async fn who_guesses_has_to_wait(it: &Running) {
    it.bridge.enter("vera", Role::Viewer).await;
    it.bridge.enter("omar", Role::Viewer).await;
    let mut console = it.bridge.console();
    for _ in 0..5 {
        assert_eq!(
            console.sign_in("vera", "a wrong sentence").await.status,
            401
        );
    }
    // Neither this name nor this address, although the password is right.
    let waits = console.sign_in("vera", PASSWORD).await;
    assert_eq!(waits.status, 429);
    assert!(waits.html.contains("Wait 300 s"), "{}", waits.words());
    assert_eq!(console.sign_in("omar", PASSWORD).await.status, 429);
    it.advance(Duration::from_secs(301));
    assert_eq!(console.sign_in("vera", PASSWORD).await.status, 303);
    it.bridge.scheduler.tidy_logins().await.unwrap();
}

async fn access_that_is_taken_away_ends_at_once(it: &Running) {
    let mut console = it.bridge.signed_in("omar", Role::Operator).await;
    let vera = it.bridge.operator("vera", Role::Admin).await;
    let change = async |name: &str, change: OperatorChange| {
        let tx = it.bridge.store().begin().await.unwrap();
        let actor = Actor::System("test");
        operators::change(&tx, name, &change, &actor, it.bridge.clock.now())
            .await
            .unwrap()
            .unwrap();
        tx.commit().await.unwrap();
    };
    change("omar", OperatorChange::Role(Role::Viewer)).await;
    assert_eq!(
        console.get("/console").await.status,
        303,
        "what they had is not what they have"
    );
    change("vera", OperatorChange::Access(false)).await;
    assert_eq!(vera.get("/v1/ops/session").await.status, 401);
    change("vera", OperatorChange::Access(true)).await;
    assert_eq!(vera.get("/v1/ops/session").await.status, 200);
    change("omar", OperatorChange::Access(false)).await;
    assert_eq!(console.sign_in("omar", PASSWORD).await.status, 401);
}
