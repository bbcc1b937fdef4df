//! Short addresses, scorecards, and the xMatters API beside the instance.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Instance, send};

#[tokio::test]
async fn a_short_address_stands_for_its_query() {
    let instance = Instance::start().await;
    let long = "incident_list.do?sysparm_query=number%3DINC0000001&sysparm_fields=number";
    let made = send(
        instance
            .request(Method::POST, "/api/now/tinyurl")
            .json(&json!({"url": long})),
    )
    .await;
    let short = made.result().as_str().unwrap().to_owned();
    let query = short.strip_prefix("incident_list.do?").unwrap();
    assert!(query.starts_with("sysparm_tiny="));
    let list = instance
        .get(&format!("/api/now/table/incident?{query}"))
        .await;
    assert_eq!(list.result(), json!([{"number": "INC0000001"}]));
    let unknown = instance
        .get("/api/now/table/incident?sysparm_tiny=ffff")
        .await;
    assert_eq!(
        unknown.header("x-total-count"),
        Some("60"),
        "an unknown token is no filter"
    );
    assert_eq!(
        instance.get("/api/now/tinyurl").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn scorecards_count_real_rows() {
    let instance = Instance::start().await;
    let cards = async |query: &str| -> Value {
        instance
            .get(&format!("/api/now/pa/scorecards?{query}"))
            .await
            .result()
    };
    let open = instance.sim.rows("incident", "active=true").len();
    let found =
        cards("sysparm_contains=open,incidents&sysparm_include_scores=true&sysparm_limit=2").await;
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(
        found[0]["value"].as_f64(),
        Some(f64::from(u32::try_from(open).unwrap()))
    );
    assert_eq!(found[0]["scores"].as_array().unwrap().len(), 2);
    let names = async |query: &str| -> Vec<String> {
        let cards = cards(query).await;
        cards
            .as_array()
            .unwrap()
            .iter()
            .map(|card| card["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names("sysparm_sortby=name&sysparm_sortdir=asc").await,
        [
            "Number of critical incidents",
            "Number of open incidents",
            "Number of open requested items"
        ]
    );
    assert_eq!(names("sysparm_display=all&sysparm_per_page=1&sysparm_page=2&sysparm_sortby=name&sysparm_sortdir=asc").await, ["Number of open incidents"]);
    assert_eq!(
        names("sysparm_key=true").await,
        ["Number of open incidents"]
    );
    let fresh = cards("sysparm_contains=critical").await;
    assert_eq!(
        (&fresh[0]["value"], &fresh[0]["value_formatted"]),
        (&Value::Null, &json!(""))
    );
    let uuid = found[0]["uuid"].as_str().unwrap();
    assert_eq!(
        names(&format!("sysparm_uuid={uuid}:breakdown:element")).await,
        ["Number of open incidents"]
    );
    let least = ("least.privilege", "least-privilege-password");
    let denied = send(instance.as_user(least, Method::GET, "/api/now/pa/scorecards")).await;
    assert_eq!(denied.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn xmatters_reads_people_groups_and_members() {
    let instance = Instance::start().await;
    let get = async |path: &str| instance.get(&format!("/api/xm/1{path}")).await;
    let total = instance.sim.rows("sys_user", "").len();
    let page = get("/people?limit=2&offset=2").await.json();
    assert_eq!((&page["count"], &page["total"]), (&json!(2), &json!(total)));
    assert_eq!(page["links"]["next"], "/api/xm/1/people?offset=4&limit=2");
    assert_eq!(
        page["links"]["previous"],
        "/api/xm/1/people?offset=0&limit=2"
    );
    let last = get("/people?limit=1000").await.json();
    assert!(last["links"].get("next").is_none());

    let nina = get("/people/nina.agent?embed=roles").await.json();
    assert_eq!(
        (&nina["firstName"], &nina["status"]),
        (&json!("Nina"), &json!("ACTIVE"))
    );
    let roles = nina["roles"]["data"].as_array().unwrap().iter();
    assert!(roles.filter(|role| role["name"] == "itil").count() == 1);
    let by_id = get(&format!("/people/{}", nina["id"].as_str().unwrap()))
        .await
        .json();
    assert_eq!(by_id["targetName"], "nina.agent");
    assert!(
        by_id.get("roles").is_none(),
        "roles come only when they are asked for"
    );

    let groups = get("/groups").await.json();
    let desk = groups["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|group| group["targetName"] == "Service Desk")
        .unwrap();
    let members = get(&format!("/groups/{}/members", desk["id"].as_str().unwrap()))
        .await
        .json();
    let names: Vec<&str> = members["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["member"]["targetName"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["nina.agent", "tomas.agent"]);
    assert!(get("/roles").await.json()["total"].as_u64().unwrap() > 5);

    let missing = get("/people/nobody").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(
        missing.json(),
        json!({"code": 404, "reason": "Not Found", "message": "Could not find a person with id nobody"})
    );
    assert_eq!(get("/groups/nothing/members").await.json()["code"], 404);
    assert_eq!(get("/nonsense").await.json()["code"], 404);
    let write = send(
        instance
            .request(Method::POST, "/api/xm/1/people")
            .json(&json!({})),
    )
    .await;
    assert_eq!(write.json()["code"], 405);
}
