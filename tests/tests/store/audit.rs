use serde_json::json;
use shared::store::audit::{Actor, Entry, append, of_request, of_subject};
use tests::databases::TestDatabase;
use uuid::Uuid;

use crate::{seconds, start};

on_both!(entries_read_back_in_order);

#[test]
fn actors_are_named_with_their_kind() {
    let actors = [
        Actor::Source("idm".into()),
        Actor::Operator("op.one".into()),
        Actor::System("sweeper"),
        Actor::ServiceNow("agent.one".into()),
    ];
    let names: Vec<_> = actors.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "source:idm",
            "operator:op.one",
            "system:sweeper",
            "servicenow:agent.one"
        ]
    );
}

async fn entries_read_back_in_order(db: &TestDatabase) {
    let id = Uuid::from_u128(5);
    for (second, action) in [(2, "request.accepted"), (1, "request.withdrawn")] {
        let entry = Entry {
            actor: &Actor::Operator("op.one".into()),
            action,
            subject_kind: "request",
            subject_id: &id.to_string(),
            from: Some("open"),
            to: None,
            reason: Some("asked by phone"),
            detail: json!({"count": 1}),
        };
        append(db.store.conn(), &entry, start() + seconds(second))
            .await
            .unwrap();
    }
    let rows = of_request(db.store.conn(), id).await.unwrap();
    assert_eq!(
        rows.iter()
            .map(|row| row.action.as_str())
            .collect::<Vec<_>>(),
        ["request.accepted", "request.withdrawn"]
    );
    assert!(rows[0].id < rows[1].id);
    let first = &rows[0];
    assert_eq!(
        (first.at, first.actor.as_str()),
        (start() + seconds(2), "operator:op.one")
    );
    assert_eq!(
        (first.from.as_deref(), first.to.as_deref()),
        (Some("open"), None)
    );
    assert_eq!(
        (first.reason.as_deref(), &first.detail),
        (Some("asked by phone"), &json!({"count": 1}))
    );
    assert!(
        of_subject(db.store.conn(), "job", &id.to_string())
            .await
            .unwrap()
            .is_empty()
    );
}
