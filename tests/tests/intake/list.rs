use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tests::bridge::{Api, Bridge, asked};
use tests::databases::Flavour;

on_both!(
    filters_narrow_the_list,
    pages_neither_miss_nor_repeat,
    links_lead_through_all_pages
);

fn external_ids(body: &Value) -> Vec<String> {
    body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["external_id"].as_str().unwrap().to_owned())
        .collect()
}

async fn filters_narrow_the_list(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let first = api.create("R1", "application-access").await;
    bridge.clock.advance(Duration::from_mins(1));
    api.create("R2", "sap-role").await;
    bridge.clock.advance(Duration::from_mins(1));
    let mut body = asked("R3", "application-access");
    body["requested_for"] = json!("Ines_Sol%");
    assert_eq!(api.post("/v1/requests", &body).await.status, 202);
    api.post(&format!("/v1/requests/{first}/cancel"), &json!({}))
        .await;
    for (query, expected) in [
        ("", vec!["R3", "R2", "R1"]),
        ("?state=accepted", vec!["R3", "R2"]),
        (
            "?state=accepted,cancelled&category=application-access",
            vec!["R3", "R1"],
        ),
        ("?state=cancelled&state=denied", vec!["R1"]),
        ("?route=role", vec!["R2"]),
        ("?external_id=R2", vec!["R2"]),
        ("?requested_for=Ines_Sol%25", vec!["R3"]),
        ("?text=sol%25", vec!["R3"]),
        ("?text=payroll", vec!["R3", "R2", "R1"]),
        ("?attention=true", vec![]),
        ("?attention=false&limit=1", vec!["R3"]),
        ("?created_after=2026-03-02T09:00:00Z", vec!["R3", "R2"]),
        ("?created_before=2026-03-02T09:02:00Z", vec!["R2", "R1"]),
    ] {
        let answer = api.get(&format!("/v1/requests{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        assert_eq!(external_ids(&answer.body), expected, "{query}");
    }
}

/// Reads all pages of `limit`; between two pages the clock moves and another request comes in.
async fn read_all(bridge: &Bridge, api: &Api, limit: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let query = cursor
            .map(|cursor: String| format!("&cursor={cursor}"))
            .unwrap_or_default();
        let page = api
            .get(&format!("/v1/requests?limit={limit}{query}"))
            .await
            .body;
        let items = external_ids(&page);
        assert!(items.len() <= limit);
        found.extend(items);
        bridge.clock.advance(Duration::from_millis(1));
        api.create(
            &format!("late-{limit}-{}", found.len()),
            "application-access",
        )
        .await;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return found,
        }
    }
}

async fn pages_neither_miss_nor_repeat(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let mut there = BTreeSet::new();
    for n in 0..23 {
        // Several in the same microsecond, so that the id must decide.
        if n % 4 == 0 {
            bridge.clock.advance(Duration::from_micros(1));
        }
        api.create(&format!("R{n}"), "application-access").await;
        there.insert(format!("R{n}"));
    }
    for limit in [1, 2, 3, 7, 22, 23, 24, 200] {
        let found = read_all(bridge, &api, limit).await;
        let old: Vec<_> = found
            .iter()
            .filter(|id| id.starts_with('R'))
            .cloned()
            .collect();
        assert_eq!(old.len(), 23, "limit {limit}: none twice, none missed");
        assert_eq!(
            old.into_iter().collect::<BTreeSet<_>>(),
            there,
            "limit {limit}"
        );
    }
}

async fn links_lead_through_all_pages(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    for n in 0..5 {
        api.create(&format!("R{n}"), "application-access").await;
    }
    let mut found = Vec::new();
    let mut path = "/v1/requests?limit=2&state=accepted&text=payroll%20viewer".to_owned();
    loop {
        let page = api.get(&path).await.body;
        found.extend(external_ids(&page));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        next.strip_prefix(&bridge.url())
            .expect("a link to this server")
            .clone_into(&mut path);
    }
    assert_eq!(found.len(), 5);
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>().len(), 5);
}

#[tokio::test]
async fn a_list_shows_the_tickets() {
    let bridge = Bridge::start(Flavour::Sqlite).await;
    let api = bridge.api("idm").await;
    api.create("R1", "application-access").await;
    let item = &api.get("/v1/requests").await.body["items"][0];
    assert_eq!(
        (&item["ticket"]["table"], &item["ticket"]["exists"]),
        (&json!("incident"), &json!(false))
    );
}
