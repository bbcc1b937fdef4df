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
    a_choice_that_nobody_mapped_shows_before_a_ticket_has_it,
    a_map_that_was_mended_fits_at_once,
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

/// What the page of a route says about the choice list.
fn card(words: &str) -> &str {
    let (_, from) = words
        .split_once("Values that can be chosen ")
        .unwrap_or_else(|| panic!("no card in {words}"));
    let (card, _) = from.split_once(" What a ticket says").unwrap();
    card
}

async fn a_choice_that_nobody_mapped_shows_before_a_ticket_has_it(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let mut ada = it.bridge.signed_in("ada", Role::Viewer).await;
    assert_eq!(vera.get(PATH).await.body["choices"], Value::Null);
    let page = ada.get("/console/routes/access").await;
    assert!(
        card(&page.words()).starts_with("The choice list of the instance was not compared"),
        "{}",
        page.words()
    );
    // The account may not read choice lists.
    it.read_choices("incident").await;
    let choices = vera.get(PATH).await.body["choices"].clone();
    assert_eq!(choices["verdict"], "cannot_tell");
    let problem = choices["problem"].as_str().unwrap();
    assert!(problem.contains("may not read sys_choice"), "{problem}");
    let page = ada.get("/console/routes/access").await;
    assert!(
        card(&page.words()).contains("cannot tell The account of this connection"),
        "{}",
        page.words()
    );
    it.show_choices();
    it.read_choices("incident").await;
    let all = vera.get("/v1/ops/routes").await.body;
    let told = |name: &str| {
        let mut items = super::items(&all).iter();
        let route = items.find(|it| it["name"] == name).unwrap();
        route["choices"]["verdict"].clone()
    };
    assert_eq!(
        [told("access"), told("owned"), told("task")],
        [json!("agrees"), json!("agrees"), Value::Null]
    );
    it.add_choice("incident", "state", "9", "Awaiting Parts");
    it.end_choice("incident", "state", "8");
    it.read_choices("incident").await;
    let drifted = vera.get(PATH).await.body["choices"].clone();
    insta::assert_json_snapshot!("a_map_that_does_not_fit", drifted, {".read_at" => "[when]"});
    let page = ada.get("/console/routes/access").await;
    let words = page.words();
    let read_at = drifted["read_at"].as_str().unwrap();
    assert!(words.contains("compared 2026-"), "{read_at} in {words}");
    insta::with_settings!({filters => vec![(r"2026-\d\d-\d\d \d\d:\d\d:\d\d UTC", "[when]")]}, {
        insta::assert_snapshot!("a_map_that_does_not_fit_as_people_read_it", card(&words));
    });
    let list = ada.get("/console/routes").await.words();
    assert!(list.contains("does not fit for access"), "{list}");
}

/// The lists are kept as they were read, and compared with the map as it is.
async fn a_map_that_was_mended_fits_at_once(it: &Running) {
    it.show_choices();
    it.add_choice("task", "state", "9", "Awaiting Parts");
    it.read_choices("sc_task").await;
    let shown = |answer: &Value| answer["choices"]["verdict"].clone();
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let before = vera.get("/v1/ops/routes/task").await.body;
    assert_eq!(shown(&before), "drifted", "{before}");
    let route = "name = \"task\"\n";
    let map = "{ \"-5\" = \"on_hold\", \"1\" = \"open\", \"2\" = \"in_progress\", \"3\" = \"fulfilled\", \
               \"4\" = \"denied\", \"7\" = \"cancelled\", \"9\" = \"on_hold\" }";
    let mended = format!("{route}states_in = {map}\n");
    let scheduler = it.scheduler_with(route, &mended).await;
    let url = it.bridge.serve(&scheduler).await;
    let after = vera.at(&url).get("/v1/ops/routes/task").await.body;
    assert_eq!(shown(&after), "agrees", "{after}");
}
