use reqwest::StatusCode;
use serde_json::json;

use crate::client::Instance;

#[tokio::test]
async fn an_incident_is_created_read_changed_and_listed() {
    let instance = Instance::start().await;
    let created = instance
        .post(
            "incident",
            json!({"short_description": "Access wanted", "urgency": "1"}),
        )
        .await;
    assert_eq!(created.status, StatusCode::CREATED);
    let row = created.result();
    assert_eq!(row["number"], "INC0010001");
    assert_eq!(row["sys_mod_count"], "0");
    assert_eq!(row["sys_created_by"], "ticketbridge.integration");
    let id = row["sys_id"].as_str().unwrap();
    assert!(
        created
            .header("location")
            .unwrap()
            .ends_with(&format!("/api/now/table/incident/{id}"))
    );

    let changed = instance.patch("incident", id, json!({"state": "2"})).await;
    assert_eq!(changed.result()["incident_state"], "2");
    assert_eq!(changed.result()["sys_mod_count"], "1");
    let again = instance.patch("incident", id, json!({"state": "2"})).await;
    assert_eq!(
        again.result()["sys_mod_count"],
        "1",
        "a change of nothing counts as none"
    );

    let list = instance
        .list(
            "incident",
            "number=INC0010001",
            &[("sysparm_fields", "number,state")],
        )
        .await;
    assert_eq!(
        list.text,
        r#"{"result":[{"number":"INC0010001","state":"2"}]}"#
    );
    assert_eq!(list.header("x-total-count"), Some("1"));
}
