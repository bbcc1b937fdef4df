//! What becomes of the values a client sends.

use serde_json::json;

use crate::client::{ADMIN, Instance, send};

#[tokio::test]
async fn what_may_not_be_stored_is_dropped_without_a_word() {
    let instance = Instance::start().await;
    let body = json!({"short_description": "x".repeat(200), "no_such_field": "x", "sys_created_on": "2001-01-01 00:00:00", "sys_created_by": "somebody",
        "sys_mod_count": "40", "task_effective_number": "X", "opened_at": "yesterday", "calendar_stc": "many", "active": true, "impact": 2, "urgency": "2"});
    let row = instance.post("incident", body).await.result();
    assert_eq!(
        row["short_description"].as_str().unwrap().len(),
        160,
        "longer text is cut"
    );
    assert!(row.get("no_such_field").is_none());
    for (column, expected) in [
        ("sys_created_on", "2026-11-22 10:00:00"),
        ("sys_created_by", "ticketbridge.integration"),
        ("sys_mod_count", "0"),
        ("task_effective_number", "INC0010001"),
        ("opened_at", "2026-11-22 10:00:00"),
        ("calendar_stc", ""),
        ("active", "true"),
        ("impact", "2"),
        ("priority", "3"),
    ] {
        assert_eq!(row[column], expected, "{column}");
    }
}

#[tokio::test]
async fn priority_is_computed_and_cannot_be_written() {
    let instance = Instance::start().await;
    let row = instance
        .post(
            "incident",
            json!({"impact": "1", "urgency": "1", "priority": "5"}),
        )
        .await
        .result();
    assert_eq!(row["priority"], "1");
}

#[tokio::test]
async fn display_values_can_be_written_as_such() {
    let instance = Instance::start().await;
    let nina = instance
        .sim
        .row("sys_user", "user_name=nina.agent")
        .unwrap()["sys_id"]
        .clone();
    instance.sim.set_knobs(|knobs| {
        drop(
            knobs
                .user_time_zone
                .insert("ticketbridge.integration".into(), "US/Pacific".into()),
        );
    });
    let body = json!({"assigned_to": "Nina Agent", "category": "Hardware", "due_date": "2026-11-23 04:00:00"});
    let path = "/api/now/table/incident?sysparm_input_display_value=true&sysparm_exclude_reference_link=true";
    let row = send(instance.request(reqwest::Method::POST, path).json(&body))
        .await
        .result();
    assert_eq!(
        (&row["assigned_to"], &row["category"], &row["due_date"]),
        (
            &json!(nina),
            &json!("hardware"),
            &json!("2026-11-23 12:00:00")
        )
    );
    let raw = instance
        .post(
            "incident",
            json!({"category": "Hardware", "due_date": "2026-11-23 04:00:00"}),
        )
        .await
        .result();
    assert_eq!(
        (&raw["category"], &raw["due_date"]),
        (&json!("inquiry"), &json!("2026-11-23 04:00:00"))
    );
}

#[tokio::test]
async fn journals_append_and_read_back_only_as_display() {
    let instance = Instance::start().await;
    let id = instance
        .post("incident", json!({"comments": "first"}))
        .await
        .result()["sys_id"]
        .as_str()
        .unwrap()
        .to_owned();
    instance.sim.advance(std::time::Duration::from_mins(1));
    let echo = instance
        .patch("incident", &id, json!({"work_notes": "second"}))
        .await
        .result();
    assert_eq!(
        (&echo["work_notes"], &echo["sys_mod_count"]),
        (&json!(""), &json!("1"))
    );
    let again = instance
        .patch("incident", &id, json!({"work_notes": "second"}))
        .await
        .result();
    assert_eq!(again["sys_mod_count"], "2", "journals are not idempotent");
    let path = format!(
        "/api/now/table/incident/{id}?sysparm_display_value=true&sysparm_fields=comments,comments_and_work_notes"
    );
    let row = instance.get(&path).await.result();
    assert_eq!(
        row["comments"],
        "2026-11-22 10:00:00 - TicketBridge Integration (Additional comments)\nfirst\n\n"
    );
    let all = row["comments_and_work_notes"].as_str().unwrap();
    assert!(
        all.starts_with("2026-11-22 10:01:00 - TicketBridge Integration (Work notes)\nsecond\n\n"),
        "{all}"
    );
    assert_eq!(all.matches("(Work notes)").count(), 2);
    assert!(all.ends_with("(Additional comments)\nfirst\n\n"), "{all}");
}

#[tokio::test]
async fn changes_are_audited_value_by_value() {
    let instance = Instance::start().await;
    let id = instance
        .post("incident", json!({"short_description": "one"}))
        .await
        .result()["sys_id"]
        .as_str()
        .unwrap()
        .to_owned();
    instance
        .patch(
            "incident",
            &id,
            json!({"short_description": "two", "comments": "x"}),
        )
        .await;
    let audit = instance.sim.rows("sys_audit", &format!("documentkey={id}"));
    assert_eq!(audit.len(), 1);
    let values = ["tablename", "fieldname", "oldvalue", "newvalue", "user"]
        .map(|column| audit[0][column].as_str());
    assert_eq!(
        values,
        [
            "incident",
            "short_description",
            "one",
            "two",
            "ticketbridge.integration"
        ]
    );
}

#[tokio::test]
async fn tables_columns_and_choices_can_be_added_as_rows() {
    let instance = Instance::start().await;
    let post = |table: &str, body| {
        send(
            instance
                .as_user(
                    ADMIN,
                    reqwest::Method::POST,
                    &format!("/api/now/table/{table}"),
                )
                .json(&body),
        )
    };
    let task = instance.sim.row("sys_db_object", "name=task").unwrap()["sys_id"].clone();
    post(
        "sys_db_object",
        json!({"name": "u_access", "label": "Access", "super_class": task}),
    )
    .await;
    post("sys_dictionary", json!({"name": "u_access", "element": "u_level", "column_label": "Level", "internal_type": "choice"})).await;
    post(
        "sys_choice",
        json!({"name": "u_access", "element": "u_level", "value": "deep", "label": "Very deep"}),
    )
    .await;
    let row = instance
        .post(
            "u_access",
            json!({"u_level": "deep", "short_description": "own table"}),
        )
        .await
        .result();
    assert_eq!(
        (&row["u_level"], &row["sys_class_name"]),
        (&json!("deep"), &json!("u_access"))
    );
    let dropped = instance
        .post("u_access", json!({"u_level": "deeper"}))
        .await
        .result();
    assert_eq!(dropped["u_level"], "");
    let unique = instance
        .sim
        .row("sys_dictionary", "name=task^element=correlation_id")
        .unwrap()["sys_id"]
        .clone();
    instance
        .sim
        .update(None, "sys_dictionary", &unique, &[("unique", "true")])
        .unwrap();
    assert_eq!(
        instance
            .post("incident", json!({"correlation_id": "only"}))
            .await
            .status
            .as_u16(),
        201
    );
    assert_eq!(
        instance
            .post("incident", json!({"correlation_id": "only"}))
            .await
            .status
            .as_u16(),
        403
    );
}
