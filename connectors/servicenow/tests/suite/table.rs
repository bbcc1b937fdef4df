//! The Table and Aggregate APIs.

use servicenow_client::{
    DifferenceKind, DisplayValue, Error, Fields, GarbageKind, ListRequest, Query, ReadOptions,
    WriteOptions,
};

use crate::responder::{Act, Responder, json, json_with};

#[tokio::test]
async fn a_record_is_read_by_its_id() {
    let body = r#"{"result":{"sys_id":"AbC","state":{"display_value":"In Progress","value":"2"}}}"#;
    let responder = Responder::always(json(200, body));
    let options = ReadOptions {
        display_value: DisplayValue::All,
        ..ReadOptions::fields(["sys_id", "state", "caller_id.email"])
    };
    let reply = responder
        .client()
        .table("incident")
        .get("AbC", &options)
        .await
        .expect("a record");
    assert_eq!(reply.value.get("state"), Some("2"));
    assert_eq!(reply.value.display("state"), Some("In Progress"));
    let seen = &responder.seen()[0];
    assert_eq!(seen.method, "GET");
    assert_eq!(seen.path, "/api/now/table/incident/AbC");
    assert_eq!(
        seen.query,
        "sysparm_fields=sys_id,state,caller_id.email&sysparm_display_value=all&sysparm_exclude_reference_link=true"
    );
}

#[tokio::test]
async fn a_create_sends_text_and_its_echo_is_compared() {
    let echo = r#"{"result":{"sys_id":"0f2a","short_description":"Access\r\nto the ledger","impact":"","urgency":"3","comments":""}}"#;
    let responder = Responder::always(json(201, echo));
    let fields = Fields::new()
        .with("sys_id", "0f2a")
        .with("short_description", "Access\nto the ledger")
        .with("impact", "9")
        .with("urgency", "2")
        .with("u_unknown", "x")
        .with("comments", "Please");
    let client = responder.client();
    let reply = client
        .table("incident")
        .create(&fields, &WriteOptions::echo_of(&fields))
        .await
        .expect("a record");
    let lost: Vec<_> = reply.value.differences(&fields);
    let kinds: Vec<_> = lost
        .iter()
        .map(|lost| (lost.field.as_str(), lost.kind()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("impact", DifferenceKind::Dropped),
            ("urgency", DifferenceKind::Changed),
            ("u_unknown", DifferenceKind::Absent),
        ]
    );
    let seen = &responder.seen()[0];
    assert_eq!(seen.method, "POST");
    assert_eq!(
        seen.body,
        r#"{"sys_id":"0f2a","short_description":"Access\nto the ledger","impact":"9","urgency":"2","u_unknown":"x","comments":"Please"}"#
    );
    assert!(
        seen.param("sysparm_fields")
            .expect("fields")
            .contains("short_description")
    );
}

#[tokio::test]
async fn an_update_is_a_patch() {
    let responder = Responder::always(json(200, r#"{"result":{"sys_id":"abc","state":"2"}}"#));
    let fields = Fields::new().with("state", "In Progress");
    let options = WriteOptions {
        input_display_value: true,
        ..WriteOptions::default()
    };
    responder
        .client()
        .table("incident")
        .update("abc", &fields, &options)
        .await
        .expect("a record");
    let seen = &responder.seen()[0];
    assert_eq!(seen.method, "PATCH");
    assert_eq!(seen.path, "/api/now/table/incident/abc");
    assert_eq!(
        seen.param("sysparm_input_display_value").as_deref(),
        Some("true")
    );
}

#[tokio::test]
async fn a_page_carries_the_total_of_the_server() {
    let body = r#"{"result":[{"sys_id":"a"},{"sys_id":"b"}]}"#;
    let responder = Responder::always(json_with(200, &[("X-Total-Count", "66127")], body));
    let query = Query::new()
        .eq("short_description", "a&b #1")
        .and_then(|query| query.order_by("sys_id"))
        .expect("a query");
    let request = ListRequest::new(query, ["sys_id"]).limit(2).offset(4);
    let page = responder
        .client()
        .table("incident")
        .list(&request)
        .await
        .expect("a page")
        .value;
    assert_eq!(page.total, Some(66127));
    assert_eq!(page.rows.len(), 2);
    let seen = &responder.seen()[0];
    let param = |name| seen.param(name).unwrap_or_default();
    assert_eq!(
        param("sysparm_query"),
        "short_description=a&b #1^ORDERBYsys_id"
    );
    assert_eq!(param("sysparm_limit"), "2");
    assert_eq!(param("sysparm_offset"), "4");
    assert_eq!(param("sysparm_suppress_pagination_header"), "true");
    assert!(seen.query.contains("%5EORDERBYsys_id") && seen.query.contains("a%26b%20%231"));
}

#[tokio::test]
async fn a_page_without_count_has_no_total() {
    let responder = Responder::always(json(200, r#"{"result":[]}"#));
    let request = ListRequest {
        no_count: true,
        ..ListRequest::new(Query::new(), ["sys_id"])
    };
    let page = responder
        .client()
        .table("incident")
        .list(&request)
        .await
        .expect("a page")
        .value;
    assert_eq!((page.rows.len(), page.total), (0, None));
    let seen = &responder.seen()[0];
    assert_eq!(seen.param("sysparm_no_count").as_deref(), Some("true"));
    assert_eq!(seen.param("sysparm_query"), None);
}

#[tokio::test]
async fn a_page_needs_a_limit() {
    let responder = Responder::always(json(200, r#"{"result":[]}"#));
    let request = ListRequest::new(Query::new(), ["sys_id"]).limit(0);
    let error = responder
        .client()
        .table("incident")
        .list(&request)
        .await
        .expect_err("an error");
    assert_eq!(error.class_name(), "query");
    assert!(responder.seen().is_empty());
}

#[tokio::test]
async fn rows_are_counted() {
    let responder = Responder::start(|seen| {
        let body = match seen.param("sysparm_query").as_deref() {
            Some("state=1") => r#"{"result":{"stats":{"count":"94"}}}"#,
            _ => r#"{"result":{"stats":{}}}"#,
        };
        Act::Answer(json(200, body))
    });
    let table = responder.client().table("incident");
    let query = Query::new().eq("state", "1").expect("a query");
    assert_eq!(table.count(&query).await.expect("a count").value, 94);
    let error = table.count(&Query::new()).await.expect_err("an error");
    assert!(matches!(
        error,
        Error::Garbage {
            kind: GarbageKind::WrongShape,
            ..
        }
    ));
    let seen = &responder.seen()[0];
    assert_eq!(seen.path, "/api/now/stats/incident");
    assert_eq!(seen.param("sysparm_count").as_deref(), Some("true"));
}
