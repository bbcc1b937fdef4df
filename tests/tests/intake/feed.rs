use futures::future::join_all;
use serde_json::{Value, json};
use tests::bridge::{Api, Bridge};

use crate::stable;

on_both!(the_feed_is_read_piece_by_piece, many_writers_lose_no_event);

async fn the_feed_is_read_piece_by_piece(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let empty = api.get("/v1/events").await.body;
    assert_eq!(
        empty,
        json!({"items": [], "next_cursor": null, "more": false})
    );
    let id = api.create("R1", "directory-group").await;
    for word in ["approved", "on_hold", "in_progress"] {
        api.post(
            &format!("/v1/requests/{id}/status"),
            &json!({"status": word}),
        )
        .await;
    }
    let first = api.get("/v1/events?limit=3").await.body;
    assert_eq!(
        (first["items"].as_array().unwrap().len(), &first["more"]),
        (3, &json!(true))
    );
    assert_eq!(first["next_cursor"], first["items"][2]["cursor"]);
    let mut event = stable(&first["items"][1]);
    event["cursor"] = json!("<cursor>");
    insta::allow_duplicates!(insta::assert_json_snapshot!("event", event));
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = api.get(&format!("/v1/events?after={cursor}")).await.body;
    assert_eq!(
        (second["items"].as_array().unwrap().len(), &second["more"]),
        (1, &json!(false))
    );
    let cursor = second["next_cursor"].as_str().unwrap();
    let third = api.get(&format!("/v1/events?after={cursor}")).await.body;
    assert_eq!(
        third,
        json!({"items": [], "next_cursor": cursor, "more": false}),
        "the cursor stays where it was"
    );
}

async fn read_to_the_end(api: &Api, cursor: &mut Option<String>, found: &mut Vec<Value>) {
    loop {
        let after = cursor
            .as_ref()
            .map(|cursor| format!("&after={cursor}"))
            .unwrap_or_default();
        let page = api.get(&format!("/v1/events?limit=5{after}")).await.body;
        found.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["data"]["external_id"].clone()),
        );
        *cursor = page["next_cursor"].as_str().map(str::to_owned);
        if page["more"] == json!(false) {
            return;
        }
    }
}

async fn many_writers_lose_no_event(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let (mut cursor, mut found) = (None, Vec::new());
    for round in 0..4 {
        let names: Vec<String> = (0..10).map(|n| format!("R{round}-{n}")).collect();
        let writers = join_all(
            names
                .iter()
                .map(|name| api.create(name, "application-access")),
        );
        tokio::join!(writers, read_to_the_end(&api, &mut cursor, &mut found));
    }
    read_to_the_end(&api, &mut cursor, &mut found).await;
    let mut names: Vec<_> = found.iter().map(Value::to_string).collect();
    names.sort();
    names.dedup();
    assert_eq!(
        (found.len(), names.len()),
        (40, 40),
        "none twice, none missed"
    );
}
