//! The shapes of fields (wire contract 2.4), as snapshots.

use serde_json::json;

use crate::client::Instance;

const FIELDS: &str = "number,state,caller_id,assigned_to,caller_id.email,sys_created_on,active,sys_id,nonsense,comments,watch_list,sys_class_name,business_duration,sys_domain";

#[tokio::test]
async fn every_display_mode_has_its_shape() {
    let instance = Instance::start().await;
    let fern = instance
        .sim
        .row("sys_user", "user_name=fern.example")
        .unwrap()["sys_id"]
        .clone();
    let made = instance
        .post(
            "incident",
            json!({"sys_id": "0123456789abcdef0123456789abcdef", "caller_id": fern, "comments": "First words",
                "watch_list": format!("{fern},someone@example.org"), "business_duration": "1970-01-01 00:00:06", "due_date": ""}),
        )
        .await;
    assert_eq!(made.status.as_u16(), 201);
    let mut shown = Vec::new();
    for (display, exclude) in [
        ("false", "false"),
        ("false", "true"),
        ("true", "false"),
        ("true", "true"),
        ("all", "false"),
        ("all", "true"),
    ] {
        let query = format!(
            "sysparm_display_value={display}&sysparm_exclude_reference_link={exclude}&sysparm_fields={FIELDS}"
        );
        let reply = instance
            .get(&format!(
                "/api/now/table/incident/0123456789abcdef0123456789abcdef?{query}"
            ))
            .await;
        let body = serde_json::to_string_pretty(&reply.result()).unwrap();
        shown.push(format!(
            "display_value={display} exclude_reference_link={exclude}\n{body}\n\n"
        ));
    }
    let shown = shown
        .concat()
        .replace(&instance.sim.base_url(), "https://instance");
    insta::assert_snapshot!(shown);
}

#[tokio::test]
async fn fields_keep_the_order_asked_for() {
    let instance = Instance::start().await;
    let reply = instance
        .list(
            "incident",
            "number=INC0000001",
            &[("sysparm_fields", "state,number,category")],
        )
        .await;
    assert_eq!(
        reply.text,
        r#"{"result":[{"state":"2","number":"INC0000001","category":"network"}]}"#
    );
}

#[tokio::test]
async fn a_reference_to_a_named_row_links_by_query() {
    let instance = Instance::start().await;
    let admin = instance.as_user(
        crate::client::ADMIN,
        reqwest::Method::GET,
        "/api/now/table/sys_number?prefix=INC&sysparm_fields=category",
    );
    let row = crate::client::send(admin).await.result()[0].clone();
    let link = format!(
        "{}/api/now/table/sys_db_object?name=incident",
        instance.sim.base_url()
    );
    assert_eq!(
        row,
        json!({"category": {"link": link, "value": "incident"}})
    );
}

#[tokio::test]
async fn a_task_shows_base_columns_only_and_takes_only_those() {
    let instance = Instance::start().await;
    let id = instance.sim.row("incident", "number=INC0000001").unwrap()["sys_id"].clone();
    let row = instance
        .get(&format!("/api/now/table/task/{id}"))
        .await
        .result();
    assert_eq!(row["sys_class_name"], "incident");
    assert!(row.get("caller_id").is_none());
    let changed = instance
        .patch(
            "task",
            &id,
            json!({"short_description": "by task", "category": "hardware"}),
        )
        .await;
    assert_eq!(changed.result()["short_description"], "by task");
    assert_eq!(
        instance.sim.row("incident", "number=INC0000001").unwrap()["category"],
        "network"
    );
    let label = instance.get(&format!("/api/now/table/task/{id}?sysparm_display_value=true&sysparm_fields=state,sys_class_name")).await;
    assert_eq!(
        label.result(),
        json!({"state": "In Progress", "sys_class_name": "Incident"}),
        "a label of the row's own class"
    );
}

#[tokio::test]
async fn numbers_are_grouped_for_people() {
    let instance = Instance::start().await;
    instance
        .post(
            "incident",
            json!({"sys_id": "0123456789abcdef0123456789abcdef", "calendar_stc": 4_795_328}),
        )
        .await;
    let row = instance.get("/api/now/table/incident/0123456789abcdef0123456789abcdef?sysparm_display_value=all&sysparm_fields=calendar_stc").await;
    assert_eq!(
        row.result()["calendar_stc"],
        json!({"display_value": "4,795,328", "value": "4795328"})
    );
}
