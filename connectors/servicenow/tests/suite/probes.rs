//! The steps with which a caller shows what is wrong with a connection.

use servicenow_client::{Client, OwnUser, UnknownField, WriteAccess};

use crate::responder::{Act, Responder, Seen, basic, html, json};

fn query(seen: &Seen) -> String {
    seen.param("sysparm_query").unwrap_or_default()
}

#[tokio::test]
async fn the_host_is_resolved_and_reached() {
    let responder = Responder::always(html(302, ""));
    let probe = responder.client().probe();
    let addresses = probe.dns().await.expect("addresses");
    assert!(addresses.iter().all(|address| address.ip().is_loopback()));
    let reached = probe.reach().await.expect("an answer");
    assert_eq!(reached.status, 302);
    let seen = &responder.seen()[0];
    assert_eq!(
        (seen.path.as_str(), seen.header("authorization")),
        ("/", None)
    );
}

#[tokio::test]
async fn a_host_that_cannot_be_resolved_is_named() {
    let url = format!("https://{}.invalid", "a".repeat(70))
        .parse()
        .expect("a URL");
    let options = servicenow_client::ClientOptions {
        extra_root_certificates: vec![include_bytes!("example-root.pem").to_vec()],
        ..servicenow_client::ClientOptions::new(url, basic())
    };
    let error = Client::new(options)
        .expect("a client")
        .probe()
        .dns()
        .await
        .expect_err("an error");
    assert_eq!(error.class_name(), "connect");
    assert!(error.to_string().contains("cannot be resolved"), "{error}");
}

#[tokio::test]
async fn the_own_account_is_shown() {
    let body =
        r#"{"result":[{"sys_id":"u1","user_name":"bridge","name":"Bridge","time_zone":"GMT"}]}"#;
    let responder = Responder::always(json(200, body));
    let own = responder
        .client()
        .probe()
        .own_user()
        .await
        .expect("an answer")
        .value;
    let expected = OwnUser {
        sys_id: "u1".to_owned(),
        user_name: "bridge".to_owned(),
        name: "Bridge".to_owned(),
        time_zone: "GMT".to_owned(),
    };
    assert_eq!(own, Some(expected));
    assert_eq!(
        query(&responder.seen()[0]),
        "user_name=javascript:gs.getUserName()"
    );

    let hidden = Responder::always(json(200, r#"{"result":[]}"#));
    assert_eq!(
        hidden
            .client()
            .probe()
            .own_user()
            .await
            .expect("an answer")
            .value,
        None
    );
    let everybody = Responder::always(json(200, r#"{"result":[{"sys_id":"a"},{"sys_id":"b"}]}"#));
    let error = everybody
        .client()
        .probe()
        .own_user()
        .await
        .expect_err("an error");
    assert_eq!(error.class_name(), "untrustworthy");
}

#[tokio::test]
async fn conditions_that_are_not_honoured_are_found_out() {
    let honest = Responder::always(json(200, r#"{"result":[]}"#));
    assert_eq!(
        honest
            .client()
            .probe()
            .control_query("incident")
            .await
            .expect("an answer")
            .value,
        0
    );
    let deaf = Responder::always(json(200, r#"{"result":[{"sys_id":"a"}]}"#));
    assert_eq!(
        deaf.client()
            .probe()
            .control_query("incident")
            .await
            .expect("an answer")
            .value,
        1
    );
}

#[tokio::test]
async fn the_way_with_unknown_columns_is_found_out() {
    let one = || json(200, r#"{"result":[{"sys_id":"a"}]}"#);
    let none = || json(200, r#"{"result":[]}"#);
    let forbidden = || {
        json(
            403,
            r#"{"error":{"message":"Insufficient rights to query records","detail":"Field(s) present in the query do not have permission to be read"},"status":"failure"}"#,
        )
    };
    for (plain, unknown, expected) in [
        (one(), one(), UnknownField::Dropped),
        (one(), none(), UnknownField::NoRows),
        (one(), forbidden(), UnknownField::Forbidden),
        (none(), none(), UnknownField::Unknown),
    ] {
        let responder = Responder::start(move |seen| {
            Act::Answer(if query(seen).is_empty() {
                plain.clone()
            } else {
                unknown.clone()
            })
        });
        let found = responder.client().probe().unknown_field("incident").await;
        assert_eq!(found.expect("an answer"), expected);
    }
}

#[tokio::test]
async fn the_zone_is_tried_on_a_row_of_the_table() {
    let responder = Responder::start(|seen| {
        let query = query(seen);
        let row = if query.is_empty() || query.contains(">=") {
            r#"{"result":[{"sys_id":"abc","sys_created_on":"2026-09-02 07:05:14"}]}"#
        } else {
            r#"{"result":[]}"#
        };
        Act::Answer(json(200, row))
    });
    let zone = responder
        .client()
        .probe()
        .zone("incident")
        .await
        .expect("an answer");
    assert!(zone.expect("a row").is_utc());
    let empty = Responder::always(json(200, r#"{"result":[]}"#));
    assert_eq!(
        empty
            .client()
            .probe()
            .zone("incident")
            .await
            .expect("an answer"),
        None
    );
}

#[tokio::test]
async fn the_right_to_write_is_tried_with_nothing_in_the_body() {
    let missing = r#"{"error":{"message":"No Record found","detail":"Record doesn't exist or ACL restricts the record retrieval"},"status":"failure"}"#;
    let refused = r#"{"error":{"message":"Operation Failed","detail":"ACL Exception Update Failed due to security constraints"},"status":"failure"}"#;
    let untold = Responder::always(json(404, missing));
    let found = untold.client().probe().table_write("incident").await;
    assert_eq!(found.expect("an answer"), WriteAccess::Untold);
    let seen = &untold.seen()[0];
    let path = "/api/now/table/incident/00000000000000000000000000000000";
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("PATCH", path));
    assert_eq!(seen.body, "{}");
    let closed = Responder::always(json(403, refused));
    let error = closed.client().probe().table_write("incident").await;
    assert_eq!(error.expect_err("a refusal").class_name(), "forbidden");
    let odd = Responder::always(json(200, r#"{"result":{"sys_id":"a"}}"#));
    let found = odd.client().probe().table_write("incident").await;
    assert_eq!(found.expect("an answer"), WriteAccess::Answered);
}
