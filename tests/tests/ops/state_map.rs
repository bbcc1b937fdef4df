//! How the state map decided, on the page of one request: what was seen, which entry applied, and what to add where none did (N24).

use std::time::Duration;

use serde_json::Value;
use shared::operator::Role;
use tests::bridge::Api;
use tests::running::Running;
use uuid::Uuid;

on_both!(
    the_entry_that_decided_is_shown,
    a_value_that_is_not_mapped_comes_with_the_lines_to_add,
    what_the_present_map_would_say_is_told_while_it_is_not_applied,
);

async fn decision(api: &Api, id: Uuid) -> Value {
    let answer = api.get(&format!("/v1/ops/requests/{id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["state_map"].clone()
}

async fn moved(it: &Running, id: Uuid, state: &str) {
    it.main.set_knobs(|knobs| knobs.choice_strict = false);
    it.advance(Duration::from_secs(30));
    let sys_id = it.ticket(id).await.sys_id.unwrap();
    it.main
        .update(None, "incident", &sys_id, &[("state", state)])
        .unwrap();
    it.look().await;
}

async fn the_entry_that_decided_is_shown(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let waiting = it.ask("M-0", "access").await;
    assert_eq!(decision(&vera, waiting).await, Value::Null, "no ticket yet");
    let id = it.opened("M-1", "access").await;
    moved(it, id, "2").await;
    insta::assert_json_snapshot!("the_entry_that_decided", decision(&vera, id).await, {
        ".seen_at" => "[when]", ".decided_at" => "[when]",
    });
    let mut console = it.bridge.signed_in("omar", Role::Operator).await;
    let page = console.get(&format!("/console/requests/{id}")).await;
    insta::assert_snapshot!(
        "the_entry_that_decided_as_people_read_it",
        card(&page.words())
    );
    // Where the source decides, what the map says moves nothing.
    let owned = it.opened("M-2", "owned").await;
    moved(it, owned, "2").await;
    let map = decision(&vera, owned).await;
    assert_eq!(map["gave"], "in_progress", "{map}");
    assert_eq!(
        map["outcome"],
        "The map says in progress, but the source decides on this route: the request stays open."
    );
}

async fn a_value_that_is_not_mapped_comes_with_the_lines_to_add(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let id = it.opened("M-1", "access").await;
    moved(it, id, "42").await;
    insta::assert_json_snapshot!("a_value_that_is_not_mapped", decision(&vera, id).await, {
        ".seen_at" => "[when]", ".decided_at" => "[when]",
    });
    let mut console = it.bridge.signed_in("omar", Role::Operator).await;
    let page = console.get(&format!("/console/requests/{id}")).await;
    insta::assert_snapshot!(
        "a_value_that_is_not_mapped_as_people_read_it",
        card(&page.words())
    );
}

async fn what_the_present_map_would_say_is_told_while_it_is_not_applied(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let id = it.opened("M-1", "access").await;
    moved(it, id, "2").await;
    // A worker that starts with another configuration than the schedulers have.
    let route = "name = \"access\"\nsource = \"idm\"\n";
    let other = format!("{route}states_in = {{ \"2\" = \"on_hold\" }}\n");
    let worker = it.fresh_worker_with(route, &other);
    worker::decisions::announce(&it.worker).await.unwrap();
    it.advance(Duration::from_secs(1));
    worker::decisions::announce(&worker).await.unwrap();
    assert_eq!(worker::decisions::tick(&worker).await.unwrap(), 1);
    let map = decision(&vera, id).await;
    assert_eq!(
        (&map["rule"], &map["gave"]),
        (&"states_in.\"2\"".into(), &"on_hold".into())
    );
    insta::assert_json_snapshot!("the_present_map_is_not_applied", map["present"]);
    // The configuration is rolled out to the workers too.
    it.advance(Duration::from_secs(1));
    let rolled_out = it.fresh_worker("worker-3");
    worker::decisions::announce(&rolled_out).await.unwrap();
    insta::assert_json_snapshot!(
        "the_present_map_is_applied_soon",
        decision(&vera, id).await["present"]
    );
    assert_eq!(worker::decisions::tick(&rolled_out).await.unwrap(), 1);
    assert_eq!(decision(&vera, id).await["present"], Value::Null);
}

/// The card of the page that tells of the map.
fn card(words: &str) -> &str {
    let (_, from) = words
        .split_once("How the state map decided ")
        .unwrap_or_else(|| panic!("no card in {words}"));
    let (card, _) = from.split_once(" Request External id").unwrap();
    card
}
