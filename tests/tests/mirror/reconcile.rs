//! What polling cannot see: deleted and hidden records, and changes without a stamp (T18, T23).

use std::time::Duration;

use shared::request::RequestState;
use simulator::RowAcl;
use tests::databases::Flavour;
use tests::running::Running;

on_both!(a_deleted_ticket_is_noticed_and_flagged_once);

async fn a_deleted_ticket_is_noticed_and_flagged_once(it: &Running) {
    let id = it.opened("R1", "access").await;
    it.opened("R2", "access").await;
    let (number, sys_id) = (it.number(id).await, it.ticket(id).await.sys_id.unwrap());
    // The first reconciliation of a table comes with its first ticket.
    it.look().await;
    it.main.delete("incident", &sys_id).unwrap();
    it.pass(Duration::from_mins(5), Duration::from_mins(1))
        .await;
    assert_eq!(
        it.request(id).await.attention,
        None,
        "no list of changes can show it"
    );
    it.pass(Duration::from_mins(35), Duration::from_mins(1))
        .await;
    let request = it.request(id).await;
    assert_eq!(request.state, RequestState::Open);
    assert_eq!(
        request.attention.unwrap(),
        format!(
            "Not visible: {number} in incident was deleted, or access rules hide it from the bridge."
        )
    );
    it.pass(Duration::from_mins(35), Duration::from_mins(5))
        .await;
    assert_eq!(
        it.request(id).await.version,
        request.version,
        "it is flagged once"
    );
}

#[tokio::test]
async fn a_hidden_ticket_that_shows_again_is_flagged_no_longer() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "access").await;
    it.opened("R2", "access").await;
    let sys_id = it.ticket(id).await.sys_id.unwrap();
    it.main.set_knobs(|knobs| {
        knobs.row_acl.push(RowAcl {
            table: "incident".into(),
            query: format!("sys_id={sys_id}"),
            unless_role: Some("admin".into()),
        });
    });
    it.advance(Duration::from_mins(5));
    it.reconcile("incident").await;
    assert!(
        it.request(id)
            .await
            .attention
            .unwrap()
            .starts_with("Not visible:")
    );
    it.main.set_knobs(|knobs| knobs.row_acl.clear());
    it.reconcile("incident").await;
    assert_eq!(it.request(id).await.attention, None);
}

#[tokio::test]
async fn when_nothing_at_all_is_visible_it_is_access_that_is_missing() {
    let it = Running::start(Flavour::Sqlite).await;
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(it.opened(&format!("R{number}"), "access").await);
    }
    it.main.set_knobs(|knobs| {
        knobs.row_acl.push(RowAcl {
            table: "incident".into(),
            query: String::new(),
            unless_role: Some("admin".into()),
        });
    });
    it.advance(Duration::from_mins(5));
    it.reconcile("incident").await;
    for id in &ids {
        assert_eq!(
            it.request(*id).await.attention,
            None,
            "the tickets are not declared lost"
        );
    }
    let circuit = it.circuits().await.remove(0);
    assert_eq!(
        (circuit.connection.as_str(), circuit.class.as_str()),
        ("main/incident", "nothing_visible")
    );
    assert!(
        circuit.reason.contains("shows none of 4 open tickets"),
        "{}",
        circuit.reason
    );
}

#[tokio::test]
async fn a_change_that_left_no_stamp_is_found() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "access").await;
    it.pass(Duration::from_mins(6), Duration::from_mins(1))
        .await;
    // Out of the poll's sight: the bridge's name is taken off, so that the control filter no longer finds it.
    let sys_id = it.ticket(id).await.sys_id.unwrap();
    it.main
        .update(
            None,
            "incident",
            &sys_id,
            &[("correlation_display", ""), ("state", "2")],
        )
        .unwrap();
    it.pass(Duration::from_mins(3), Duration::from_secs(30))
        .await;
    assert_eq!(it.request(id).await.state, RequestState::Open);
    it.reconcile("incident").await;
    assert_eq!(it.request(id).await.state, RequestState::InProgress);
}
