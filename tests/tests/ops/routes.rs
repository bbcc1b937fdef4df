//! Routes: what they match and mean, values that nobody mapped, switched off and on.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use shared::operator::Role;
use shared::store::audit;
use tests::bridge::{Api, asked};
use tests::running::Running;

on_both!(
    a_route_that_is_off_takes_no_new_requests_and_loses_none,
    a_second_press_is_told_since_when_and_by_whom,
    a_value_that_nobody_mapped_is_counted_and_dated,
    the_console_asks_before_it_switches,
);

const PATH: &str = "/v1/ops/routes/access";

async fn off(api: &Api, reason: &str) -> tests::bridge::Answer {
    api.post(&format!("{PATH}/off"), &json!({ "reason": reason }))
        .await
}

async fn a_route_that_is_off_takes_no_new_requests_and_loses_none(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let before = it.ask("R-1", "access").await;
    let switched = off(&omar, "the approval group is being set up anew").await;
    assert_eq!(switched.status, 200, "{}", switched.body);
    assert_eq!(
        (&switched.body["on"], &switched.body["off"]["by"]),
        (&json!(false), &json!("operator:omar"))
    );
    let refused = it.idm.post("/v1/requests", &asked("R-2", "access")).await;
    assert_eq!(refused.status, 409);
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("(the approval group is being set up anew)"),
        "{detail}"
    );
    let again = it.idm.post("/v1/requests", &asked("R-1", "access")).await;
    assert_eq!((again.status, again.id()), (202, before));
    it.settle().await;
    assert!(it.ticket(before).await.exists, "what was taken in goes on");
    let other = it.opened("R-3", "task").await;
    assert!(it.ticket(other).await.exists);
    let on = omar
        .post(&format!("{PATH}/on"), &json!({"reason": "it is done"}))
        .await;
    assert_eq!(
        (&on.body["on"], &on.body["off"]),
        (&json!(true), &Value::Null)
    );
    it.opened("R-2", "access").await;
    let trail = audit::of_subject(it.bridge.store().conn(), "switch", "route:access").await;
    let said: Vec<_> = trail
        .unwrap()
        .into_iter()
        .map(|row| (row.actor, row.from, row.to, row.reason))
        .collect();
    let word = |text: &str| Some(text.to_owned());
    assert_eq!(
        said,
        [
            (
                "operator:omar".to_owned(),
                word("on"),
                word("off"),
                word("the approval group is being set up anew")
            ),
            (
                "operator:omar".to_owned(),
                word("off"),
                word("on"),
                word("it is done")
            )
        ]
    );
}

async fn a_second_press_is_told_since_when_and_by_whom(it: &Running) {
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let refused = off(&vera, "why not").await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let on = omar
        .post(&format!("{PATH}/on"), &json!({"reason": "to be sure"}))
        .await;
    assert_eq!(on.status, 409, "it was never off");
    off(&omar, "change freeze").await;
    let again = off(&omar, "change freeze").await;
    assert_eq!(again.status, 409);
    let detail = again.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("is off already since 2026-")
            && detail.contains("by operator:omar (change freeze)"),
        "{detail}"
    );
    let without = omar.post(&format!("{PATH}/on"), &json!({})).await;
    assert_eq!(without.status, 422, "{}", without.body);
    let unknown = omar.get("/v1/ops/routes/acess").await;
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.body["detail"]
            .as_str()
            .unwrap()
            .contains("There is: access, owned")
    );
    let all = vera.get("/v1/ops/routes").await.body;
    let states: Vec<_> = super::items(&all)
        .iter()
        .filter(|it| it["on"] == false)
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["access"]);
}

async fn a_value_that_nobody_mapped_is_counted_and_dated(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    // A state that an administrator of the instance has made up.
    it.main.set_knobs(|knobs| knobs.choice_strict = false);
    let mut seen = Vec::new();
    let mut ids = Vec::new();
    for number in 0..2 {
        let id = it.opened(&format!("R-{number}"), "task").await;
        let sys_id = it.ticket(id).await.sys_id.unwrap();
        it.advance(Duration::from_secs(31));
        it.main
            .update(None, "sc_task", &sys_id, &[("state", "42")])
            .unwrap();
        it.look().await;
        assert!(
            it.request(id).await.attention.is_some(),
            "{:?}",
            it.ticket(id).await
        );
        seen.push(it.request(id).await.updated_at);
        ids.push(id);
    }
    let shown = vera.get("/v1/ops/routes/task").await.body;
    assert_eq!(shown["unmapped"], 2);
    let values = shown["unmapped_values"].as_array().unwrap();
    assert_eq!(values.len(), 1, "{values:?}");
    let at = |value: &Value| value.as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert_eq!(
        (
            &values[0]["field"],
            &values[0]["value"],
            &values[0]["count"]
        ),
        (&json!("state"), &json!("42"), &json!(2))
    );
    assert_eq!(at(&values[0]["first_seen_at"]), seen[0]);
    assert_eq!(at(&values[0]["last_seen_at"]), seen[1]);
    assert_eq!(values[0]["example"], json!(ids[1]));
    assert_eq!(vera.get(PATH).await.body["unmapped_values"], json!([]));
    let mut vera = it.bridge.signed_in("ada", Role::Viewer).await;
    let page = vera.get("/console/routes/task").await;
    assert!(page.words().contains("state 42 2"), "{}", page.words());
}

async fn the_console_asks_before_it_switches(it: &Running) {
    let mut omar = it.bridge.signed_in("omar", Role::Operator).await;
    let asked = omar.get("/console/routes/access/off").await;
    insta::assert_snapshot!("a_route_is_to_be_switched_off", asked.words());
    let empty = omar
        .post("/console/routes/access/off", &[("reason", " ")])
        .await;
    assert_eq!(empty.status, 422);
    assert!(
        empty.words().contains("reason is empty"),
        "{}",
        empty.words()
    );
    let off = omar
        .post("/console/routes/access/off", &[("reason", "change freeze")])
        .await;
    assert_eq!(off.location, "/console/routes?flash=switched-off");
    let list = omar.get(&off.location).await.words();
    assert!(list.contains("by operator:omar at"), "{list}");
    let stale = omar
        .post("/console/routes/access/off", &[("reason", "change freeze")])
        .await;
    assert_eq!(stale.status, 409, "{}", stale.words());
    let asked = omar.get("/console/routes/access/on").await;
    insta::assert_snapshot!("a_route_is_to_be_switched_on", asked.words());
    let on = omar
        .post("/console/routes/access/on", &[("reason", "it is over")])
        .await;
    assert_eq!(on.location, "/console/routes?flash=switched-on");
    let mut vera = it.bridge.signed_in("vera", Role::Viewer).await;
    assert_eq!(vera.get("/console/routes/access/off").await.status, 403);
}
