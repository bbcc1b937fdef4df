//! Tokens: one call for all, renewed early, replaced after a refusal, never hammered for (wire contract 10.3).

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use secrecy::ExposeSecret;
use servicenow_client::{
    Auth, AuthKind, Client, ClientOptions, Clock, CodeExchange, Error, Fields, GarbageKind,
    ReadOptions, TokenState, WriteOptions,
};

use crate::responder::{Act, Responder, answer, html, json};

const TOKEN_PATH: &str = "/oauth_token.do";
const RECORD: &str = r#"{"result":{"sys_id":"abc"}}"#;
const DENIED: &str = r#"{"error_description":"access_denied","error":"server_error"}"#;

/// A clock that moves only when it is told to.
#[derive(Clone, Default)]
struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let seconds = self.0.clone();
        let start = DateTime::<Utc>::UNIX_EPOCH + Duration::from_hours(24 * 20_000);
        Arc::new(move || start + chrono::Duration::seconds(seconds.load(Ordering::SeqCst)))
    }
}

fn token(name: &str, life: i64, refresh: Option<&str>) -> Vec<u8> {
    let mut body = serde_json::json!({
        "access_token": name, "scope": "useraccount", "token_type": "Bearer", "expires_in": life,
    });
    if let Some(refresh) = refresh {
        body["refresh_token"] = refresh.into();
    }
    json(200, &body.to_string())
}

fn machine() -> Auth {
    Auth::ClientCredentials {
        client_id: "client-1".to_owned(),
        client_secret: "client-secret-1".into(),
        scope: Some("useraccount".to_owned()),
    }
}

fn person() -> Auth {
    Auth::Password {
        client_id: "client-1".to_owned(),
        client_secret: "client-secret-1".into(),
        user: "bridge".to_owned(),
        password: "pass word&1".into(),
    }
}

fn client(responder: &Responder, auth: Auth, clock: &ManualClock) -> Client {
    Client::new(ClientOptions {
        now: clock.clock(),
        ..responder.options(auth)
    })
    .expect("a client")
}

async fn get(client: &Client) -> Result<(), Error> {
    let options = ReadOptions::default();
    client
        .table("incident")
        .get("abc", &options)
        .await
        .map(drop)
}

fn bearer(seen: &crate::responder::Seen) -> String {
    let header = seen.header("authorization").unwrap_or_default();
    header.trim_start_matches("Bearer ").to_owned()
}

/// Gives tokens `t0`, `t1`, … of this life, and answers everything else with a record.
fn numbered(life: i64) -> Responder {
    let count = AtomicUsize::new(0);
    Responder::start(move |seen| {
        Act::Answer(if seen.path == TOKEN_PATH {
            let number = count.fetch_add(1, Ordering::SeqCst);
            token(&format!("t{number}"), life, None)
        } else {
            json(200, RECORD)
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_callers_need_one_token_call() {
    let responder = numbered(1799);
    let client = client(&responder, machine(), &ManualClock::default());
    let results = join_all((0..100).map(|_| get(&client))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(responder.seen_on(TOKEN_PATH).len(), 1);
    assert_eq!(responder.seen().len(), 101);
}

#[tokio::test]
async fn the_token_call_is_a_form_with_nothing_in_the_url() {
    let responder = numbered(1799);
    let clock = ManualClock::default();
    get(&client(&responder, machine(), &clock))
        .await
        .expect("a record");
    get(&client(&responder, person(), &clock))
        .await
        .expect("a record");
    let seen = responder.seen_on(TOKEN_PATH);
    assert_eq!(seen[0].method, "POST");
    assert_eq!(seen[0].query, "");
    assert_eq!(
        seen[0].header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(seen[0].header("authorization"), None);
    let form = |index: usize, name| seen[index].form(name).unwrap_or_default();
    assert_eq!(form(0, "grant_type"), "client_credentials");
    assert_eq!(form(0, "client_id"), "client-1");
    assert_eq!(form(0, "client_secret"), "client-secret-1");
    assert_eq!(form(0, "scope"), "useraccount");
    assert_eq!(form(1, "grant_type"), "password");
    assert_eq!(form(1, "username"), "bridge");
    assert_eq!(form(1, "password"), "pass word&1");
}

#[tokio::test]
async fn a_token_is_renewed_sixty_seconds_before_it_dies() {
    let responder = numbered(1800);
    let clock = ManualClock::default();
    let client = client(&responder, machine(), &clock);
    get(&client).await.expect("a record");
    clock.advance(1739);
    get(&client).await.expect("a record");
    assert_eq!(responder.seen_on(TOKEN_PATH).len(), 1);
    clock.advance(1);
    get(&client).await.expect("a record");
    assert_eq!(responder.seen_on(TOKEN_PATH).len(), 2);
    let last = responder.seen().pop().expect("a call");
    assert_eq!(bearer(&last), "t1");
}

#[tokio::test]
async fn a_short_rest_of_life_is_used_up_and_not_asked_for_again() {
    // The endpoint gives the current token with what is left of it.
    let responder = numbered(30);
    let clock = ManualClock::default();
    let client = client(&responder, machine(), &clock);
    for _ in 0..5 {
        get(&client).await.expect("a record");
        clock.advance(5);
    }
    assert_eq!(responder.seen_on(TOKEN_PATH).len(), 1);
    clock.advance(5);
    get(&client).await.expect("a record");
    assert_eq!(responder.seen_on(TOKEN_PATH).len(), 2);
}

#[tokio::test]
async fn while_the_old_token_is_good_a_failed_renewal_harms_nobody() {
    let count = AtomicUsize::new(0);
    let responder = Responder::start(move |seen| {
        let is_first = seen.path == TOKEN_PATH && count.fetch_add(1, Ordering::SeqCst) == 0;
        Act::Answer(match (seen.path.as_str(), is_first) {
            (TOKEN_PATH, true) => token("t0", 1800, None),
            (TOKEN_PATH, false) => html(503, ""),
            _ => json(200, RECORD),
        })
    });
    let clock = ManualClock::default();
    let client = client(&responder, machine(), &clock);
    get(&client).await.expect("a record");
    clock.advance(1745);
    for _ in 0..10 {
        get(&client).await.expect("the old token still works");
    }
    assert_eq!(
        responder.seen_on(TOKEN_PATH).len(),
        2,
        "the failure is remembered"
    );
    clock.advance(60);
    let error = get(&client).await.expect_err("the old token is dead");
    assert_eq!(error.class_name(), "busy");
    assert!(error.is_definitely_not_executed());
}

/// Refuses the token `t0` and accepts all others.
fn refuses_the_first(second: &'static str) -> Responder {
    let count = AtomicUsize::new(0);
    Responder::start(move |seen| {
        Act::Answer(if seen.path == TOKEN_PATH {
            let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
            token(if is_first { "t0" } else { second }, 1799, None)
        } else if bearer(seen) == "t0" {
            json(
                401,
                r#"{"error":{"message":"User is not authenticated","detail":null},"status":"failure"}"#,
            )
        } else {
            json(201, RECORD)
        })
    })
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_call_sent_once_more() {
    let responder = refuses_the_first("t1");
    let client = client(&responder, machine(), &ManualClock::default());
    let fields = Fields::new().with("short_description", "x");
    let options = WriteOptions::default();
    let reply = client.table("incident").create(&fields, &options).await;
    assert_eq!(reply.expect("a record").value.sys_id(), Some("abc"));
    let posts = responder.seen_on("/api/now/table/incident");
    assert_eq!(posts.len(), 2);
    assert_eq!(posts[0].body, posts[1].body);
    assert_eq!(responder.seen_on(TOKEN_PATH).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_refusals_of_one_token_bring_one_renewal() {
    let responder = refuses_the_first("t1");
    let client = client(&responder, machine(), &ManualClock::default());
    let results = join_all((0..50).map(|_| get(&client))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(responder.seen_on(TOKEN_PATH).len(), 2);
}

#[tokio::test]
async fn the_same_token_again_is_not_tried_again() {
    let responder = refuses_the_first("t0");
    let clock = ManualClock::default();
    let client = client(&responder, machine(), &clock);
    for _ in 0..10 {
        let error = get(&client).await.expect_err("an error");
        assert!(matches!(
            error,
            Error::Auth {
                kind: AuthKind::Rejected,
                ..
            }
        ));
    }
    assert_eq!(responder.seen_on("/api/now/table/incident/abc").len(), 10);
    assert_eq!(
        responder.seen_on(TOKEN_PATH).len(),
        2,
        "refusals do not hammer the endpoint"
    );
    clock.advance(31);
    get(&client).await.expect_err("an error");
    assert_eq!(responder.seen_on(TOKEN_PATH).len(), 3);
}

#[tokio::test]
async fn basic_credentials_are_not_replayed() {
    let responder = Responder::always(json(401, "{}"));
    let error = get(&responder.client()).await.expect_err("an error");
    assert_eq!(error.class_name(), "auth");
    assert_eq!(responder.seen().len(), 1);
}

#[tokio::test]
async fn a_denied_token_is_remembered_and_waits_longer_each_time() {
    let responder = Responder::always(json(401, DENIED));
    let clock = ManualClock::default();
    let client = client(&responder, person(), &clock);
    let mut waits = Vec::new();
    for attempt in 1..=6 {
        let first = get(&client).await.expect_err("an error");
        assert!(
            matches!(
                first,
                Error::Auth {
                    kind: AuthKind::Token,
                    ..
                }
            ),
            "{first:?}"
        );
        let results = join_all((0..20).map(|_| get(&client))).await;
        let waited = results
            .into_iter()
            .map(|result| result.expect_err("an error").retry_after());
        let wait = waited.flatten().min().expect("a time to wait");
        assert_eq!(
            responder.seen_on(TOKEN_PATH).len(),
            attempt,
            "answered from memory"
        );
        assert_eq!(responder.seen().len(), attempt, "nothing else was sent");
        waits.push(wait.as_secs());
        clock.advance(i64::try_from(wait.as_secs()).expect("seconds"));
    }
    assert_eq!(waits, [30, 60, 120, 240, 300, 300]);
}

#[tokio::test]
async fn an_outage_of_the_token_endpoint_waits_shortly() {
    let responder = Responder::start(|_| Act::Close);
    let clock = ManualClock::default();
    let client = client(&responder, machine(), &clock);
    let error = get(&client).await.expect_err("an error");
    assert_eq!(error.class_name(), "maybe");
    assert!(
        error.is_definitely_not_executed(),
        "only the token call was sent"
    );
    let remembered = get(&client).await.expect_err("an error");
    assert_eq!(remembered.retry_after(), Some(Duration::from_secs(2)));
    assert_eq!(responder.seen().len(), 1);
    clock.advance(2);
    get(&client).await.expect_err("an error");
    assert_eq!(responder.seen().len(), 2);
}

#[tokio::test]
async fn a_failed_token_call_shows_no_secret() {
    let body = r#"{"error":"invalid_client","error_description":"client-secret-1 for client-1"}"#;
    let responder = Responder::always(json(401, body));
    let error = get(&client(&responder, machine(), &ManualClock::default()))
        .await
        .expect_err("an error");
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains("invalid_client") && !shown.contains("client-secret-1"),
        "{shown}"
    );
}

#[tokio::test]
async fn answers_that_hold_no_token_are_told_apart() {
    for (bytes, class) in [
        (json(400, r#"{"error":"unsupported_grant_type"}"#), "auth"),
        (json(403, "{}"), "auth"),
        (json(200, DENIED), "auth"),
        (
            html(200, "<title>Instance Hibernating page</title>"),
            "garbage",
        ),
        (answer(302, &[("Location", "/login.do")], ""), "garbage"),
        (json(200, "{"), "garbage"),
        (json(200, r#"{"access_token":""}"#), "garbage"),
        (
            json(200, r#"{"access_token":"x","token_type":"mac"}"#),
            "garbage",
        ),
        (html(404, ""), "invalid"),
        (html(429, ""), "busy"),
        (json(500, DENIED), "maybe"),
    ] {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let responder = Responder::always(bytes);
        let client = client(&responder, machine(), &ManualClock::default());
        let error = get(&client).await.expect_err("an error");
        assert_eq!(error.class_name(), class, "{text}");
        assert!(error.is_definitely_not_executed());
        assert_eq!(responder.seen().len(), 1);
    }
}

#[tokio::test]
async fn odd_but_usable_token_answers_are_used() {
    for body in [
        r#"{"access_token":"t","token_type":"bearer","expires_in":1730000000}"#,
        r#"{"access_token":"t","expires_in":"1799"}"#,
        r#"{"access_token":"t"}"#,
    ] {
        let responder = Responder::start(move |seen| {
            Act::Answer(json(
                200,
                if seen.path == TOKEN_PATH {
                    body
                } else {
                    RECORD
                },
            ))
        });
        let client = client(&responder, machine(), &ManualClock::default());
        for _ in 0..3 {
            get(&client).await.expect("a record");
        }
        assert_eq!(responder.seen_on(TOKEN_PATH).len(), 1, "{body}");
    }
}

/// Accepts only the current refresh token, which changes with each use; the password grant always works.
fn rotating() -> (Responder, Arc<Mutex<String>>) {
    let valid = Arc::new(Mutex::new(String::new()));
    let (known, count) = (valid.clone(), AtomicUsize::new(0));
    let responder = Responder::start(move |seen| {
        if seen.path != TOKEN_PATH {
            return Act::Answer(json(200, RECORD));
        }
        let mut valid = known.lock().expect("the token");
        let is_refresh = seen.form("grant_type").as_deref() == Some("refresh_token");
        if is_refresh && seen.form("refresh_token").as_deref() != Some(valid.as_str()) {
            return Act::Answer(json(401, DENIED));
        }
        let number = count.fetch_add(1, Ordering::SeqCst);
        *valid = format!("refresh-{number}");
        Act::Answer(token(&format!("t{number}"), 1800, Some(&valid)))
    });
    (responder, valid)
}

#[tokio::test]
async fn the_password_is_sent_once_and_the_refresh_token_afterwards() {
    let (responder, valid) = rotating();
    let clock = ManualClock::default();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let options = ClientOptions {
        now: clock.clock(),
        on_refresh_token: Some(Arc::new(move |fresh| {
            heard
                .lock()
                .expect("the list")
                .push(fresh.expose_secret().to_owned());
        })),
        ..responder.options(person())
    };
    let client = Client::new(options).expect("a client");
    for _ in 0..3 {
        get(&client).await.expect("a record");
        clock.advance(1800);
    }
    let grants = || {
        let seen = responder.seen_on(TOKEN_PATH);
        seen.iter()
            .filter_map(|seen| seen.form("grant_type"))
            .collect::<Vec<_>>()
    };
    assert_eq!(grants(), ["password", "refresh_token", "refresh_token"]);
    assert_eq!(
        *told.lock().expect("the list"),
        ["refresh-0", "refresh-1", "refresh-2"]
    );

    // A refresh token that is refused falls back to the password, once.
    "revoked".clone_into(&mut valid.lock().expect("the token"));
    get(&client).await.expect("a record");
    assert_eq!(grants()[3..], ["refresh_token", "password"]);
}

#[tokio::test]
async fn a_stored_refresh_token_is_used_and_its_successor_reported() {
    let (responder, valid) = rotating();
    "stored".clone_into(&mut valid.lock().expect("the token"));
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let clock = ManualClock::default();
    let options = ClientOptions {
        now: clock.clock(),
        on_refresh_token: Some(Arc::new(move |fresh| {
            heard
                .lock()
                .expect("the list")
                .push(fresh.expose_secret().to_owned());
        })),
        ..responder.options(Auth::RefreshToken {
            client_id: "client-1".to_owned(),
            client_secret: "client-secret-1".into(),
            refresh_token: "stored".into(),
        })
    };
    let client = Client::new(options).expect("a client");
    get(&client).await.expect("a record");
    assert_eq!(*told.lock().expect("the list"), ["refresh-0"]);
    let seen = responder.seen_on(TOKEN_PATH);
    assert_eq!(
        seen[0].form("client_secret").as_deref(),
        Some("client-secret-1")
    );

    "revoked".clone_into(&mut valid.lock().expect("the token"));
    clock.advance(1800);
    let error = get(&client).await.expect_err("an error");
    assert!(matches!(
        error,
        Error::Auth {
            kind: AuthKind::Token,
            ..
        }
    ));
    assert_eq!(
        responder.seen_on(TOKEN_PATH).len(),
        2,
        "there is nothing to fall back to"
    );
}

fn stored(
    responder: &Responder,
    clock: &ManualClock,
    stored: &Arc<Mutex<Vec<&'static str>>>,
) -> Client {
    let stored = stored.clone();
    let options = ClientOptions {
        now: clock.clock(),
        refresh_token_source: Some(Arc::new(move || {
            let mut stored = stored.lock().expect("the store");
            let now = *stored.first()?;
            if stored.len() > 1 {
                stored.remove(0);
            }
            Some(now.into())
        })),
        ..responder.options(Auth::RefreshToken {
            client_id: "client-1".to_owned(),
            client_secret: "client-secret-1".into(),
            refresh_token: "first".into(),
        })
    };
    Client::new(options).expect("a client")
}

#[tokio::test]
async fn the_loser_of_a_rotation_reads_again_before_it_gives_up() {
    let (responder, valid) = rotating();
    "second".clone_into(&mut valid.lock().expect("the token"));
    // The winner stores the successor between our look and our refusal.
    let looks = Arc::new(Mutex::new(vec!["first", "second"]));
    let client = stored(&responder, &ManualClock::default(), &looks);
    get(&client).await.expect("a record");
    let asked: Vec<_> = responder
        .seen_on(TOKEN_PATH)
        .iter()
        .filter_map(|seen| seen.form("refresh_token"))
        .collect();
    assert_eq!(asked, ["first", "second"]);
    let log_ins = client.take_log_ins();
    assert_eq!((log_ins.refused, log_ins.refused_at), (0, None));
}

#[tokio::test]
async fn a_token_that_could_not_be_stored_is_not_given_up_for_its_predecessor() {
    let (responder, valid) = rotating();
    "first".clone_into(&mut valid.lock().expect("the token"));
    let clock = ManualClock::default();
    let client = stored(&responder, &clock, &Arc::new(Mutex::new(vec!["first"])));
    for _ in 0..3 {
        get(&client).await.expect("a record");
        clock.advance(1800);
    }
    assert_eq!(responder.seen_on(TOKEN_PATH).len(), 3, "none was refused");
}

#[tokio::test]
async fn a_refused_token_is_told_and_a_new_one_is_taken_from_where_it_is_stored() {
    let (responder, valid) = rotating();
    "mended".clone_into(&mut valid.lock().expect("the token"));
    let clock = ManualClock::default();
    let store = Arc::new(Mutex::new(vec!["first"]));
    let client = stored(&responder, &clock, &store);
    let now = (clock.clock())();
    get(&client).await.expect_err("an error");
    assert_eq!(
        responder.seen_on(TOKEN_PATH).len(),
        1,
        "what is stored is no other"
    );
    let log_ins = client.take_log_ins();
    assert_eq!(
        (log_ins.refused, log_ins.refused_at, log_ins.worked_at),
        (1, Some(now), None)
    );
    *store.lock().expect("the store") = vec!["mended"];
    clock.advance(30);
    get(&client).await.expect("a record");
    let log_ins = client.take_log_ins();
    assert_eq!(
        (log_ins.refused, log_ins.worked_at),
        (0, Some(now + Duration::from_secs(30)))
    );
}

#[tokio::test]
async fn an_unchanged_refresh_token_is_not_reported_again() {
    let responder = Responder::start(|seen| {
        Act::Answer(if seen.path == TOKEN_PATH {
            token("t", 100, Some("always-the-same"))
        } else {
            json(200, RECORD)
        })
    });
    let clock = ManualClock::default();
    let told = Arc::new(AtomicUsize::new(0));
    let heard = told.clone();
    let options = ClientOptions {
        now: clock.clock(),
        on_refresh_token: Some(Arc::new(move |_| {
            heard.fetch_add(1, Ordering::SeqCst);
        })),
        ..responder.options(person())
    };
    let client = Client::new(options).expect("a client");
    for _ in 0..3 {
        get(&client).await.expect("a record");
        clock.advance(100);
    }
    assert_eq!(told.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_code_is_exchanged_for_tokens() {
    let responder = Responder::always(token("access-1", 1799, Some("refresh-1")));
    let client = client(&responder, Auth::Anonymous, &ManualClock::default());
    let exchange = CodeExchange {
        client_id: "client-1".to_owned(),
        client_secret: Some("client-secret-1".into()),
        code: "code-1".into(),
        redirect_uri: "https://bridge.example.com/callback".to_owned(),
        code_verifier: Some("verifier-1".into()),
    };
    let tokens = client.exchange_code(&exchange).await.expect("tokens");
    assert_eq!(tokens.access_token.expose_secret(), "access-1");
    assert_eq!(
        tokens.refresh_token.expect("a token").expose_secret(),
        "refresh-1"
    );
    assert_eq!(tokens.expires_in, Duration::from_secs(1799));
    let seen = &responder.seen()[0];
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("code", "code-1"),
        ("redirect_uri", "https://bridge.example.com/callback"),
        ("code_verifier", "verifier-1"),
        ("client_secret", "client-secret-1"),
    ] {
        assert_eq!(seen.form(name).as_deref(), Some(value));
    }
    assert_eq!(seen.query, "");
}

#[tokio::test]
async fn a_refused_code_shows_no_secret() {
    let responder = Responder::always(json(
        401,
        r#"{"error":"invalid_grant","error_description":"code-1 client-secret-1"}"#,
    ));
    let client = client(&responder, Auth::Anonymous, &ManualClock::default());
    let exchange = CodeExchange {
        client_id: "client-1".to_owned(),
        client_secret: Some("client-secret-1".into()),
        code: "code-1".into(),
        redirect_uri: "https://bridge.example.com/callback".to_owned(),
        code_verifier: None,
    };
    let error = client.exchange_code(&exchange).await.expect_err("an error");
    let shown = error.to_string();
    assert!(
        !shown.contains("code-1") && !shown.contains("client-secret-1"),
        "{shown}"
    );
}

#[tokio::test]
async fn the_state_of_the_token_can_be_shown() {
    let responder = numbered(1800);
    let clock = ManualClock::default();
    let now = (clock.clock())();
    let state = client(&responder, machine(), &clock)
        .probe()
        .token()
        .await
        .expect("a state");
    assert_eq!(
        state,
        TokenState::Valid {
            expires_at: now + Duration::from_mins(30)
        }
    );
    let state = responder.client().probe().token().await.expect("a state");
    assert_eq!(state, TokenState::NotUsed);
    let asleep = Responder::always(html(200, "hibernating"));
    let error = client(&asleep, machine(), &clock)
        .probe()
        .token()
        .await
        .expect_err("an error");
    assert!(matches!(
        error,
        Error::Garbage {
            kind: GarbageKind::Html(_),
            ..
        }
    ));
}
