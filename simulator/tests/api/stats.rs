//! Aggregates (wire contract 8).

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::Instance;

const PATH: &str = "/api/now/stats/incident";

async fn stats(instance: &Instance, query: &str) -> Value {
    let reply = instance.get(&format!("{PATH}?{query}")).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    reply.result()
}

fn groups(result: &Value) -> Vec<(String, String)> {
    let rows = result.as_array().unwrap().iter();
    rows.map(|row| {
        let value = row["groupby_fields"][0]["value"].as_str().unwrap();
        (
            value.to_owned(),
            row["stats"]["count"].as_str().unwrap().to_owned(),
        )
    })
    .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(value, count)| ((*value).to_owned(), (*count).to_owned()))
        .collect()
}

#[tokio::test]
async fn counts_agree_with_the_table() {
    let instance = Instance::start().await;
    let list = instance
        .list("incident", "active=true", &[("sysparm_limit", "1")])
        .await;
    let counted = stats(&instance, "sysparm_count=true&sysparm_query=active=true").await;
    assert_eq!(
        counted["stats"]["count"],
        list.header("x-total-count").unwrap()
    );
    let plain = stats(&instance, "sysparm_count=true&state=Closed").await;
    assert_eq!(plain, json!({"stats": {"count": "6"}}));
}

#[tokio::test]
async fn groups_have_values_labels_or_both() {
    let instance = Instance::start().await;
    let by_state = stats(&instance, "sysparm_count=true&sysparm_group_by=state").await;
    assert_eq!(
        groups(&by_state),
        pairs(&[
            ("1", "12"),
            ("2", "24"),
            ("3", "6"),
            ("6", "6"),
            ("7", "6"),
            ("8", "6")
        ])
    );
    let labels = stats(
        &instance,
        "sysparm_count=true&sysparm_group_by=state&sysparm_display_value=true",
    )
    .await;
    assert_eq!(
        labels[0]["groupby_fields"],
        json!([{"field": "state", "value": "New"}])
    );
    let both = stats(
        &instance,
        "sysparm_group_by=state,caller_id.user_name&sysparm_display_value=all",
    )
    .await;
    assert_eq!(
        both[0]["groupby_fields"][0],
        json!({"field": "state", "value": "1", "display_value": "New"})
    );
    assert_eq!(both[0]["groupby_fields"][1]["field"], "caller_id.user_name");
}

#[tokio::test]
async fn groups_are_filtered_and_ordered() {
    let instance = Instance::start().await;
    let ask = async |more: &str| {
        groups(
            &stats(
                &instance,
                &format!("sysparm_count=true&sysparm_group_by=state&{more}"),
            )
            .await,
        )
    };
    assert_eq!(
        ask("sysparm_having=count^state^>^6").await,
        pairs(&[("1", "12"), ("2", "24")])
    );
    assert_eq!(
        ask("sysparm_having=count^state^>^6,count^state^<^20").await,
        pairs(&[("1", "12")])
    );
    assert_eq!(
        ask("sysparm_order_by=COUNT^state^DESC&sysparm_having=count^state^>=^12").await,
        pairs(&[("2", "24"), ("1", "12")])
    );
    assert_eq!(ask("sysparm_order_by=state^DESC").await[0].0, "8");
}

#[tokio::test]
async fn measures_are_text() {
    let instance = Instance::start().await;
    for (id, count) in [("a", "1"), ("b", "2"), ("c", "4")] {
        let values = [
            ("correlation_id", "stats"),
            ("short_description", id),
            ("reassignment_count", count),
        ];
        instance.sim.insert(None, "incident", &values).unwrap();
    }
    let fields = ["avg", "min", "max", "sum"]
        .map(|name| format!("sysparm_{name}_fields=reassignment_count"));
    let measured = stats(
        &instance,
        &format!("sysparm_query=correlation_id=stats&{}", fields.join("&")),
    )
    .await;
    assert_eq!(
        measured["stats"],
        json!({"avg": {"reassignment_count": "2.3333"}, "min": {"reassignment_count": "1"}, "max": {"reassignment_count": "4"}, "sum": {"reassignment_count": "7"}})
    );
    let none = stats(&instance, "sysparm_query=correlation_id=nothing&sysparm_count=true&sysparm_avg_fields=reassignment_count").await;
    assert_eq!(
        none["stats"],
        json!({"count": "0", "avg": {"reassignment_count": ""}})
    );
}

#[tokio::test]
async fn wrong_calls_and_missing_rights() {
    let instance = Instance::start().await;
    assert_eq!(
        instance
            .get("/api/now/stats/no_table?sysparm_count=true")
            .await
            .error()
            .0,
        "Invalid table no_table"
    );
    assert_eq!(
        instance.get("/api/now/stats").await.status,
        StatusCode::BAD_REQUEST
    );
    let hidden = instance
        .get("/api/now/stats/sys_choice?sysparm_count=true&sysparm_group_by=element")
        .await;
    assert_eq!(hidden.status, StatusCode::FORBIDDEN);
    let least = ("least.privilege", "least-privilege-password");
    let request = instance.as_user(
        least,
        reqwest::Method::GET,
        "/api/now/stats/problem?sysparm_count=true",
    );
    assert_eq!(
        crate::client::send(request).await.result()["stats"]["count"],
        "0"
    );
}
