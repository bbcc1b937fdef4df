//! Alerts as operators see them: who may silence and test, what is refused, and the pages.

use std::time::Duration;

use serde_json::{Value, json};
use shared::alert::{AlertName, AlertState};
use shared::operator::Role;
use tests::bridge::Api;
use tests::databases::Flavour;
use tests::mail_server::MailServer;
use tests::receiver::Receiver;
use tests::running::Running;

use super::alert_messages::{alerted, mailed};

with_receiver!(
    an_alert_is_silenced_and_resumed,
    what_makes_no_silence_is_refused,
    a_test_says_what_was_answered,
    the_console_shows_silences_and_tests,
);

/// One alert of the list.
async fn shown(api: &Api, name: &str) -> Value {
    let list = api.get("/v1/ops/alerts").await;
    assert_eq!(list.status, 200, "{}", list.body);
    let found = super::items(&list.body)
        .iter()
        .find(|it| it["name"] == name);
    found.unwrap().clone()
}

async fn an_alert_is_silenced_and_resumed(it: &Running, receiver: &Receiver) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    it.dead_updates(2).await;
    assert_eq!(it.look_at_alerts().await, 1);
    let fires = shown(&omar, "dead_jobs").await;
    assert_eq!(
        (&fires["state"], &fires["figure"], &fires["destinations"]),
        (&json!("firing"), &json!(2), &json!(["oncall"]))
    );
    assert_eq!(
        fires["findings"],
        json!([{"at": "update-status@main", "what": "2 dead jobs"}])
    );
    let body = json!({"until": "2026-03-02T13:00:00Z", "reason": "we know"});
    let path = "/v1/ops/alerts/dead_jobs";
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let refused = vera.post(&format!("{path}/silence"), &body).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let silenced = omar.post(&format!("{path}/silence"), &body).await;
    assert_eq!(silenced.status, 200, "{}", silenced.body);
    let quiet = shown(&vera, "dead_jobs").await;
    assert_eq!(quiet["state"], "quiet");
    assert_eq!(
        quiet["silence"],
        json!({"until": "2026-03-02T13:00:00Z", "by": "operator:omar", "reason": "we know"})
    );
    let again = omar.post(&format!("{path}/silence"), &body).await;
    assert_eq!(again.status, 409);
    let detail = again.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("silenced already, by operator:omar"),
        "{detail}"
    );
    assert_eq!(it.look_at_alerts().await, 0);
    assert_eq!(receiver.heard().len(), 1);

    assert_eq!(
        vera.post(&format!("{path}/resume"), &json!({}))
            .await
            .status,
        403
    );
    let resumed = omar.post(&format!("{path}/resume"), &json!({})).await;
    assert_eq!(resumed.status, 200, "{}", resumed.body);
    assert_eq!(
        omar.post(&format!("{path}/resume"), &json!({}))
            .await
            .status,
        409
    );
    assert_eq!(it.look_at_alerts().await, 1, "what still holds is told");
    assert_eq!(receiver.types(), ["alert.fired", "alert.repeated"]);
    let trail = omar.get("/v1/ops/audit?subject_kind=alert").await.body;
    let words: Vec<_> = super::items(&trail)
        .iter()
        .map(|it| (&it["actor"], &it["action"], &it["reason"]))
        .collect();
    let omar = json!("operator:omar");
    assert_eq!(
        words,
        [
            (&omar, &json!("alert.resumed"), &Value::Null),
            (&omar, &json!("alert.silenced"), &json!("we know"))
        ]
    );
}

async fn what_makes_no_silence_is_refused(it: &Running, _receiver: &Receiver) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    it.look_at_alerts().await;
    let silence = "/v1/ops/alerts/dead_jobs/silence";
    for body in [
        json!({}),
        json!({"until": "2026-03-02T08:00:00Z", "reason": "we know"}),
        json!({"until": "2026-04-02T13:00:00Z", "reason": "we know"}),
        json!({"until": "tomorrow", "reason": " "}),
        json!({"until": "2026-03-02T13:00:00Z", "reason": "we know", "by": "vera"}),
    ] {
        let refused = omar.post(silence, &body).await;
        assert_eq!(refused.status, 422, "{body} {}", refused.body);
    }
    let unknown = omar
        .post("/v1/ops/alerts/dead_job/resume", &json!({}))
        .await;
    insta::assert_json_snapshot!("an_alert_that_is_not_there", unknown.body);
    let nowhere = "/v1/ops/alerts/destinations/nowhere/test";
    let unknown = omar.post(nowhere, &json!({})).await;
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.body["detail"]
            .as_str()
            .unwrap()
            .contains("There is: oncall.")
    );
    assert_eq!(it.alert(AlertName::DeadJobs).await.silence, None);
}

async fn a_test_says_what_was_answered(it: &Running, receiver: &Receiver) {
    let test = "/v1/ops/alerts/destinations/oncall/test";
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    assert_eq!(vera.post(test, &json!({})).await.status, 403);
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let sent = omar.post(test, &json!({})).await;
    assert_eq!(
        (sent.status, &sent.body),
        (
            200,
            &json!({"destination": "oncall", "sent": true, "answer": "204 No Content"})
        )
    );
    assert_eq!(receiver.types(), ["alert.test"]);
    receiver.plan(410, &[]);
    let refused = omar.post(test, &json!({})).await;
    assert_eq!(
        (
            refused.status,
            &refused.body["sent"],
            &refused.body["answer"]
        ),
        (200, &json!(false), &json!("it answered 410 Gone"))
    );
    let trail = omar.get("/v1/ops/audit?action=alert.tested").await.body;
    let details: Vec<_> = super::items(&trail)
        .iter()
        .map(|it| (&it["subject_id"], &it["detail"]["sent"]))
        .collect();
    let oncall = json!("oncall");
    assert_eq!(details, [(&oncall, &json!(false)), (&oncall, &json!(true))]);
}

async fn the_console_shows_silences_and_tests(it: &Running, receiver: &Receiver) {
    it.dead_updates(1).await;
    it.look_at_alerts().await;
    let mut omar = it.bridge.signed_in("omar", Role::Operator).await;
    let overview = omar.get("/console").await;
    assert!(
        overview.html.contains("class=\"alarm\""),
        "{}",
        overview.html
    );
    assert!(
        overview
            .words()
            .contains("Dead jobs. update-status@main: 1 dead job"),
        "{}",
        overview.words()
    );
    let page = omar.get("/console/alerts").await;
    assert!(
        page.words().contains("Dead jobs dead_jobs"),
        "{}",
        page.words()
    );
    assert!(page.words().contains("takes messages"), "{}", page.words());
    let path = "/console/alerts/dead_jobs/silence";
    let ask = omar.get(path).await;
    insta::assert_snapshot!("a_silence_is_asked_for", ask.words());
    let unsaid = omar.post(path, &[("hours", "4"), ("reason", " ")]).await;
    assert_eq!(unsaid.status, 422);
    assert!(
        unsaid.words().contains("reason is empty"),
        "{}",
        unsaid.words()
    );
    let odd = omar
        .post(path, &[("hours", "5"), ("reason", "we know")])
        .await;
    assert_eq!(odd.status, 422);
    assert!(
        odd.html.contains("we know"),
        "what was typed is still there"
    );
    let silenced = omar
        .post(path, &[("hours", "4"), ("reason", "we know")])
        .await;
    assert_eq!(silenced.location, "/console/alerts?flash=silenced");
    let page = omar.get(&silenced.location).await;
    assert!(
        page.words().contains("silenced by operator:omar"),
        "{}",
        page.words()
    );
    assert!(!page.html.contains("class=\"alarm\""), "nothing fires");
    let stale = omar
        .post(path, &[("hours", "4"), ("reason", "again")])
        .await;
    assert_eq!(stale.status, 409, "{}", stale.words());
    let resumed = omar.post("/console/alerts/dead_jobs/resume", &[]).await;
    assert_eq!(resumed.location, "/console/alerts?flash=unsilenced");
    let tested = omar
        .post("/console/alerts/destinations/oncall/test", &[])
        .await;
    assert!(
        tested
            .words()
            .contains("oncall has taken the test message. It answered 204 No Content."),
        "{}",
        tested.words()
    );
    assert_eq!(receiver.types(), ["alert.fired", "alert.test"]);
    let mut vera = it.bridge.signed_in("vera", Role::Viewer).await;
    assert_eq!(vera.get(path).await.status, 403);
    let page = vera.get("/console/alerts").await;
    assert!(!page.html.contains("Send a test"), "{}", page.html);
}

#[tokio::test]
async fn without_a_destination_nothing_is_looked_at() {
    let it = Running::start(Flavour::Sqlite).await;
    it.dead_updates(1).await;
    assert_eq!(it.look_at_alerts().await, 0);
    assert_eq!(
        it.alert(AlertName::DeadJobs).await.standing.state,
        AlertState::Resolved
    );
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let list = omar.get("/v1/ops/alerts").await.body;
    assert_eq!(list["is_on"], false);
    let mut console = it.bridge.signed_in("vera", Role::Viewer).await;
    let page = console.get("/console/alerts").await;
    assert!(page.words().contains("Nobody is told."), "{}", page.words());
}

#[tokio::test]
async fn a_destination_that_is_dead_is_seen() {
    let (it, receiver) = alerted(Flavour::Sqlite, "").await;
    for _ in 0..3 {
        receiver.plan(500, &[]);
    }
    it.dead_updates(1).await;
    it.look_at_alerts().await;
    let mut vera = it.bridge.signed_in("vera", Role::Viewer).await;
    let page = vera.get("/console/alerts").await;
    for words in [
        "does not take messages",
        "not told: it answered 500 Internal Server Error",
    ] {
        assert!(page.words().contains(words), "{}", page.words());
    }
    assert!(
        !page.html.contains("key=private"),
        "an address may be a secret"
    );
    it.advance(Duration::from_hours(1));
    it.look_at_alerts().await;
    it.advance(Duration::from_hours(1));
    it.look_at_alerts().await;
    it.advance(Duration::from_hours(1));
    it.look_at_alerts().await;
    let page = vera.get("/console/alerts").await;
    assert!(
        !page.words().contains("does not take messages"),
        "{}",
        page.words()
    );
}

#[tokio::test]
async fn a_mail_server_that_refuses_a_test_is_quoted() {
    let server = MailServer::start().await;
    let it = Running::with(Flavour::Sqlite, &mailed(server.port(), "none", false)).await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    server.answer("RCPT", "550 5.1.1 no such user");
    let test = "/v1/ops/alerts/destinations/team/test";
    let refused = omar.post(test, &json!({})).await.body;
    assert_eq!(refused["sent"], false);
    let answer = refused["answer"].as_str().unwrap();
    assert!(answer.contains("no such user"), "{answer}");
    server.mend();
    let sent = omar.post(test, &json!({})).await.body;
    assert_eq!(
        (&sent["sent"], &sent["answer"]),
        (&json!(true), &json!("250 2.0.0 queued as 4711"))
    );
}
