//! Every body of wire contract 16.3 that the core answers. Texts are parsed, not compared as bytes.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulator::{
    AbortRule, AuthText, CallFilter, Canned, FieldAcl, Hibernate, QuotaForm, RateLimit, Semaphore,
};

use crate::client::{ADMIN, BRIDGE, Instance, Reply, send};

const INCIDENTS: &str = "/api/now/table/incident?sysparm_limit=4&sysparm_query=ORDERBYnumber&sysparm_fields=sys_id,number";

fn assert_error(reply: &Reply, status: u16, message: &str, detail: impl Into<Value>) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.text);
    assert_eq!(reply.error(), (message.to_owned(), detail.into()));
    assert_eq!(
        reply.header("content-type"),
        Some("application/json;charset=UTF-8")
    );
}

#[tokio::test]
async fn a1_without_credentials() {
    let instance = Instance::start().await;
    let reply = send(instance.bare(Method::GET, INCIDENTS)).await;
    assert_error(
        &reply,
        401,
        "User is not authenticated",
        "Required to provide Auth information",
    );
    assert_eq!(
        reply.header("www-authenticate"),
        Some("Basic realm=\"Service-now\"")
    );
    instance
        .sim
        .set_knobs(|knobs| knobs.auth_text = AuthText::Old);
    let old = send(instance.as_user((BRIDGE.0, "wrong"), Method::GET, INCIDENTS)).await;
    assert_error(
        &old,
        401,
        "User Not Authenticated",
        "Required to provide Auth information",
    );
}

#[tokio::test]
async fn a2_no_such_record_for_every_verb() {
    let instance = Instance::start().await;
    for method in [Method::GET, Method::PATCH, Method::PUT, Method::DELETE] {
        let reply = send(instance.request(method, "/api/now/table/incident/INC0000001")).await;
        assert_error(
            &reply,
            404,
            "No Record found",
            "Record doesn't exist or ACL restricts the record retrieval",
        );
    }
}

#[tokio::test]
async fn a3_no_such_table() {
    let instance = Instance::start().await;
    let reply = instance.get("/api/now/table/x_foo").await;
    assert_error(&reply, 400, "Invalid table x_foo", Value::Null);
}

#[tokio::test]
async fn a4_acl_refuses_insert_update_and_delete() {
    let instance = Instance::start().await;
    let insert = instance
        .post("sys_user", json!({"user_name": "eve.extra"}))
        .await;
    assert_error(
        &insert,
        403,
        "Operation Failed",
        "ACL Exception Insert Failed due to security constraints",
    );
    let user = instance
        .sim
        .row("sys_user", "user_name=fern.example")
        .unwrap()["sys_id"]
        .clone();
    let update = instance
        .patch("sys_user", &user, json!({"title": "Queen"}))
        .await;
    assert_error(
        &update,
        403,
        "Operation Failed",
        "ACL Exception Update Failed due to security constraints",
    );
    let delete =
        send(instance.request(Method::DELETE, &format!("/api/now/table/sys_user/{user}"))).await;
    assert_error(
        &delete,
        403,
        "Operation Failed",
        "ACL Exception Delete Failed due to security constraints",
    );
}

#[tokio::test]
async fn a5_data_policy_names_labels() {
    let instance = Instance::start().await;
    let id = instance.post("incident", json!({})).await.result()["sys_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let old_code =
        json!({"state": "6", "close_code": "Solved (Permanently)", "close_notes": "Done"});
    let reply = instance.patch("incident", &id, old_code).await;
    assert_error(
        &reply,
        403,
        "Operation Failed",
        "Data Policy Exception: The following fields are mandatory: Resolution code",
    );
    let both = instance.patch("incident", &id, json!({"state": "7"})).await;
    assert_error(
        &both,
        403,
        "Operation Failed",
        "Data Policy Exception: The following fields are mandatory: Resolution code, Resolution notes",
    );
}

#[tokio::test]
async fn a6_business_rules_abort_by_knob_and_by_script() {
    let instance = Instance::start().await;
    let rule = AbortRule {
        table: "incident".into(),
        name: "Block reopen".into(),
        condition: "short_descriptionLIKEblocked".into(),
    };
    instance
        .sim
        .set_knobs(|knobs| knobs.business_rule_abort.push(rule));
    let aborted = |table: &str, name: &str, reply: &Reply| {
        let (message, detail) = reply.error();
        assert_eq!(
            (reply.status, message.as_str()),
            (StatusCode::FORBIDDEN, "Operation Failed")
        );
        let detail = detail.as_str().unwrap().to_owned();
        assert!(
            detail.starts_with(&format!(
                "Operation against file '{table}' was aborted by Business Rule '{name}^"
            )),
            "{detail}"
        );
        assert!(
            detail.ends_with(&format!("'. Business Rule Stack:{name}")),
            "{detail}"
        );
    };
    let reply = instance
        .post("incident", json!({"short_description": "This is blocked"}))
        .await;
    aborted("incident", "Block reopen", &reply);
    assert_eq!(
        instance
            .post("incident", json!({"short_description": "This is not"}))
            .await
            .status,
        StatusCode::CREATED
    );

    let script = json!({"name": "No loops", "collection": "problem", "active": true, "when": "before", "action_insert": true,
        "abort_action": true, "filter_condition": "short_descriptionLIKEloop^EQ"});
    let made = send(
        instance
            .as_user(ADMIN, Method::POST, "/api/now/table/sys_script")
            .json(&script),
    )
    .await;
    assert_eq!(made.status, StatusCode::CREATED);
    let reply = instance
        .post("problem", json!({"short_description": "A loop"}))
        .await;
    aborted("problem", "No loops", &reply);
}

#[tokio::test]
async fn a7_query_on_an_unreadable_field() {
    let instance = Instance::start().await;
    let acl = FieldAcl {
        table: "incident".into(),
        field: "cause".into(),
        hidden: true,
        read_only: false,
        unless_role: None,
    };
    instance.sim.set_knobs(|knobs| knobs.field_acl.push(acl));
    for query in [
        "causeISNOTEMPTY",
        "active=true^ORDERBYcause",
        "parent_incident.causeLIKEx",
    ] {
        let reply = instance.list("incident", query, &[]).await;
        assert_error(
            &reply,
            403,
            "Insufficient rights to query records",
            "Field(s) present in the query do not have permission to be read",
        );
    }
    let choices = instance.list("sys_choice", "name=incident", &[]).await;
    assert_eq!(
        choices.status,
        StatusCode::FORBIDDEN,
        "sys_choice is closed to all but admins"
    );
}

#[tokio::test]
async fn a8_api_level_acl() {
    let instance = Instance::start().await;
    instance.sim.set_knobs(|knobs| knobs.api_acl_denied = true);
    let reply = instance.get(INCIDENTS).await;
    assert_error(
        &reply,
        403,
        "User Not Authorized",
        "Failed API level ACL Validation",
    );
}

#[tokio::test]
async fn a9_rate_limit_counts_by_user_and_clock_hour() {
    let instance = Instance::start().await;
    instance
        .sim
        .set_knobs(|knobs| knobs.rate_limit = Some(RateLimit { per_hour: 2 }));
    instance.sim.advance(Duration::from_secs(2068));
    let first = instance.get(INCIDENTS).await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(
        first.header("x-ratelimit-limit"),
        Some("2"),
        "also answers that pass carry the headers"
    );
    assert_eq!(instance.get(INCIDENTS).await.status, StatusCode::OK);
    let refused = instance.get(INCIDENTS).await;
    assert_error(
        &refused,
        429,
        "Rate limit exceeded",
        "Rate limit of 2 requests per hour for Table API exceeded",
    );
    assert_eq!(refused.header("retry-after"), Some("1532"));
    assert_eq!(refused.header("x-ratelimit-reset"), Some("1795345200"));
    assert_eq!(refused.header("x-ratelimit-rule").unwrap().len(), 32);
    assert_eq!(
        send(instance.as_user(ADMIN, Method::GET, INCIDENTS))
            .await
            .status,
        StatusCode::OK,
        "another user has a window of its own"
    );
    instance.sim.advance(Duration::from_secs(1532));
    assert_eq!(instance.get(INCIDENTS).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a10_a_full_semaphore_queue_answers_without_json() {
    let instance = Instance::start().await;
    instance.sim.set_knobs(|knobs| {
        knobs.semaphore = Some(Semaphore {
            permits: 1,
            queue: 1,
        });
        knobs.latency_ms = 1000;
    });
    let running = instance.get(INCIDENTS);
    let waiting = instance.get(INCIDENTS);
    let refused = async {
        while instance.sim.in_flight() != (1, 1) {
            tokio::task::yield_now().await;
        }
        let reply = instance.get(INCIDENTS).await;
        instance.sim.advance(Duration::from_secs(1));
        while instance.sim.in_flight() != (1, 0) {
            tokio::task::yield_now().await;
        }
        instance.sim.advance(Duration::from_secs(1));
        reply
    };
    let (running, waiting, refused) = tokio::join!(running, waiting, refused);
    assert_eq!(
        (running.status, waiting.status),
        (StatusCode::OK, StatusCode::OK)
    );
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        refused.header("content-type"),
        Some("text/html;charset=UTF-8")
    );
    assert_eq!(
        (refused.header("retry-after"), refused.text.as_str()),
        (None, "")
    );
}

/// A list that runs into its quota of 60 s.
async fn over_quota(form: QuotaForm) -> Reply {
    let instance = Instance::start().await;
    instance.sim.set_knobs(|knobs| {
        knobs.latency_ms = 61_000;
        knobs.quota_form = form;
    });
    let call = instance.get(INCIDENTS);
    let clock = async {
        while instance.sim.in_flight() != (1, 0) {
            tokio::task::yield_now().await;
        }
        instance.sim.advance(Duration::from_mins(1));
    };
    tokio::join!(call, clock).0
}

const CANCELLED: &str = "Transaction cancelled: maximum execution time exceeded";

#[tokio::test]
async fn a11_quota_before_the_body() {
    let reply = over_quota(QuotaForm::Before).await;
    let detail = format!(
        "{CANCELLED} Check logs for error trace or enable glide.rest.debug property to verify REST request processing"
    );
    assert_error(&reply, 500, CANCELLED, detail);
}

#[tokio::test]
async fn a12_quota_while_streaming_appends_an_error() {
    let reply = over_quota(QuotaForm::Appended).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(
        reply.result().as_array().unwrap().len(),
        2,
        "half of the four rows"
    );
    assert_eq!(reply.error().0, CANCELLED);
}

#[tokio::test]
async fn a13_quota_while_streaming_can_break_the_json() {
    let reply = over_quota(QuotaForm::Malformed).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(
        reply
            .text
            .contains(r#""number":"INC0000002"}"" ],"error":{"#),
        "{}",
        reply.text
    );
    assert!(serde_json::from_str::<Value>(&reply.text).is_err());
}

#[tokio::test]
async fn a14_too_many_calls_on_one_session_are_thrown_away() {
    let instance = Instance::start().await;
    let first = instance.get(INCIDENTS).await;
    let cookie = first
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    assert!(cookie.starts_with("JSESSIONID="));
    instance.sim.set_knobs(|knobs| {
        knobs.session_queue = Some(1);
        knobs.latency_ms = 1000;
    });
    let call = || {
        send(
            instance
                .request(Method::POST, "/api/now/table/incident")
                .header("Cookie", &cookie)
                .json(&json!({})),
        )
    };
    let answered = |status| {
        instance.sim.count(&CallFilter {
            status: Some(status),
            ..CallFilter::default()
        })
    };
    let until = async |condition: &dyn Fn() -> bool| {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    let rest = async {
        until(&|| instance.sim.in_flight() == (1, 0)).await;
        let clock = async {
            until(&|| answered(202) == 1).await;
            instance.sim.advance(Duration::from_secs(1));
            until(&|| answered(201) == 1 && instance.sim.in_flight() == (1, 0)).await;
            instance.sim.advance(Duration::from_secs(1));
        };
        tokio::join!(call(), call(), clock)
    };
    let (first, (second, third, ())) = tokio::join!(call(), rest);
    let mut replies = [first, second, third];
    replies.sort_by_key(|reply| reply.status);
    assert_eq!(
        replies.each_ref().map(|reply| reply.status.as_u16()),
        [201, 201, 202]
    );
    assert_eq!(
        (
            replies[2].text.as_str(),
            replies[2].header("content-length")
        ),
        ("", Some("0"))
    );
    assert_eq!(
        instance
            .sim
            .rows("incident", "numberSTARTSWITHINC001")
            .len(),
        2,
        "the dropped call made nothing"
    );
}

#[tokio::test]
async fn a15_a_sleeping_instance_answers_html_with_200_then_502() {
    let instance = Instance::start().await;
    instance.sim.set_knobs(|knobs| {
        knobs.hibernate = Some(Hibernate {
            html: 1,
            bad_gateway: 1,
        });
    });
    let asleep = instance.get(INCIDENTS).await;
    assert_eq!(
        (asleep.status, asleep.header("content-type")),
        (StatusCode::OK, Some("text/html;charset=UTF-8"))
    );
    assert!(
        asleep
            .text
            .contains("<title>Instance Hibernating page</title>")
    );
    assert_eq!(
        instance.get(INCIDENTS).await.status,
        StatusCode::BAD_GATEWAY
    );
    assert_eq!(
        instance
            .get(INCIDENTS)
            .await
            .result()
            .as_array()
            .unwrap()
            .len(),
        4,
        "awake again"
    );
}

#[tokio::test]
async fn a16_an_url_beyond_8192_bytes() {
    let instance = Instance::start().await;
    let path = "/api/now/table/incident?sysparm_limit=1&sysparm_query=";
    let fits = instance
        .get(&format!("{path}{}", "a".repeat(8192 - path.len())))
        .await;
    assert_eq!(fits.status, StatusCode::OK);
    let refused = instance
        .get(&format!("{path}{}", "a".repeat(8193 - path.len())))
        .await;
    assert_eq!(
        (refused.status, refused.header("content-type")),
        (StatusCode::URI_TOO_LONG, Some("text/html;charset=UTF-8"))
    );
}

#[tokio::test]
async fn a17_token_failures_look_alike() {
    let instance = Instance::start().await;
    for form in [
        [
            ("grant_type", "password"),
            ("client_id", "ticketbridge-demo"),
            ("client_secret", "wrong"),
            ("username", BRIDGE.0),
            ("password", BRIDGE.1),
        ],
        [
            ("grant_type", "password"),
            ("client_id", "ticketbridge-demo"),
            ("client_secret", "ticketbridge-demo-secret"),
            ("username", BRIDGE.0),
            ("password", "no"),
        ],
        [
            ("grant_type", "refresh_token"),
            ("client_id", "ticketbridge-demo"),
            ("client_secret", "ticketbridge-demo-secret"),
            ("refresh_token", "no"),
            ("x", ""),
        ],
    ] {
        let reply = send(instance.bare(Method::POST, "/oauth_token.do").form(&form)).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        assert_eq!(
            reply.json(),
            json!({"error_description": "access_denied", "error": "server_error"})
        );
    }
    let causes = instance.sim.rows("syslog", "source=OAuth");
    assert_eq!(
        causes.len(),
        3,
        "the true reasons are in the instance's log"
    );
}

#[tokio::test]
async fn a18_no_such_path() {
    let instance = Instance::start().await;
    for path in [
        "/api/now/nothing",
        "/api/x/table/incident",
        "/api/now/table/incident/a/b",
    ] {
        assert_error(
            &instance.get(path).await,
            400,
            "Requested URI does not represent any resource",
            Value::Null,
        );
    }
}

#[tokio::test]
async fn e5_the_database_refuses_duplicates() {
    let instance = Instance::start().await;
    let id = "AAAABBBBCCCCDDDDEEEEFFFF00001111";
    let first = instance.post("incident", json!({"sys_id": id})).await;
    assert_eq!(
        first.result()["sys_id"],
        id,
        "a chosen sys_id is honoured as it is"
    );
    let second = instance.post("incident", json!({"sys_id": id})).await;
    assert_error(
        &second,
        403,
        "Operation Failed",
        "Error during insert of incident (INC0010002)",
    );
    let taken = json!({"user_name": "fern.example"});
    let user = send(
        instance
            .as_user(ADMIN, Method::POST, "/api/now/table/sys_user")
            .json(&taken),
    )
    .await;
    assert_eq!(user.status, StatusCode::FORBIDDEN);
    assert!(
        user.error()
            .1
            .as_str()
            .unwrap()
            .starts_with("Error during insert of sys_user")
    );
}

#[tokio::test]
async fn e11_a_body_that_is_no_json() {
    let instance = Instance::start().await;
    let request = instance
        .request(Method::POST, "/api/now/table/incident")
        .header("Content-Type", "application/json");
    let reply = send(request.body("{\"short_description\": ")).await;
    assert_error(
        &reply,
        400,
        "Exception while reading request",
        "The payload is not valid JSON.",
    );
}

#[tokio::test]
async fn any_other_body_can_be_canned() {
    let instance = Instance::start().await;
    let canned = Canned {
        status: 503,
        content_type: Some("text/html".into()),
        headers: [("Retry-After".into(), "7".into())].into(),
        body: "<html>".into(),
    };
    instance.sim.set_knobs(|knobs| knobs.canned = Some(canned));
    let reply = instance.get(INCIDENTS).await;
    assert_eq!(
        (
            reply.status.as_u16(),
            reply.header("retry-after"),
            reply.text.as_str()
        ),
        (503, Some("7"), "<html>")
    );
}
