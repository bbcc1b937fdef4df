//! Each knob of wire contract 16.2 that is not about a body of 16.3 changes what it says it does.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use simulator::{
    AuthKind, BasicRestriction, DupSysId, FieldAcl, LiteralZone, QueryAcl, RowAcl, UnknownField,
};

use crate::client::{ADMIN, Instance, send};

const AGENT: (&str, &str) = ("nina.agent", "nina-agent-password");

fn rows(reply: &crate::client::Reply) -> usize {
    reply.result().as_array().unwrap().len()
}

#[tokio::test]
async fn unknown_field_drops_empties_or_forbids() {
    let instance = Instance::start().await;
    let all = rows(&instance.list("incident", "", &[]).await);
    let typo = "no_such_field=banana";
    assert_eq!(
        rows(&instance.list("incident", typo, &[]).await),
        all,
        "a typo returns the whole table"
    );
    instance
        .sim
        .set_knobs(|knobs| knobs.unknown_field = UnknownField::NoRows);
    assert_eq!(rows(&instance.list("incident", typo, &[]).await), 0);
    instance
        .sim
        .set_knobs(|knobs| knobs.unknown_field = UnknownField::Forbid);
    assert_eq!(
        instance.list("incident", typo, &[]).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn literal_zone_and_user_time_zone_decide_how_dates_are_read() {
    let instance = Instance::start().await;
    let created = instance.post("incident", json!({})).await.result();
    let (id, at) = (
        created["sys_id"].as_str().unwrap(),
        created["sys_created_on"].as_str().unwrap(),
    );
    assert_eq!(at, "2026-11-22 10:00:00");
    let query = format!("sys_id={id}^sys_created_on>={at}");
    assert_eq!(
        rows(&instance.list("incident", &query, &[]).await),
        1,
        "a user in GMT reads UTC"
    );
    let local = "2026-11-22 02:00:00";
    instance.sim.set_knobs(|knobs| {
        drop(
            knobs
                .user_time_zone
                .insert("ticketbridge.integration".into(), "US/Pacific".into()),
        );
    });
    assert_eq!(
        rows(&instance.list("incident", &query, &[]).await),
        0,
        "the same literal is eight hours later in US/Pacific"
    );
    let query_local = format!("sys_id={id}^sys_created_on={local}");
    assert_eq!(rows(&instance.list("incident", &query_local, &[]).await), 1);
    let generated =
        format!("sys_id={id}^sys_created_on=javascript:gs.dateGenerate('2026-11-22', '02:00:00')");
    assert_eq!(rows(&instance.list("incident", &generated, &[]).await), 1);
    instance
        .sim
        .set_knobs(|knobs| knobs.literal_zone = LiteralZone::Utc);
    assert_eq!(rows(&instance.list("incident", &query, &[]).await), 1);
}

#[tokio::test]
async fn system_time_zone_is_that_of_users_without_one() {
    let instance = Instance::start().await;
    instance
        .sim
        .set_knobs(|knobs| knobs.basic_restriction = BasicRestriction::Off);
    let fresh = ("fresh.interactive", "fresh-interactive-password");
    let id = instance.post("incident", json!({})).await.result()["sys_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!(
        "/api/now/table/incident/{id}?sysparm_display_value=true&sysparm_fields=sys_created_on"
    );
    let shown = send(instance.as_user(fresh, Method::GET, &path)).await;
    assert_eq!(shown.result()["sys_created_on"], "2026-11-22 02:00:00");
    instance
        .sim
        .set_knobs(|knobs| knobs.system_time_zone = "Asia/Tokyo".into());
    let shown = send(instance.as_user(fresh, Method::GET, &path)).await;
    assert_eq!(shown.result()["sys_created_on"], "2026-11-22 19:00:00");
}

#[tokio::test]
async fn row_acl_after_limit_makes_short_pages_under_a_full_total() {
    let instance = Instance::start().await;
    let hidden = RowAcl {
        table: "incident".into(),
        query: "numberENDSWITH1^ORnumberENDSWITH2".into(),
        unless_role: None,
    };
    instance.sim.set_knobs(|knobs| knobs.row_acl.push(hidden));
    let page = || instance.list("incident", "ORDERBYnumber", &[("sysparm_limit", "10")]);
    let short = page().await;
    assert_eq!(
        (rows(&short), short.header("x-total-count")),
        (8, Some("60"))
    );
    instance
        .sim
        .set_knobs(|knobs| knobs.row_acl_after_limit = false);
    let full = page().await;
    assert_eq!(
        (rows(&full), full.header("x-total-count")),
        (10, Some("48"))
    );
}

#[tokio::test]
async fn field_acl_hides_and_freezes_fields() {
    let instance = Instance::start().await;
    let rule = |field: &str, hidden, read_only| FieldAcl {
        table: "task".into(),
        field: field.into(),
        hidden,
        read_only,
        unless_role: None,
    };
    instance.sim.set_knobs(|knobs| {
        knobs.field_acl.extend([
            rule("description", true, false),
            rule("urgency", false, true),
        ]);
    });
    let made = instance
        .post(
            "incident",
            json!({"description": "secret", "urgency": "1", "impact": "1"}),
        )
        .await;
    assert_eq!(
        made.status,
        StatusCode::CREATED,
        "a dropped field is no error"
    );
    assert_eq!(made.result()["urgency"], "3");
    assert!(
        made.result().get("description").is_none(),
        "a hidden field is absent"
    );
    let id = made.result()["sys_id"].as_str().unwrap().to_owned();
    assert!(
        !instance
            .sim
            .row("incident", &format!("sys_id={id}"))
            .unwrap()
            .contains_key("description")
    );
    let before = made.result()["sys_mod_count"].clone();
    let frozen = instance
        .patch("incident", &id, json!({"urgency": "1"}))
        .await;
    assert_eq!(
        (frozen.status, &frozen.result()["sys_mod_count"]),
        (StatusCode::OK, &before)
    );
}

#[tokio::test]
async fn query_acl_drops_ranges_and_orders_or_forbids_them() {
    let instance = Instance::start().await;
    let acl = |forbid| QueryAcl {
        table: "incident".into(),
        field: "sys_updated_on".into(),
        forbid,
    };
    let query = "sys_updated_on>2031-01-01 00:00:00";
    assert_eq!(rows(&instance.list("incident", query, &[]).await), 0);
    instance
        .sim
        .set_knobs(|knobs| knobs.query_acl = vec![acl(false)]);
    assert_eq!(
        rows(&instance.list("incident", query, &[]).await),
        60,
        "the filter is lost without a word"
    );
    assert_eq!(
        rows(
            &instance
                .list("incident", "sys_updated_onISEMPTY", &[])
                .await
        ),
        0,
        "match operators still work"
    );
    instance
        .sim
        .set_knobs(|knobs| knobs.query_acl = vec![acl(true)]);
    assert_eq!(
        instance
            .list("incident", "ORDERBYsys_updated_on", &[])
            .await
            .status,
        StatusCode::FORBIDDEN
    );
    let admin = send(instance.as_user(
        ADMIN,
        Method::GET,
        "/api/now/table/incident?sysparm_query=ORDERBYsys_updated_on",
    ))
    .await;
    assert_eq!(admin.status, StatusCode::OK);
}

#[tokio::test]
async fn empty_list_status_differs_under_v1() {
    let instance = Instance::start().await;
    let status = async |path: &str| {
        instance
            .get(&format!("{path}?sysparm_query=number=none"))
            .await
            .status
    };
    assert_eq!(status("/api/now/table/incident").await, StatusCode::OK);
    assert_eq!(status("/api/now/v2/table/incident").await, StatusCode::OK);
    assert_eq!(
        status("/api/now/v1/table/incident").await,
        StatusCode::NOT_FOUND
    );
    instance
        .sim
        .set_knobs(|knobs| knobs.empty_list_status_v1 = 200);
    assert_eq!(status("/api/now/v1/table/incident").await, StatusCode::OK);
}

#[tokio::test]
async fn choice_strict_drops_values_that_are_not_on_the_list() {
    let instance = Instance::start().await;
    let body = || json!({"category": "teleportation", "short_description": "x"});
    let strict = instance.post("incident", body()).await.result();
    assert_eq!(
        (&strict["category"], &strict["short_description"]),
        (&json!("inquiry"), &json!("x"))
    );
    instance.sim.set_knobs(|knobs| knobs.choice_strict = false);
    assert_eq!(
        instance.post("incident", body()).await.result()["category"],
        "teleportation"
    );
}

#[tokio::test]
async fn data_policy_can_be_switched_off() {
    let instance = Instance::start().await;
    instance.sim.set_knobs(|knobs| knobs.data_policy = false);
    let id = instance.post("incident", json!({})).await.result()["sys_id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        instance
            .patch("incident", &id, json!({"state": "6"}))
            .await
            .result()["state"],
        "6"
    );
}

#[tokio::test]
async fn basic_restriction_stops_interactive_accounts_only() {
    let instance = Instance::start().await;
    let path = "/api/now/table/incident?sysparm_limit=1";
    let call = |user| send(instance.as_user(user, Method::GET, path));
    assert_eq!(call(AGENT).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        call(("admin", "simulator-admin-password")).await.status,
        StatusCode::UNAUTHORIZED,
        "admin is no exemption"
    );
    assert_eq!(
        call(ADMIN).await.status,
        StatusCode::OK,
        "web-service-only users pass"
    );
    let noted = instance.sim.rows(
        "syslog",
        "messageLIKESNCRestrictBasicAuthUserAuthenticationGate",
    );
    assert_eq!(noted.len(), 2);
    let role = instance
        .sim
        .row("sys_user_role", "name=snc_basic_auth_api_access")
        .unwrap()["sys_id"]
        .clone();
    let nina = instance
        .sim
        .row("sys_user", "user_name=nina.agent")
        .unwrap()["sys_id"]
        .clone();
    instance
        .sim
        .insert(
            None,
            "sys_user_has_role",
            &[("user", &nina), ("role", &role)],
        )
        .unwrap();
    assert_eq!(
        call(AGENT).await.status,
        StatusCode::OK,
        "so do holders of the role"
    );
    instance
        .sim
        .set_knobs(|knobs| knobs.basic_restriction = BasicRestriction::Track);
    assert_eq!(
        call(("admin", "simulator-admin-password")).await.status,
        StatusCode::OK
    );
    assert_eq!(
        instance.sim.rows("syslog", "messageLIKEwould deny").len(),
        1
    );
    instance
        .sim
        .set_knobs(|knobs| knobs.basic_restriction = BasicRestriction::Off);
    assert_eq!(
        call(("admin", "simulator-admin-password")).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn mfa_users_are_told_by_a_header() {
    let instance = Instance::start().await;
    instance
        .sim
        .set_knobs(|knobs| knobs.mfa_users = vec!["admin".into()]);
    let call = |password| {
        send(instance.as_user(
            ("admin", password),
            Method::GET,
            "/api/now/table/incident?sysparm_limit=1",
        ))
    };
    let missing = call("simulator-admin-password").await;
    assert_eq!(
        (missing.status, missing.header("x-mfa_token")),
        (StatusCode::UNAUTHORIZED, Some("invalid"))
    );
    let wrong = call("wrong").await;
    assert_eq!(
        (wrong.status, wrong.header("x-mfa_token")),
        (StatusCode::UNAUTHORIZED, None)
    );
    assert_eq!(
        call("simulator-admin-password123456").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn lockout_after_too_many_wrong_passwords() {
    let instance = Instance::start().await;
    instance.sim.set_knobs(|knobs| knobs.lockout_after = 2);
    let call = |password| {
        send(instance.as_user(
            (ADMIN.0, password),
            Method::GET,
            "/api/now/table/incident?sysparm_limit=1",
        ))
    };
    assert_eq!(call("wrong").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        call(ADMIN.1).await.status,
        StatusCode::OK,
        "a good log-in resets the count"
    );
    assert_eq!(call("wrong").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(call("wrong").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        call(ADMIN.1).await.status,
        StatusCode::UNAUTHORIZED,
        "locked out"
    );
    assert_eq!(
        instance
            .sim
            .row("sys_user", "user_name=rest.admin")
            .unwrap()["locked_out"],
        "true"
    );
}

#[tokio::test]
async fn access_policy_refuses_kinds_of_authentication() {
    let instance = Instance::start().await;
    instance
        .sim
        .set_knobs(|knobs| knobs.access_policy = vec![AuthKind::Bearer]);
    assert_eq!(
        instance
            .get("/api/now/table/incident?sysparm_limit=1")
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn visible_delay_hides_a_write_behind_its_stamp() {
    let instance = Instance::start().await;
    instance
        .sim
        .set_knobs(|knobs| knobs.visible_delay_ms = 1500);
    let made = instance
        .post("incident", json!({"short_description": "slow"}))
        .await
        .result();
    let id = made["sys_id"].as_str().unwrap();
    let path = format!("/api/now/table/incident/{id}");
    assert_eq!(instance.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        rows(
            &instance
                .list("incident", "short_description=slow", &[])
                .await
        ),
        0
    );
    instance.sim.advance(Duration::from_millis(1500));
    assert_eq!(
        instance.get(&path).await.result()["sys_updated_on"],
        "2026-11-22 10:00:00",
        "the stamp is older than the row's appearance"
    );
    instance
        .patch("incident", id, json!({"short_description": "slower"}))
        .await;
    assert_eq!(
        instance.get(&path).await.result()["short_description"],
        "slow"
    );
    instance.sim.advance(Duration::from_millis(1500));
    assert_eq!(
        instance.get(&path).await.result()["short_description"],
        "slower"
    );
}

#[tokio::test]
async fn inherited_roles_follow_a_group_after_a_while() {
    let instance = Instance::start().await;
    let fern = instance
        .sim
        .row("sys_user", "user_name=fern.example")
        .unwrap()["sys_id"]
        .clone();
    let desk = instance
        .sim
        .row("sys_user_group", "name=Service Desk")
        .unwrap()["sys_id"]
        .clone();
    let roles = || {
        instance
            .sim
            .rows("sys_user_has_role", &format!("user={fern}"))
            .len()
    };
    assert_eq!(roles(), 0);
    let membership = instance
        .sim
        .insert(
            None,
            "sys_user_grmember",
            &[("user", &fern), ("group", &desk)],
        )
        .unwrap();
    instance.sim.advance(Duration::from_millis(499));
    assert_eq!(roles(), 0);
    instance.sim.advance(Duration::from_millis(1));
    assert!(roles() > 5, "itil and all it contains");
    assert_eq!(
        instance
            .sim
            .rows("sys_user_has_role", &format!("user={fern}^inherited=true"))
            .len(),
        roles()
    );
    let derived = instance
        .sim
        .rows("sys_user_has_role", &format!("user={fern}"));
    instance
        .sim
        .delete("sys_user_has_role", &derived[0]["sys_id"])
        .unwrap();
    instance.sim.advance(Duration::from_millis(500));
    assert_eq!(roles(), derived.len(), "a deleted inherited row comes back");
    instance
        .sim
        .delete("sys_user_grmember", &membership)
        .unwrap();
    instance.sim.advance(Duration::from_millis(500));
    assert_eq!(roles(), 0);
}

#[tokio::test]
async fn dup_sys_id_can_upsert_or_make_another() {
    let instance = Instance::start().await;
    let id = "0123456789abcdef0123456789abcdef";
    let post = |text| instance.post("incident", json!({"sys_id": id, "short_description": text}));
    assert_eq!(post("first").await.status, StatusCode::CREATED);
    instance
        .sim
        .set_knobs(|knobs| knobs.dup_sys_id = DupSysId::Upsert);
    let second = post("second").await;
    assert_eq!(
        (second.status, &second.result()["short_description"]),
        (StatusCode::OK, &json!("second"))
    );
    instance
        .sim
        .set_knobs(|knobs| knobs.dup_sys_id = DupSysId::NewId);
    let third = post("third").await;
    assert_eq!(third.status, StatusCode::CREATED);
    assert_ne!(third.result()["sys_id"], id);
    instance.sim.set_knobs(|knobs| knobs.client_sys_id = false);
    let other = instance
        .post(
            "incident",
            json!({"sys_id": "ffffffffffffffffffffffffffffffff"}),
        )
        .await;
    assert_ne!(other.result()["sys_id"], "ffffffffffffffffffffffffffffffff");
}

#[tokio::test]
async fn journal_hidden_empties_sys_journal_field_for_non_admins() {
    let instance = Instance::start().await;
    let id = instance
        .post("incident", json!({"comments": "hello"}))
        .await
        .result()["sys_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let query = format!("element_id={id}");
    assert_eq!(
        rows(&instance.list("sys_journal_field", &query, &[]).await),
        0
    );
    instance.sim.set_knobs(|knobs| knobs.journal_hidden = false);
    let entries = instance
        .list("sys_journal_field", &query, &[])
        .await
        .result();
    assert_eq!(
        (
            &entries[0]["value"],
            &entries[0]["element"],
            &entries[0]["name"]
        ),
        (&json!("hello"), &json!("comments"), &json!("incident"))
    );
    assert_eq!(entries[0]["sys_created_by"], "ticketbridge.integration");
}

#[tokio::test]
async fn clock_skew_moves_the_date_header_only() {
    let instance = Instance::start().await;
    let date = async || {
        instance
            .get("/api/now/table/incident?sysparm_limit=1")
            .await
            .header("date")
            .unwrap()
            .to_owned()
    };
    assert_eq!(date().await, "Sun, 22 Nov 2026 10:00:00 GMT");
    instance.sim.set_knobs(|knobs| knobs.clock_skew_s = -90);
    assert_eq!(date().await, "Sun, 22 Nov 2026 09:58:30 GMT");
    assert_eq!(
        instance.post("incident", json!({})).await.result()["sys_created_on"],
        "2026-11-22 10:00:00"
    );
}

#[tokio::test]
async fn mangle_text_gives_back_other_bytes_than_were_sent() {
    let instance = Instance::start().await;
    instance.sim.set_knobs(|knobs| knobs.mangle_text = true);
    let text = "one\ntwo \u{1f600}";
    let body = json!({"description": text, "comments": text});
    let row = instance.post("incident", body).await.result();
    assert_eq!(row["description"], "one\r\ntwo \u{fffd}");
    let id = row["sys_id"].as_str().unwrap();
    let entry = instance
        .sim
        .row("sys_journal_field", &format!("element_id={id}"))
        .unwrap();
    assert_eq!(entry["value"], "one\r\ntwo \u{fffd}");
}
