//! What the client sends, and what it makes of connections that fail.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use servicenow_client::{
    Auth, Client, ClientOptions, ConfigError, ConnectKind, Error, Fields, MaybeKind, ReadOptions,
    WriteOptions,
};

use crate::responder::{Act, Responder, basic, json, json_with};

const RECORD: &str = r#"{"result":{"sys_id":"abc"}}"#;
const ROOT: &[u8] = include_bytes!("example-root.pem");

async fn get(client: &Client) -> Result<(), Error> {
    let options = ReadOptions::default();
    client
        .table("incident")
        .get("abc", &options)
        .await
        .map(drop)
}

async fn post(client: &Client) -> Result<(), Error> {
    let fields = Fields::new().with("short_description", "x");
    let options = WriteOptions::default();
    client
        .table("incident")
        .create(&fields, &options)
        .await
        .map(drop)
}

/// An address at which nobody listens.
fn closed_port() -> url::Url {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    format!("http://{address}").parse().expect("a URL")
}

#[tokio::test]
async fn a_refused_connection_was_never_sent() {
    let client = Client::new(ClientOptions::new(closed_port(), basic())).expect("a client");
    let error = post(&client).await.expect_err("an error");
    assert!(
        matches!(
            error,
            Error::Connect {
                kind: ConnectKind::Refused,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.is_definitely_not_executed());
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn an_unknown_host_was_never_sent() {
    let url = "http://no-such-instance.localhost.invalid"
        .parse()
        .expect("a URL");
    let refused = Client::new(ClientOptions::new(url, basic())).expect_err("an error");
    assert!(matches!(refused, ConfigError::InsecureHttp { .. }));
    // A label of more than 63 bytes is no host name anywhere, so that no network is needed to find out.
    let host = format!("https://{}.invalid", "a".repeat(70));
    let options = ClientOptions {
        extra_root_certificates: vec![ROOT.to_vec()],
        ..ClientOptions::new(host.parse().expect("a URL"), basic())
    };
    let error = post(&Client::new(options).expect("a client"))
        .await
        .expect_err("an error");
    assert!(
        matches!(
            error,
            Error::Connect {
                kind: ConnectKind::Dns,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.is_definitely_not_executed());
}

#[tokio::test]
async fn a_failed_handshake_was_never_sent() {
    let responder = Responder::start(|_| Act::Close);
    let options = ClientOptions {
        base_url: responder.url("https"),
        extra_root_certificates: vec![ROOT.to_vec()],
        ..responder.options(basic())
    };
    let error = post(&Client::new(options).expect("a client"))
        .await
        .expect_err("an error");
    assert!(
        matches!(
            error,
            Error::Connect {
                kind: ConnectKind::Tls,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.is_definitely_not_executed());
}

#[tokio::test]
async fn extra_roots_must_be_readable() {
    for bad in [
        &b"not a certificate"[..],
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let options = ClientOptions {
            extra_root_certificates: vec![bad.to_vec()],
            ..ClientOptions::new(
                "https://acme.service-now.com".parse().expect("a URL"),
                basic(),
            )
        };
        let error = Client::new(options).expect_err("an error");
        assert!(
            matches!(
                error,
                ConfigError::RootCertificate { .. } | ConfigError::Http { .. }
            ),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_lost_after_the_request_is_in_doubt_for_writes_only() {
    let responder = Responder::start(|_| Act::Close);
    let client = responder.client();
    let write = post(&client).await.expect_err("an error");
    assert!(
        matches!(
            write,
            Error::Maybe {
                kind: MaybeKind::ConnectionLost,
                ..
            }
        ),
        "{write:?}"
    );
    assert!(write.may_have_committed());
    let read = get(&client).await.expect_err("an error");
    assert_eq!(read.class_name(), "maybe");
    assert!(read.is_definitely_not_executed());
    assert_eq!(responder.seen().len(), 2, "the client must never retry");
}

#[tokio::test]
async fn a_connection_that_dies_after_use_is_in_doubt_too() {
    let responder = Responder::start(|seen| match seen.method.as_str() {
        "GET" => Act::Answer(json(200, RECORD)),
        _ => Act::Close,
    });
    let client = responder.client();
    get(&client).await.expect("a record");
    let error = post(&client).await.expect_err("an error");
    assert!(error.may_have_committed(), "{error:?}");
    assert_eq!(responder.seen().len(), 2, "the client must never retry");
    assert_eq!(
        responder.seen()[1].connection,
        0,
        "it was the kept connection"
    );
}

#[tokio::test]
async fn silence_is_a_timeout_in_doubt() {
    let responder = Responder::start(|_| Act::Silence);
    let client = responder.impatient_client();
    let error = post(&client).await.expect_err("an error");
    assert!(
        matches!(
            error,
            Error::Maybe {
                kind: MaybeKind::Timeout,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.may_have_committed());
    assert!(
        get(&client)
            .await
            .expect_err("an error")
            .is_definitely_not_executed()
    );
}

#[tokio::test]
async fn a_body_that_stops_coming_is_a_timeout_in_doubt() {
    let mut bytes = json(201, RECORD);
    bytes.truncate(bytes.len() - 5);
    let responder = Responder::start(move |_| Act::AnswerAndSilence(bytes.clone()));
    let error = post(&responder.impatient_client())
        .await
        .expect_err("an error");
    assert!(
        matches!(
            error,
            Error::Maybe {
                kind: MaybeKind::Timeout,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.status(), Some(201));
    assert!(error.may_have_committed());
}

#[tokio::test]
async fn no_cookie_is_ever_sent_back() {
    let headers = [
        ("Set-Cookie", "JSESSIONID=0123456789; Path=/; HttpOnly"),
        ("Set-Cookie", "glide_user_route=glide.abc; Path=/"),
    ];
    let responder = Responder::always(json_with(200, &headers, RECORD));
    let client = responder.client();
    for _ in 0..3 {
        get(&client).await.expect("a record");
    }
    let seen = responder.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|seen| seen.header("cookie").is_none()));
}

#[tokio::test]
async fn the_trace_context_of_the_task_goes_with_each_call() {
    let responder = Responder::always(json(200, RECORD));
    let context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let options = ClientOptions {
        trace_context: Some(Arc::new(|| Some(context.to_owned()))),
        ..responder.options(basic())
    };
    get(&Client::new(options).expect("a client"))
        .await
        .expect("a record");
    get(&responder.client()).await.expect("a record");
    let seen = responder.seen();
    assert_eq!(seen[0].header("traceparent"), Some(context));
    assert_eq!(
        seen[1].header("traceparent"),
        None,
        "only where it is asked for"
    );
}

#[tokio::test]
async fn connections_are_kept_and_shared_by_clones() {
    let responder = Responder::always(json(200, RECORD));
    let client = responder.client();
    for _ in 0..5 {
        get(&client.clone()).await.expect("a record");
    }
    assert!(responder.seen().iter().all(|seen| seen.connection == 0));
    join_all((0..4).map(|_| get(&client)))
        .await
        .into_iter()
        .for_each(|result| result.expect("a record"));
    let connections = responder.seen().iter().map(|seen| seen.connection).max();
    assert!(connections <= Some(4), "{connections:?}");
}

#[tokio::test]
async fn the_headers_are_those_of_the_contract() {
    let responder = Responder::always(json(200, RECORD));
    post(&responder.client()).await.expect("a record");
    let key = Auth::ApiKey {
        header: "x-sn-apikey".to_owned(),
        key: "key-1".into(),
    };
    let client = Client::new(responder.options(key)).expect("a client");
    get(&client).await.expect("a record");
    let seen = responder.seen();
    assert_eq!(seen[0].header("accept"), Some("application/json"));
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(
        seen[0].header("authorization"),
        Some("Basic YnJpZGdlOnBhc3Mtd29yZC0x")
    );
    assert_eq!(seen[1].header("x-sn-apikey"), Some("key-1"));
    assert_eq!(seen[1].header("authorization"), None);
    assert_eq!(seen[1].header("content-type"), None);
    assert!(
        seen[0]
            .header("user-agent")
            .is_some_and(|agent| agent.starts_with("servicenow-client/"))
    );
}

#[tokio::test]
async fn what_is_known_of_a_call_comes_with_its_value() {
    let headers = [
        ("X-RateLimit-Limit", "100"),
        ("X-RateLimit-Reset", "1795345200"),
        ("X-RateLimit-Rule", "0123456789abcdef0123456789abcdef"),
    ];
    let responder = Responder::always(json_with(200, &headers, RECORD));
    let options = ReadOptions::fields(["sys_id"]);
    let reply = responder
        .client()
        .table("incident")
        .get("abc", &options)
        .await
        .expect("a record");
    assert_eq!(reply.meta.method, "GET");
    assert_eq!(reply.meta.path, "/api/now/table/incident/abc");
    assert_eq!(reply.meta.status, 200);
    assert_eq!(reply.meta.transaction_id.as_deref(), Some("89f9d2509783"));
    assert_eq!(
        reply.meta.server_date.expect("a date").to_rfc3339(),
        "2026-11-22T10:00:00+00:00"
    );
    assert_eq!(reply.meta.rate.limit, Some(100));
    assert!(reply.meta.duration > Duration::ZERO);
}

#[test]
fn credentials_that_cannot_be_sent_are_refused() {
    let url = || "https://acme.service-now.com".parse().expect("a URL");
    let build = |auth| {
        Client::new(ClientOptions {
            extra_root_certificates: vec![ROOT.to_vec()],
            ..ClientOptions::new(url(), auth)
        })
    };
    let key = |header: &str, key: &str| Auth::ApiKey {
        header: header.to_owned(),
        key: key.into(),
    };
    assert!(matches!(
        build(key("x sn", "k")),
        Err(ConfigError::ApiKeyHeader { .. })
    ));
    assert!(matches!(
        build(key("x-sn-apikey", "k\n")),
        Err(ConfigError::CredentialCharacters { name: "key" })
    ));
    assert!(matches!(
        build(key("x-sn-apikey", " ")),
        Err(ConfigError::EmptyCredential { name: "key" })
    ));
    assert!(build(Auth::Anonymous).is_ok());
    let options = ClientOptions {
        request_timeout: Duration::ZERO,
        ..ClientOptions::new(url(), basic())
    };
    assert!(matches!(
        Client::new(options),
        Err(ConfigError::ZeroTimeout {
            name: "request_timeout"
        })
    ));
}
