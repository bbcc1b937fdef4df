use std::time::Duration;

use scheduler::giveup::tick;
use shared::clock::Clock as _;
use shared::store::audit;
use shared::store::tickets::{self, Saved};
use tests::bridge::Bridge;
use uuid::Uuid;

on_both!(tickets_that_are_open_for_too_long_are_given_up);

async fn open_ticket(bridge: &Bridge, external_id: &str, category: &str) -> Uuid {
    let id = bridge.api("idm").await.create(external_id, category).await;
    let conn = bridge.store().conn();
    let ticket = tickets::of_request(conn, id).await.unwrap().unwrap();
    let after = shared::ticket::Ticket {
        exists: true,
        ..ticket.clone()
    };
    assert_eq!(
        tickets::save(conn, &ticket, &after, bridge.clock.now())
            .await
            .unwrap(),
        Saved::Saved
    );
    id
}

async fn tickets_that_are_open_for_too_long_are_given_up(bridge: &Bridge) {
    let group = open_ticket(bridge, "R1", "directory-group").await;
    let access = open_ticket(bridge, "R2", "application-access").await;
    bridge.clock.advance(Duration::from_hours(240));
    assert_eq!(
        tick(&bridge.scheduler).await.unwrap(),
        0,
        "ten days are not more than ten days"
    );
    bridge.clock.advance(Duration::from_secs(1));
    let other = bridge.another_scheduler().await;
    let (one, two) = tokio::join!(tick(&bridge.scheduler), tick(&other));
    assert_eq!(
        one.unwrap_or_default() + two.unwrap_or_default(),
        1,
        "once, also by two schedulers"
    );
    assert_eq!(tick(&bridge.scheduler).await.unwrap(), 0);

    let conn = bridge.store().conn();
    let given_up = tickets::of_request(conn, group)
        .await
        .unwrap()
        .unwrap()
        .given_up_at;
    assert_eq!(given_up, Some(bridge.clock.now()));
    assert_eq!(
        tickets::of_request(conn, access)
            .await
            .unwrap()
            .unwrap()
            .given_up_at,
        None
    );
    let api = bridge.api("idm").await;
    let flagged = api.get("/v1/requests?attention=true").await.body;
    insta::allow_duplicates!(insta::assert_json_snapshot!(
        "given_up",
        flagged["items"][0]["attention"]
    ));
    assert_eq!(flagged["items"].as_array().unwrap().len(), 1);
    let rows = audit::of_request(conn, group).await.unwrap();
    assert_eq!(
        rows.last().map(|row| row.action.as_str()),
        Some("request.given_up")
    );
    bridge.clock.advance(Duration::from_hours(24 * 80));
    assert_eq!(
        tick(&bridge.scheduler).await.unwrap(),
        1,
        "the other route allows ninety days"
    );
}
