//! Paging: totals, links, the order nobody promised, and the two ways that work.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::client::{Instance, Reply};

fn ids(reply: &Reply) -> Vec<String> {
    let rows = reply.result();
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| row["sys_id"].as_str().unwrap().to_owned())
        .collect()
}

async fn page(instance: &Instance, query: &str, limit: &str, offset: &str) -> Reply {
    let more = [
        ("sysparm_fields", "sys_id"),
        ("sysparm_limit", limit),
        ("sysparm_offset", offset),
    ];
    instance.list("incident", query, &more).await
}

#[tokio::test]
async fn offset_paging_without_a_total_order_repeats_and_skips_rows() {
    let instance = Instance::start().await;
    let mut seen = Vec::new();
    for offset in ["0", "20", "40"] {
        seen.extend(ids(&page(&instance, "", "20", offset).await));
    }
    let distinct: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(seen.len(), 60);
    assert!(
        distinct.len() < 60,
        "a naive client must notice in its tests"
    );
}

#[tokio::test]
async fn keyset_paging_sees_each_row_once() {
    let instance = Instance::start().await;
    let (mut seen, mut last) = (Vec::new(), String::new());
    loop {
        let rows = ids(&page(&instance, &format!("sys_id>{last}^ORDERBYsys_id"), "7", "0").await);
        let Some(id) = rows.last() else { break };
        last.clone_from(id);
        seen.extend(rows);
    }
    assert_eq!(seen.len(), 60);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 60);
}

#[tokio::test]
async fn a_two_column_cursor_walks_through_equal_stamps() {
    let instance = Instance::start().await;
    let (mut seen, mut cursor) = (
        Vec::new(),
        (String::from("2000-01-01 00:00:00"), String::new()),
    );
    loop {
        let (at, id) = &cursor;
        let query = format!(
            "active=true^sys_updated_on={at}^sys_id>{id}^NQactive=true^sys_updated_on>{at}^ORDERBYsys_updated_on^ORDERBYsys_id"
        );
        let reply = instance
            .list(
                "incident",
                &query,
                &[
                    ("sysparm_limit", "9"),
                    ("sysparm_fields", "sys_id,sys_updated_on,active"),
                ],
            )
            .await;
        let rows: Vec<Value> = reply.result().as_array().unwrap().clone();
        let Some(row) = rows.last() else { break };
        cursor = (
            row["sys_updated_on"].as_str().unwrap().to_owned(),
            row["sys_id"].as_str().unwrap().to_owned(),
        );
        assert!(rows.iter().all(|row| row["active"] == "true"));
        seen.extend(
            rows.iter()
                .map(|row| row["sys_id"].as_str().unwrap().to_owned()),
        );
    }
    let expected = instance.sim.rows("incident", "active=true").len();
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), expected);
    assert_eq!(seen.len(), expected);
}

#[tokio::test]
async fn links_name_the_pages_around() {
    let instance = Instance::start().await;
    let relations = |reply: &Reply| -> Vec<(String, String)> {
        let header = reply.header("link").unwrap_or_default().to_owned();
        let links = header
            .split(',')
            .filter(|link| !link.is_empty())
            .map(|link| {
                let (url, relation) = link.split_once(">;rel=").unwrap();
                let offset = url.split("sysparm_offset=").nth(1).unwrap();
                (relation.trim_matches('"').to_owned(), offset.to_owned())
            });
        links.collect()
    };
    let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    let first = page(&instance, "active=true", "20", "0").await;
    assert_eq!(
        relations(&first),
        owned(&[("first", "0"), ("next", "20"), ("last", "40")])
    );
    assert!(
        first
            .header("link")
            .unwrap()
            .contains("sysparm_query=active%3Dtrue")
    );
    let last = page(&instance, "", "20", "40").await;
    assert_eq!(
        relations(&last),
        owned(&[("first", "0"), ("prev", "20"), ("last", "40")])
    );
    assert_eq!(
        relations(&page(&instance, "", "100", "0").await),
        [],
        "one page has no links"
    );
    let quiet = instance
        .list(
            "incident",
            "",
            &[
                ("sysparm_limit", "5"),
                ("sysparm_suppress_pagination_header", "true"),
            ],
        )
        .await;
    assert_eq!(relations(&quiet), []);
    let uncounted = instance
        .list(
            "incident",
            "",
            &[("sysparm_limit", "5"), ("sysparm_no_count", "true")],
        )
        .await;
    assert_eq!(uncounted.header("x-total-count"), None);
    assert_eq!(
        relations(&uncounted),
        owned(&[("first", "0"), ("next", "5")])
    );
}

#[tokio::test]
async fn a_negative_offset_is_an_error() {
    let instance = Instance::start().await;
    assert_eq!(page(&instance, "", "5", "-1").await.status.as_u16(), 400);
    assert_eq!(
        ids(&page(&instance, "", "5", "1000").await),
        Vec::<String>::new()
    );
}
