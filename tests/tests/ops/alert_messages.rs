//! What is sent, to whom and how often: signatures, mail, quiet periods, several schedulers, deaths in between.

use std::time::Duration;

use shared::alert::{AlertName, AlertState};
use shared::clock::{Clock as _, SystemClock};
use shared::store::alerts::messages::{self, Message};
use standardwebhooks::Webhook;
use tests::databases::Flavour;
use tests::mail_server::MailServer;
use tests::receiver::Receiver;
use tests::running::Running;

/// Where messages go; the address of the receiver takes the place of URL.
const ONCALL: &str = r#"
[alerts.destinations.oncall]
kind = "webhook"
url = "URL"
secret = "whsec_ZmljdGlvbmFsLXNlY3JldC1mb3ItdGVzdHM="
allow_http = true
"#;
const SECRET: &str = "whsec_ZmljdGlvbmFsLXNlY3JldC1mb3ItdGVzdHM=";

with_receiver!(
    every_message_is_signed_for_an_independent_verifier,
    a_change_is_told_once_and_again_after_the_quiet_period,
    two_schedulers_tell_each_change_once,
    what_a_dead_process_has_not_sent_another_one_sends,
    an_end_is_not_told_before_its_beginning,
);

/// A bridge that tells a receiver of its own, with more TOML.
pub(crate) async fn alerted(flavour: Flavour, more: &str) -> (Running, Receiver) {
    let receiver = Receiver::start().await;
    let destination = ONCALL.replace("URL", receiver.url());
    let it = Running::with(flavour, &format!("{destination}{more}")).await;
    (it, receiver)
}

/// A destination by mail.
pub(crate) fn mailed(port: u16, tls: &str, with_login: bool) -> String {
    let login = if with_login {
        "user = \"bridge\"\npassword = \"fictional\"\n"
    } else {
        ""
    };
    format!(
        "[alerts.destinations.team]\nkind = \"mail\"\nsmtp_host = \"localhost\"\nsmtp_port = {port}\ntls = \"{tls}\"\n{login}\
         from = \"ticketbridge@example.com\"\nto = [\"team@example.com\", \"oncall@example.com\"]\n"
    )
}

async fn newest(it: &Running) -> Vec<Message> {
    messages::newest(it.bridge.store().conn(), 100)
        .await
        .unwrap()
}

async fn every_message_is_signed_for_an_independent_verifier(it: &Running, receiver: &Receiver) {
    // The verifier looks at the machine's clock, and refuses what is older than five minutes.
    it.bridge.clock.set(SystemClock.now());
    it.dead_updates(1).await;
    assert_eq!(it.look_at_alerts().await, 1);
    let heard = receiver.heard();
    assert_eq!(receiver.types(), ["alert.fired"]);
    let verifier = Webhook::new(SECRET).unwrap();
    verifier.verify(&heard[0].body, &heard[0].headers).unwrap();
    assert_eq!(heard[0].header("content-type"), "application/json");
    let message = newest(it).await.remove(0);
    assert_eq!(
        heard[0].header("webhook-id"),
        format!("msg_{}", message.id.simple())
    );
    let mut forged = heard[0].clone();
    forged.body.push(b' ');
    assert!(verifier.verify(&forged.body, &forged.headers).is_err());
}

async fn a_change_is_told_once_and_again_after_the_quiet_period(it: &Running, receiver: &Receiver) {
    it.dead_updates(1).await;
    // Every quarter of an hour for a day: told at once, and after 12 and 24 hours.
    for _ in 0..97 {
        it.look_at_alerts().await;
        it.advance(Duration::from_mins(15));
    }
    let of_dead_jobs = || {
        let heard = receiver.heard();
        let about = heard.iter().map(tests::receiver::Delivery::json);
        about
            .filter(|it| it["data"]["alert"] == "dead_jobs")
            .map(|it| it["type"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of_dead_jobs(),
        ["alert.fired", "alert.repeated", "alert.repeated"]
    );
    assert_eq!(
        it.alert(AlertName::DeadJobs).await.standing.state,
        AlertState::Firing
    );
}

async fn two_schedulers_tell_each_change_once(it: &Running, receiver: &Receiver) {
    let second = it.bridge.another_scheduler().await;
    let first = &it.bridge.scheduler;
    it.dead_updates(1).await;
    let both = tokio::join!(
        scheduler::alerts::tick(first),
        scheduler::alerts::tick(&second)
    );
    assert_eq!(both.0.unwrap() + both.1.unwrap(), 1);
    assert_eq!(newest(it).await.len(), 1);
    let both = tokio::join!(
        scheduler::alerts::deliver(first),
        scheduler::alerts::deliver(&second)
    );
    assert_eq!(both.0.unwrap() + both.1.unwrap(), 1);
    assert_eq!(receiver.types(), ["alert.fired"]);
    assert_eq!(scheduler::alerts::tick(&second).await.unwrap(), 0);
}

async fn what_a_dead_process_has_not_sent_another_one_sends(it: &Running, receiver: &Receiver) {
    it.dead_updates(1).await;
    // It dies after the change is stored, before anything is sent.
    scheduler::alerts::tick(&it.bridge.scheduler).await.unwrap();
    assert_eq!(receiver.heard().len(), 0);
    let second = it.bridge.another_scheduler().await;
    // The next one dies between taking the message and sending it.
    let conn = it.bridge.store().conn();
    let now = it.bridge.clock.now();
    let message = messages::due(conn, 10, now).await.unwrap().remove(0);
    let until = now + chrono::TimeDelta::seconds(40);
    assert!(messages::take(conn, &message, until).await.unwrap());
    assert!(
        !messages::take(conn, &message, until).await.unwrap(),
        "nobody takes it twice"
    );
    assert_eq!(scheduler::alerts::deliver(&second).await.unwrap(), 0);
    it.advance(Duration::from_secs(41));
    assert_eq!(scheduler::alerts::deliver(&second).await.unwrap(), 1);
    assert_eq!(receiver.types(), ["alert.fired"]);
    let sent = newest(it).await.remove(0);
    assert_eq!((sent.attempts, sent.sent_at.is_some()), (2, true));
}

async fn an_end_is_not_told_before_its_beginning(it: &Running, receiver: &Receiver) {
    receiver.plan(503, &[]);
    let dead = it.dead_updates(1).await;
    it.look_at_alerts().await;
    it.advance(Duration::from_secs(1));
    super::alert_rules::revive(it, &dead).await;
    assert_eq!(it.look_at_alerts().await, 1, "it is over");
    assert_eq!(
        receiver.heard().len(),
        1,
        "the beginning was refused and waits"
    );
    it.advance(Duration::from_mins(2));
    it.look_at_alerts().await;
    it.look_at_alerts().await;
    assert_eq!(
        receiver.types(),
        ["alert.fired", "alert.fired", "alert.resolved"]
    );
    let ids: Vec<_> = receiver
        .heard()
        .iter()
        .map(|it| it.header("webhook-id").to_owned())
        .collect();
    assert_eq!(ids[0], ids[1], "a repetition keeps its id");
}

#[tokio::test]
async fn a_destination_that_is_down_keeps_nobody_waiting_and_is_given_up_after_a_day() {
    let more = "[alerts.destinations.down]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/hook?key=private\"\nallow_http = true\n";
    let (it, receiver) = alerted(Flavour::Sqlite, more).await;
    it.dead_updates(1).await;
    it.look_at_alerts().await;
    assert_eq!(receiver.types(), ["alert.fired"]);
    let down = async || {
        let all = newest(&it).await;
        all.into_iter()
            .rfind(|it| it.destination == "down")
            .unwrap()
    };
    let waiting = down().await;
    assert!(waiting.given_up_at.is_none() && waiting.sent_at.is_none());
    let why = waiting.answer.unwrap();
    assert!(why.starts_with("it does not answer:"), "{why}");
    assert!(
        !why.contains("key=private") && !why.contains("/hook"),
        "{why}"
    );
    for _ in 0..60 {
        it.advance(Duration::from_mins(30));
        scheduler::alerts::deliver(&it.bridge.scheduler)
            .await
            .unwrap();
    }
    let given_up = down().await;
    assert!(given_up.given_up_at.is_some(), "{given_up:?}");
    assert_eq!(given_up.attempts, 10);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (it, receiver) = alerted(Flavour::Sqlite, "").await;
    let elsewhere = Receiver::start().await;
    receiver.plan(307, &[("Location", elsewhere.url())]);
    it.dead_updates(1).await;
    it.look_at_alerts().await;
    assert_eq!(elsewhere.heard().len(), 0);
    let why = newest(&it).await.remove(0).answer.unwrap();
    assert!(why.contains("redirects are not followed"), "{why}");
}

#[tokio::test]
async fn a_destination_that_has_left_the_configuration_is_told_nothing() {
    let more = "[alerts.destinations.second]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\nallow_http = true\n";
    let (it, _receiver) = alerted(Flavour::Sqlite, more).await;
    it.dead_updates(1).await;
    scheduler::alerts::tick(&it.bridge.scheduler).await.unwrap();
    let without = it.scheduler_with(more, "").await;
    scheduler::alerts::deliver(&without).await.unwrap();
    let all = newest(&it).await;
    let gone = all.iter().find(|it| it.destination == "second").unwrap();
    assert!(gone.given_up_at.is_some());
    assert_eq!(
        gone.answer.as_deref(),
        Some("the destination has left the configuration")
    );
}

#[tokio::test]
async fn a_rule_tells_only_its_destinations() {
    let more = "[alerts.destinations.team]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\nallow_http = true\n\
                [alerts.rules.dead_jobs]\ndestinations = [\"oncall\"]\n";
    let (it, receiver) = alerted(Flavour::Sqlite, more).await;
    it.dead_updates(1).await;
    it.look_at_alerts().await;
    assert_eq!(receiver.types(), ["alert.fired"]);
    assert_eq!(newest(&it).await.len(), 1);
}

#[tokio::test]
async fn a_mail_says_the_same() {
    let server = MailServer::start().await;
    let it = Running::with(Flavour::Sqlite, &mailed(server.port(), "none", true)).await;
    it.dead_updates(1).await;
    it.look_at_alerts().await;
    let mail = server.taken().remove(0);
    assert_eq!(mail.from, "ticketbridge@example.com");
    assert_eq!(mail.to, ["team@example.com", "oncall@example.com"]);
    assert_eq!(mail.header("Subject"), "[local] warning: 1 dead job");
    let message = newest(&it).await.remove(0);
    let id = format!("<msg_{}@localhost>", message.id.simple());
    assert_eq!(mail.header("Message-ID"), id);
    assert!(mail.header("Content-Type").starts_with("text/plain"));
    assert!(
        mail.text().contains("- update-status@main: 1 dead job"),
        "{}",
        mail.data
    );
    // The two parts of PLAIN, after an empty one.
    let login = mail.login.unwrap();
    assert_eq!(login, "PLAIN AGJyaWRnZQBmaWN0aW9uYWw=");
    assert_eq!(message.answer.as_deref(), Some("250 2.0.0 queued as 4711"));
}

/// How a mail server can refuse, and what is told of it.
#[tokio::test]
async fn what_a_mail_server_refuses_is_told_and_tried_again() {
    let refusals: [(&str, &str, &str, &str); 6] = [
        ("none", "AUTH", "535 5.7.8 wrong password", "wrong password"),
        (
            "none",
            "RCPT",
            "451 4.3.0 try again later",
            "try again later",
        ),
        (
            "none",
            "DATA",
            "554 5.7.1 no mail from you",
            "no mail from you",
        ),
        ("none", ".", "452 4.3.1 disk full", "disk full"),
        ("none", "MAIL", "550 5.1.8 unknown sender", "unknown sender"),
        (
            "starttls",
            "STARTTLS",
            "454 4.7.0 TLS is not available",
            "TLS is not available",
        ),
    ];
    for (tls, verb, line, words) in refusals {
        let server = MailServer::start().await;
        server.offer("STARTTLS");
        server.answer(verb, line);
        let it = Running::with(Flavour::Sqlite, &mailed(server.port(), tls, true)).await;
        it.dead_updates(1).await;
        it.look_at_alerts().await;
        let refused = newest(&it).await.remove(0);
        let why = refused.answer.unwrap();
        assert!(why.contains(words), "{verb}: {why}");
        assert!(!why.contains("fictional"), "{why}");
        assert!(refused.sent_at.is_none() && refused.given_up_at.is_none());
        assert_eq!(server.taken().len(), 0, "{verb}");
        if tls == "none" {
            server.mend();
            it.advance(Duration::from_mins(2));
            it.look_at_alerts().await;
            assert_eq!(server.taken().len(), 1, "{verb}");
        }
    }
}

#[tokio::test]
async fn nothing_is_sent_in_the_clear_where_tls_is_wanted() {
    for tls in ["starttls", "tls"] {
        let server = MailServer::start().await;
        let it = Running::with(Flavour::Sqlite, &mailed(server.port(), tls, true)).await;
        it.dead_updates(1).await;
        it.look_at_alerts().await;
        let refused = newest(&it).await.remove(0);
        assert!(refused.sent_at.is_none(), "{tls}");
        assert!(refused.answer.is_some(), "{tls}");
        assert_eq!(server.taken().len(), 0, "{tls}");
    }
}

#[tokio::test]
async fn old_messages_go() {
    let (it, _receiver) = alerted(Flavour::Sqlite, "").await;
    it.dead_updates(1).await;
    it.look_at_alerts().await;
    assert_eq!(newest(&it).await.len(), 1);
    it.advance(Duration::from_hours(24 * 91));
    it.look_at_alerts().await;
    let left = newest(&it).await;
    assert!(
        left.iter()
            .all(|it| it.told != "fired" || it.alert != "dead_jobs")
    );
}
