//! Every error class, on the byte forms of wire contract 16.3.

use std::time::Duration;

use servicenow_client::{
    AuthKind, Error, Fields, ForbiddenKind, GarbageKind, HtmlKind, InvalidKind, MaybeKind, Query,
    ReadOptions, WriteOptions,
};

use crate::responder::{Act, Responder, answer, html, json, json_with};

/// A POST to `incident` that is answered so.
async fn post(answer: Vec<u8>) -> Error {
    let responder = Responder::always(answer);
    let fields = Fields::new().with("short_description", "Access to the ledger");
    let result = responder
        .client()
        .table("incident")
        .create(&fields, &WriteOptions::default())
        .await;
    assert_eq!(responder.seen().len(), 1, "the client must never retry");
    result.expect_err("an error")
}

/// A GET of one incident that is answered so.
async fn get(answer: Vec<u8>) -> Error {
    let responder = Responder::always(answer);
    let result = responder
        .client()
        .table("incident")
        .get("abc", &ReadOptions::default())
        .await;
    assert_eq!(responder.seen().len(), 1, "the client must never retry");
    result.expect_err("an error")
}

fn error_body(message: &str, detail: &str) -> String {
    serde_json::json!({"error": {"message": message, "detail": detail}, "status": "failure"})
        .to_string()
}

#[tokio::test]
async fn a1_401_is_auth() {
    let body = error_body(
        "User is not authenticated",
        "Required to provide Auth information",
    );
    let headers = [("WWW-Authenticate", "Basic realm=\"Service-now\"")];
    let error = post(json_with(401, &headers, &body)).await;
    assert!(matches!(
        error,
        Error::Auth {
            kind: AuthKind::Rejected,
            ..
        }
    ));
    assert_eq!(error.class_name(), "auth");
    assert_eq!(error.status(), Some(401));
    assert_eq!(error.transaction_id(), Some("89f9d2509783"));
    assert!(error.is_definitely_not_executed());
}

#[tokio::test]
async fn a_missing_second_factor_is_told_apart() {
    let error = get(json_with(401, &[("X-MFA_TOKEN", "invalid")], "{}")).await;
    assert!(matches!(
        error,
        Error::Auth {
            kind: AuthKind::SecondFactor,
            ..
        }
    ));
}

#[tokio::test]
async fn a2_404_is_not_found() {
    let body = error_body(
        "No Record found",
        "Record doesn't exist or ACL restricts the record retrieval",
    );
    let error = get(json(404, &body)).await;
    assert!(matches!(error, Error::NotFound { .. }));
    assert!(error.is_definitely_not_executed());
}

#[tokio::test]
async fn a_404_that_says_nothing_about_the_record_is_never_not_found() {
    let page = get(html(404, "<html><title>Not Found</title></html>")).await;
    assert!(matches!(
        page,
        Error::Invalid {
            kind: InvalidKind::Path,
            ..
        }
    ));
    let body = r#"{"error":{"message":"Requested URI does not represent any resource","detail":null},"status":"failure"}"#;
    let path = get(json(404, body)).await;
    assert!(matches!(
        path,
        Error::Invalid {
            kind: InvalidKind::Path,
            ..
        }
    ));
}

#[tokio::test]
async fn a3_an_unknown_table_is_invalid() {
    let body = r#"{"error":{"message":"Invalid table incident","detail":null},"status":"failure"}"#;
    let error = get(json(400, body)).await;
    assert!(matches!(
        error,
        Error::Invalid {
            kind: InvalidKind::Table,
            ..
        }
    ));
    assert_eq!(error.failure().expect("a failure").detail, None);
}

#[tokio::test]
async fn a4_to_a8_each_403_has_its_kind() {
    for (message, detail, kind) in [
        (
            "Operation Failed",
            "ACL Exception Update Failed due to security constraints",
            ForbiddenKind::Acl,
        ),
        (
            "Operation Failed",
            "Data Policy Exception: The following fields are mandatory: Resolution code",
            ForbiddenKind::DataPolicy,
        ),
        (
            "Operation Failed",
            "Operation against file 'incident' was aborted by Business Rule 'Block reopen^0123456789abcdef0123456789abcdef'. Business Rule Stack:Block reopen",
            ForbiddenKind::BusinessRule,
        ),
        (
            "Insufficient rights to query records",
            "Field(s) present in the query do not have permission to be read",
            ForbiddenKind::Query,
        ),
        (
            "User Not Authorized",
            "Failed API level ACL Validation",
            ForbiddenKind::Api,
        ),
        (
            "Operation Failed",
            "Error during insert of incident (INC0010001)",
            ForbiddenKind::Other,
        ),
    ] {
        let error = post(json(403, &error_body(message, detail))).await;
        let Error::Forbidden { kind: got, .. } = &error else {
            panic!("{detail}: {error:?}");
        };
        assert_eq!(*got, kind, "{detail}");
        assert_eq!(error.is_one_retry_advised(), kind == ForbiddenKind::Api);
        assert!(error.is_definitely_not_executed());
    }
    let page = post(html(403, "<title>Forbidden</title>")).await;
    assert!(matches!(
        page,
        Error::Forbidden {
            kind: ForbiddenKind::Other,
            ..
        }
    ));
}

#[tokio::test]
async fn a9_a_rate_limit_rule_says_when_to_come_back() {
    let headers = [
        ("Retry-After", "1532"),
        ("X-RateLimit-Limit", "100"),
        ("X-RateLimit-Reset", "1795345200"),
        ("X-RateLimit-Rule", "0123456789abcdef0123456789abcdef"),
    ];
    let body = error_body(
        "Rate limit exceeded",
        "Rate limit of 100 requests per hour for Table API exceeded",
    );
    let error = post(json_with(429, &headers, &body)).await;
    let Error::RateLimited { retry_after, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*retry_after, Some(Duration::from_secs(1532)));
    assert_eq!(error.retry_after(), *retry_after);
    assert_eq!(error.failure().expect("a failure").rate.limit, Some(100));
    assert!(error.is_definitely_not_executed());
}

#[tokio::test]
async fn a_rate_limit_without_retry_after_waits_for_the_reset() {
    // 1795341690 is 10:01:30 of the server's clock in these answers.
    let error = get(json_with(429, &[("X-RateLimit-Reset", "1795341690")], "{}")).await;
    assert_eq!(error.class_name(), "rate_limited");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(90)));
}

#[tokio::test]
async fn retry_after_may_be_a_date_of_the_servers_clock() {
    let headers = [("Retry-After", "Sun, 22 Nov 2026 10:00:45 GMT")];
    let limited = get(json_with(429, &headers, "{}")).await;
    assert_eq!(limited.retry_after(), Some(Duration::from_secs(45)));
    let busy = get(json_with(503, &headers, "")).await;
    let Error::Busy { retry_after, .. } = busy else {
        panic!("{busy:?}");
    };
    assert_eq!(retry_after, Some(Duration::from_secs(45)));
}

#[tokio::test]
async fn a10_a_full_semaphore_is_busy() {
    for body in ["", "<html>too many</html>"] {
        let error = post(html(429, body)).await;
        assert!(matches!(
            error,
            Error::Busy {
                retry_after: None,
                ..
            }
        ));
        assert!(error.is_definitely_not_executed());
    }
}

#[tokio::test]
async fn a11_500_may_have_committed_a_write_but_never_a_read() {
    let message = "Transaction cancelled: maximum execution time exceeded";
    let body = error_body(message, &format!("{message} Check logs for error trace"));
    let write = post(json(500, &body)).await;
    assert!(matches!(
        write,
        Error::Maybe {
            kind: MaybeKind::ServerError,
            ..
        }
    ));
    assert!(write.may_have_committed() && !write.is_definitely_not_executed());
    let read = get(json(500, &body)).await;
    assert_eq!(read.class_name(), "maybe");
    assert!(!read.may_have_committed());
}

#[tokio::test]
async fn a12_an_error_inside_a_success_is_garbage() {
    let body = r#"{"result":{"sys_id":"abc"},"error":{"message":"Transaction cancelled: maximum execution time exceeded","detail":"x"},"status":"failure"}"#;
    for status in [200, 201] {
        let error = post(json(status, body)).await;
        assert!(matches!(
            error,
            Error::Garbage {
                kind: GarbageKind::ErrorIn200,
                ..
            }
        ));
        assert!(error.may_have_committed());
        assert!(error.to_string().contains("maximum execution time"));
    }
}

#[tokio::test]
async fn a13_malformed_and_cut_json_is_cut() {
    for body in [
        r#"{"result":[{"sys_id":"a","number":"INC0010001"}"" ],"error":{"message":"x","detail":"y"},"status":"failure"}"#,
        r#"{"result":{"sys_id":"a","num"#,
        "{'Response': 'Dummy'}",
    ] {
        let error = post(json(200, body)).await;
        assert!(
            matches!(
                error,
                Error::Garbage {
                    kind: GarbageKind::Cut,
                    ..
                }
            ),
            "{body}"
        );
        assert!(error.may_have_committed());
    }
}

#[tokio::test]
async fn a_connection_that_ends_inside_the_body_is_cut() {
    let mut bytes = json(200, r#"{"result":{"sys_id":"abc","number":"INC0010001"}}"#);
    bytes.truncate(bytes.len() - 10);
    let responder = Responder::start(move |_| Act::AnswerAndClose(bytes.clone()));
    let fields = Fields::new().with("state", "2");
    let error = responder
        .client()
        .table("incident")
        .update("abc", &fields, &WriteOptions::default())
        .await
        .expect_err("an error");
    assert!(matches!(
        error,
        Error::Garbage {
            kind: GarbageKind::Cut,
            ..
        }
    ));
    assert!(error.may_have_committed());
}

#[tokio::test]
async fn half_of_a_refusal_is_cut_and_says_nothing_of_the_configuration() {
    for status in [400, 403, 404] {
        let mut bytes = json(status, &error_body("No Record found", "It is not there"));
        bytes.truncate(bytes.len() - 30);
        let responder = Responder::start(move |_| Act::AnswerAndClose(bytes.clone()));
        let table = responder.client().table("incident");
        let error = table
            .get("abc", &ReadOptions::default())
            .await
            .expect_err("an error");
        let is_cut = matches!(
            error,
            Error::Garbage {
                kind: GarbageKind::Cut,
                ..
            }
        );
        assert!(is_cut, "{status}: {error:?}");
    }
}

#[tokio::test]
async fn a14_202_was_thrown_away() {
    let error = post(answer(202, &[], "")).await;
    assert!(matches!(
        error,
        Error::Garbage {
            kind: GarbageKind::Accepted202,
            ..
        }
    ));
    assert!(error.is_definitely_not_executed());
}

#[tokio::test]
async fn a15_pages_with_status_200_are_told_apart() {
    for (page, kind, in_doubt) in [
        (
            "<html><head><title>Instance Hibernating page</title></head><body>Your instance is hibernating. Sign in to wake it.</body></html>",
            HtmlKind::Hibernating,
            false,
        ),
        (
            "<html><form action=\"login.do\"></form></html>",
            HtmlKind::Login,
            false,
        ),
        (
            "<html>Your instance is currently offline</html>",
            HtmlKind::Offline,
            false,
        ),
        (
            "<html><title>Upgrade in progress</title></html>",
            HtmlKind::Other,
            true,
        ),
    ] {
        let error = post(html(200, page)).await;
        let Error::Garbage {
            kind: GarbageKind::Html(got),
            ..
        } = &error
        else {
            panic!("{page}: {error:?}");
        };
        assert_eq!(*got, kind);
        assert_eq!(error.may_have_committed(), in_doubt, "{page}");
    }
    let lying = post(json(200, "<html>login</html>")).await;
    assert!(matches!(
        lying,
        Error::Garbage {
            kind: GarbageKind::Html(HtmlKind::Login),
            ..
        }
    ));
}

#[tokio::test]
async fn a16_long_urls_and_bodies_are_too_long() {
    let error = get(html(414, "")).await;
    assert!(matches!(
        error,
        Error::Invalid {
            kind: InvalidKind::TooLong,
            ..
        }
    ));
    let old = get(json(400, &error_body("Request header is too large", ""))).await;
    assert!(matches!(
        old,
        Error::Invalid {
            kind: InvalidKind::TooLong,
            ..
        }
    ));
    let body = error_body(
        "Exception while reading request",
        "Rejected large REST payload with content-length = 15105102 bytes. Max allowed: 10485760 bytes.",
    );
    let large = post(json(400, &body)).await;
    assert!(matches!(
        large,
        Error::Invalid {
            kind: InvalidKind::TooLong,
            ..
        }
    ));
}

#[tokio::test]
async fn a18_an_unknown_path_is_invalid() {
    let body = r#"{"error":{"message":"Requested URI does not represent any resource","detail":null},"status":"failure"}"#;
    let error = get(json(400, body)).await;
    assert!(matches!(
        error,
        Error::Invalid {
            kind: InvalidKind::Path,
            ..
        }
    ));
}

#[tokio::test]
async fn refused_methods_and_media_types_are_invalid() {
    for status in [405, 406, 415] {
        let error = post(json(status, &error_body("Not supported", ""))).await;
        assert!(matches!(
            error,
            Error::Invalid {
                kind: InvalidKind::Protocol,
                ..
            }
        ));
    }
    let error = post(json(
        400,
        &error_body(
            "Exception while reading request",
            "The payload is not valid JSON.",
        ),
    ))
    .await;
    assert!(matches!(
        error,
        Error::Invalid {
            kind: InvalidKind::Request,
            ..
        }
    ));
}

#[tokio::test]
async fn gateways_are_busy_and_a_write_behind_them_is_in_doubt() {
    for status in [502, 503, 504] {
        let write = post(html(status, "<html><title>Bad Gateway</title></html>")).await;
        assert!(matches!(write, Error::Busy { .. }), "{status}");
        assert!(write.may_have_committed());
        assert!(write.to_string().contains("Bad Gateway"));
        let read = get(html(status, "")).await;
        assert!(read.is_definitely_not_executed());
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for (location, kind) in [
        ("/login.do", GarbageKind::Html(HtmlKind::Login)),
        (
            "https://sso.example.com/saml",
            GarbageKind::Html(HtmlKind::Login),
        ),
        ("/elsewhere", GarbageKind::Redirect),
    ] {
        let error = get(answer(302, &[("Location", location)], "")).await;
        let Error::Garbage { kind: got, .. } = error else {
            panic!("{location}: {error:?}");
        };
        assert_eq!(got, kind, "{location}");
    }
}

#[tokio::test]
async fn successes_of_another_shape_are_garbage() {
    for bytes in [
        json(200, r#"{"records":[]}"#),
        json(200, r#"{"result":null}"#),
        json(200, r#"{"result":"text"}"#),
        json(200, "[]"),
        json(201, ""),
        answer(200, &[("Content-Length", "0")], ""),
        answer(200, &[("Content-Type", "text/plain")], r#"{"result":{}}"#),
        json(206, r#"{"result":{}}"#),
    ] {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let error = post(bytes).await;
        assert!(
            matches!(
                error,
                Error::Garbage {
                    kind: GarbageKind::WrongShape,
                    ..
                }
            ),
            "{text}: {error:?}"
        );
        assert!(error.may_have_committed());
    }
}

#[tokio::test]
async fn unusual_statuses_are_in_doubt_or_invalid() {
    for status in [408, 499, 501, 520] {
        assert_eq!(
            post(answer(status, &[], "")).await.class_name(),
            "maybe",
            "{status}"
        );
    }
    for status in [400, 402, 409, 418, 422] {
        assert_eq!(
            post(answer(status, &[], "")).await.class_name(),
            "invalid",
            "{status}"
        );
    }
}

#[tokio::test]
async fn an_error_shows_no_secret_no_query_and_stays_short() {
    let long = "lorem ".repeat(500);
    let detail = format!(
        "pass-word-1 /api/now/table/incident?sysparm_query=email=ann@example.com\r\n{long}"
    );
    let error = get(json(500, &error_body("pass-word-1", &detail))).await;
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("pass-word-1") && !shown.contains("ann@example.com"),
        "{shown}"
    );
    let detail = error.failure().and_then(|failure| failure.detail.clone());
    assert!(detail.expect("a detail").chars().count() <= 301);
    assert!(!error.to_string().contains('\n'));
}

#[tokio::test]
async fn local_refusals_send_nothing() {
    let responder = Responder::always(json(200, "{}"));
    let client = responder.client();
    let incident = client.table("incident");
    let options = ReadOptions::default();
    for id in ["", "..", "a/b", "a?x=1"] {
        let error = incident.get(id, &options).await.expect_err("an error");
        assert_eq!(error.class_name(), "query");
        assert!(error.is_definitely_not_executed());
    }
    let table = client.table("incident/abc");
    assert_eq!(
        table
            .count(&Query::new())
            .await
            .expect_err("an error")
            .class_name(),
        "query"
    );
    let bad_field = Fields::new().with("short description", "x");
    let result = incident.create(&bad_field, &WriteOptions::default()).await;
    assert_eq!(result.expect_err("an error").class_name(), "query");
    let ids: Vec<String> = (0..300).map(|number| format!("{number:032x}")).collect();
    let long = Query::new().in_list("sys_id", &ids).expect("a query");
    let error = incident.count(&long).await.expect_err("an error");
    assert!(error.to_string().contains("ask for fewer"), "{error}");
    assert!(responder.seen().is_empty());
}

#[tokio::test]
async fn errors_tell_people_what_to_do() {
    let mut lines = Vec::new();
    for bytes in [
        json(
            401,
            &error_body(
                "User is not authenticated",
                "Required to provide Auth information",
            ),
        ),
        json(
            403,
            &error_body(
                "Operation Failed",
                "ACL Exception Insert Failed due to security constraints",
            ),
        ),
        json(
            403,
            &error_body("User Not Authorized", "Failed API level ACL Validation"),
        ),
        json(
            404,
            &error_body(
                "No Record found",
                "Record doesn't exist or ACL restricts the record retrieval",
            ),
        ),
        json(400, &error_body("Invalid table incident", "")),
        html(414, ""),
        json_with(
            429,
            &[("Retry-After", "60")],
            &error_body("Rate limit exceeded", ""),
        ),
        html(429, ""),
        html(502, "<title>Bad Gateway</title>"),
        json(500, &error_body("Transaction cancelled", "")),
        html(200, "<title>Instance Hibernating page</title>hibernating"),
        html(200, "login"),
        answer(202, &[], ""),
        json(200, "{\"result\":"),
        json(200, "{}"),
        answer(302, &[("Location", "/x")], ""),
    ] {
        lines.push(post(bytes).await.to_string());
    }
    insta::assert_snapshot!(lines.join("\n"));
}
