//! Answers that others recorded, from the folder that `TICKETBRIDGE_FIXTURES` names. They are not part of this
//! project; where the variable is not set, the test says so and does nothing.

use std::path::{Path, PathBuf};

use serde_json::Value;
use servicenow_client::{
    Auth, Client, Error, Fields, ForbiddenKind, GarbageKind, HtmlKind, InvalidKind, ListRequest,
    Order, Query, ReadOptions, Record, WriteOptions,
};

use crate::responder::{Responder, answer};

/// One entry of `index.json` with its body.
struct Fixture {
    file: String,
    kind: String,
    status: Option<u16>,
    headers: Vec<(String, String)>,
    body: String,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this crate that reads the environment"
)]
fn folder() -> Option<PathBuf> {
    let folder = std::env::var("TICKETBRIDGE_FIXTURES").ok()?;
    Some(Path::new(&folder).join("servicenow"))
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn say_that_nothing_was_tested() {
    eprintln!("TICKETBRIDGE_FIXTURES is not set: no recorded answers were tested");
}

fn load(folder: &Path) -> Vec<Fixture> {
    let index = std::fs::read_to_string(folder.join("index.json")).expect("index.json");
    let index: Vec<Value> = serde_json::from_str(&index).expect("an index");
    index.iter().map(|entry| fixture(folder, entry)).collect()
}

fn fixture(folder: &Path, entry: &Value) -> Fixture {
    let text = |key: &str| entry[key].as_str().expect("a text").to_owned();
    let headers = entry["headers"].as_object();
    let headers = headers
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()));
    // Framing and compression belong to the recorded connection, not to ours.
    let framing = [
        "content-length",
        "transfer-encoding",
        "content-encoding",
        "connection",
        "keep-alive",
    ];
    Fixture {
        file: text("file"),
        kind: text("kind"),
        status: entry["status"]
            .as_u64()
            .map(|status| u16::try_from(status).expect("a status")),
        headers: headers
            .filter(|(name, _)| !framing.contains(&name.to_lowercase().as_str()))
            .collect(),
        body: std::fs::read_to_string(folder.join(text("file"))).expect("a body"),
    }
}

impl Fixture {
    /// The body as an instance would send it; bodies without a recorded type get the one of their kind.
    fn served(&self, status: u16, body: &str) -> Responder {
        let mut headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            headers.push((
                "Content-Type",
                if self.kind == "html" {
                    "text/html"
                } else {
                    "application/json;charset=UTF-8"
                },
            ));
        }
        Responder::always(answer(status, &headers, body))
    }

    fn as_recorded(&self) -> Responder {
        self.served(self.status.unwrap_or(200), &self.body)
    }

    fn result(&self) -> Value {
        serde_json::from_str::<Value>(&self.body).expect("JSON")["result"].clone()
    }
}

async fn read_one(responder: &Responder) -> Result<Record, Error> {
    let table = responder.client().table("incident");
    table
        .get("abc", &ReadOptions::default())
        .await
        .map(|reply| reply.value)
}

async fn read_list(responder: &Responder) -> Result<Vec<Record>, Error> {
    let request = ListRequest::new(Query::new(), Vec::<String>::new());
    let table = responder.client().table("incident");
    table.list(&request).await.map(|reply| reply.value.rows)
}

async fn write(responder: &Responder) -> Result<Record, Error> {
    let fields = Fields::new().with("short_description", "x");
    let table = responder.client().table("incident");
    table
        .create(&fields, &WriteOptions::default())
        .await
        .map(|reply| reply.value)
}

async fn count(responder: &Responder) -> Result<u64, Error> {
    let table = responder.client().table("incident");
    table.count(&Query::new()).await.map(|reply| reply.value)
}

fn garbage(error: &Error) -> Option<GarbageKind> {
    match error {
        Error::Garbage { kind, .. } => Some(*kind),
        _ => None,
    }
}

/// What a field of a row must read as, worked out from the JSON without the client.
fn expected(field: &Value, part: &str) -> Option<String> {
    let as_text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    match field {
        Value::Object(parts)
            if ["value", "display_value", "link"]
                .iter()
                .any(|key| parts.contains_key(*key)) =>
        {
            parts.get(part).and_then(as_text)
        }
        other if part == "value" => as_text(other),
        _ => None,
    }
}

fn assert_decoded(record: &Record, json: &Value, file: &str) {
    let fields = json.as_object().expect("an object");
    assert_eq!(record.len(), fields.len(), "{file}");
    for (name, field) in fields {
        let got = record.field(name).expect("a field");
        assert_eq!(got.value, expected(field, "value"), "{file}: {name}");
        assert_eq!(
            got.display_value,
            expected(field, "display_value"),
            "{file}: {name}"
        );
        assert_eq!(got.link, expected(field, "link"), "{file}: {name}");
    }
}

/// A success with `result`: every field of every row reads as it was written.
async fn decodes(fixture: &Fixture) {
    let file = &fixture.file;
    match fixture.result() {
        Value::Array(rows) => {
            let records = read_list(&fixture.as_recorded()).await.expect("rows");
            assert_eq!(records.len(), rows.len(), "{file}");
            assert!(!records.is_empty(), "{file}");
            for (record, row) in records.iter().zip(&rows) {
                assert_decoded(record, row, file);
            }
            assert_eq!(
                garbage(
                    &read_one(&fixture.as_recorded())
                        .await
                        .expect_err("a list is no record")
                ),
                Some(GarbageKind::WrongShape),
                "{file}"
            );
        }
        object => {
            let record = match fixture.status {
                Some(201) => write(&fixture.as_recorded()).await,
                _ => read_one(&fixture.as_recorded()).await,
            };
            assert_decoded(&record.expect("a record"), &object, file);
            assert_eq!(
                garbage(
                    &read_list(&fixture.as_recorded())
                        .await
                        .expect_err("a record is no list")
                ),
                Some(GarbageKind::WrongShape),
                "{file}"
            );
        }
    }
}

/// JSON of another API: never a record, and a write that is answered so is in doubt.
async fn is_no_table_answer(fixture: &Fixture) {
    for error in [
        read_one(&fixture.as_recorded())
            .await
            .expect_err("an error"),
        write(&fixture.as_recorded()).await.expect_err("an error"),
    ] {
        assert_eq!(
            garbage(&error),
            Some(GarbageKind::WrongShape),
            "{}",
            fixture.file
        );
    }
    assert!(
        write(&fixture.as_recorded())
            .await
            .expect_err("an error")
            .may_have_committed()
    );
}

async fn aggregate(fixture: &Fixture) {
    let counted = count(&fixture.as_recorded()).await;
    match fixture.result()["stats"]["count"].as_str() {
        Some(number) => assert_eq!(
            counted.expect("a count"),
            number.parse::<u64>().expect("a number")
        ),
        None => assert_eq!(
            garbage(&counted.expect_err("an error")),
            Some(GarbageKind::WrongShape)
        ),
    }
}

async fn order(fixture: &Fixture) {
    let order = Order {
        quantity: 1,
        requested_for: None,
        variables: Fields::new(),
    };
    let ordered = fixture
        .as_recorded()
        .client()
        .catalog()
        .order_now("item", &order)
        .await;
    let result = fixture.result();
    match (
        result["request_id"].as_str(),
        result["request_number"].as_str(),
    ) {
        (Some(id), Some(number)) => {
            let ordered = ordered.expect("an order").value;
            assert_eq!(
                (
                    ordered.request_sys_id.as_str(),
                    ordered.request_number.as_str()
                ),
                (id, number),
                "{}",
                fixture.file
            );
        }
        // Other answers of the cart do not name a request; the order behind them may be real.
        _ => assert!(
            ordered.expect_err("an error").may_have_committed(),
            "{}",
            fixture.file
        ),
    }
}

async fn item(fixture: &Fixture) {
    let error = fixture
        .as_recorded()
        .client()
        .catalog()
        .item("item")
        .await
        .expect_err("no item");
    assert_eq!(
        garbage(&error),
        Some(GarbageKind::WrongShape),
        "{}",
        fixture.file
    );
    decodes(fixture).await;
}

async fn error_json(fixture: &Fixture) {
    let file = fixture.file.as_str();
    let late = write(&fixture.served(200, &fixture.body))
        .await
        .expect_err("an error");
    assert_eq!(garbage(&late), Some(GarbageKind::ErrorIn200), "{file}");
    assert!(late.may_have_committed());
    // Where no status was recorded, the documentation gives 400.
    let status = fixture.status.unwrap_or(400);
    let error = read_one(&fixture.served(status, &fixture.body))
        .await
        .expect_err("an error");
    let name = file
        .trim_start_matches("error-json--")
        .trim_end_matches(".json");
    let fits = match &error {
        Error::Auth { .. } => name == "user-not-authenticated",
        Error::NotFound { .. } => name == "no-record-found",
        Error::Forbidden { kind, .. } => match kind {
            // This fake writes its own detail under the message of an API refusal.
            ForbiddenKind::Acl => matches!(name, "acl-delete-failed" | "user-not-authorized"),
            ForbiddenKind::Query => name == "insufficient-rights",
            _ => false,
        },
        Error::Invalid { kind, .. } => match kind {
            InvalidKind::Table => name == "sdkgo-statsinvalidtable",
            InvalidKind::Path => name == "no-such-resource",
            InvalidKind::Request => {
                name.starts_with("docs-error-") || name == "sdkgo-statsnoaggregateparams"
            }
            _ => false,
        },
        _ => false,
    };
    assert!(fits, "{file}: {error:?}");
    let message =
        serde_json::from_str::<Value>(&fixture.body).expect("JSON")["error"]["message"].clone();
    let shown = &error.failure().expect("a failure").message;
    assert_eq!(Some(shown.as_str()), message.as_str(), "{file}");
}

/// Headers that somebody recorded, with the body they came with: none.
async fn headers(fixture: &Fixture) {
    let recorded = |name: &str| {
        fixture
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    };
    let error = write(&fixture.served(fixture.status.expect("a status"), ""))
        .await
        .expect_err("no body");
    assert_eq!(
        garbage(&error),
        Some(GarbageKind::WrongShape),
        "{}",
        fixture.file
    );
    let failure = error.failure().expect("a failure");
    assert_eq!(
        failure.transaction_id.as_deref(),
        recorded("x-transaction-id"),
        "{}",
        fixture.file
    );
    let date = failure
        .server_date
        .expect("a date")
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    assert_eq!(Some(date.as_str()), recorded("date"), "{}", fixture.file);
    is_no_table_answer(fixture).await;
}

async fn html(fixture: &Fixture) {
    let error = write(&fixture.as_recorded()).await.expect_err("an error");
    match fixture.file.as_str() {
        "html--login-page.html" => {
            assert_eq!(garbage(&error), Some(GarbageKind::Html(HtmlKind::Login)));
        }
        "html--hibernating-2.html" => assert_eq!(
            garbage(&error),
            Some(GarbageKind::Html(HtmlKind::Hibernating))
        ),
        "html--bad-gateway.html" => assert_eq!(error.class_name(), "busy"),
        other => panic!("{other} is new: say what it must be"),
    }
}

fn token_client(responder: &Responder) -> Client {
    let auth = Auth::ClientCredentials {
        client_id: "client-1".to_owned(),
        client_secret: "client-secret-1".into(),
        scope: None,
    };
    Client::new(responder.options(auth)).expect("a client")
}

async fn oauth(fixture: &Fixture) {
    let responder = fixture.as_recorded();
    token_client(&responder)
        .probe()
        .token()
        .await
        .expect("a token");
    let body: Value = serde_json::from_str(&fixture.body).expect("JSON");
    // The token is sent with the next call, which this server answers with the token answer: no record.
    let client = token_client(&responder);
    let error = client
        .table("incident")
        .get("abc", &ReadOptions::default())
        .await
        .expect_err("no record");
    assert_eq!(
        garbage(&error),
        Some(GarbageKind::WrongShape),
        "{}",
        fixture.file
    );
    let sent = responder.seen().pop().expect("a call");
    let bearer = format!("Bearer {}", body["access_token"].as_str().expect("a token"));
    assert_eq!(
        sent.header("authorization"),
        Some(bearer.as_str()),
        "{}",
        fixture.file
    );
}

async fn oauth_error(fixture: &Fixture) {
    let error = token_client(&fixture.as_recorded())
        .probe()
        .token()
        .await
        .expect_err("no token");
    assert_eq!(error.class_name(), "auth", "{}", fixture.file);
}

async fn weird(fixture: &Fixture) {
    if serde_json::from_str::<Value>(&fixture.body).is_ok() {
        return decodes(fixture).await;
    }
    for error in [
        read_list(&fixture.as_recorded())
            .await
            .expect_err("an error"),
        write(&fixture.as_recorded()).await.expect_err("an error"),
    ] {
        assert_eq!(garbage(&error), Some(GarbageKind::Cut), "{}", fixture.file);
    }
}

async fn foreign_429(fixture: &Fixture) {
    let error = write(&fixture.as_recorded()).await.expect_err("an error");
    assert_eq!(error.class_name(), "rate_limited");
    assert_eq!(error.retry_after(), Some(std::time::Duration::from_secs(7)));
    assert!(error.is_definitely_not_executed());
}

#[tokio::test]
async fn every_recorded_answer_decodes_or_is_classified() {
    let Some(folder) = folder() else {
        return say_that_nothing_was_tested();
    };
    let fixtures = load(&folder);
    assert!(!fixtures.is_empty(), "the folder holds no answers");
    for fixture in &fixtures {
        let has_result = fixture.kind != "html"
            && serde_json::from_str::<Value>(&fixture.body)
                .is_ok_and(|body| body.get("result").is_some());
        match fixture.kind.as_str() {
            "aggregate" => aggregate(fixture).await,
            "catalog-items" => item(fixture).await,
            "catalog-order" => order(fixture).await,
            "error-json" => error_json(fixture).await,
            "headers" => headers(fixture).await,
            "html" => html(fixture).await,
            "oauth" => oauth(fixture).await,
            "oauth-error" => oauth_error(fixture).await,
            "weird" => weird(fixture).await,
            "xmatters-error" => foreign_429(fixture).await,
            "batch" | "xmatters-group" | "xmatters-list" | "xmatters-person" => {
                is_no_table_answer(fixture).await;
            }
            "attachment-meta" | "attachment-upload" | "catalog-cart" | "catalog-tree"
            | "importset" | "list-incident" | "record-change" | "record-incident"
            | "record-other" | "record-problem" | "record-sc_req_item" | "record-sc_request"
            | "record-sc_task" | "record-user" | "scorecard" => {
                if has_result {
                    decodes(fixture).await;
                } else {
                    is_no_table_answer(fixture).await;
                }
            }
            other => panic!("{other} is a new kind: say what it must be"),
        }
    }
}
