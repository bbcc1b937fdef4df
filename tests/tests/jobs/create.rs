//! The usual path: one call, one ticket.

use std::collections::BTreeSet;

use serde_json::json;
use shared::job::JobState;
use shared::request::RequestState;
use shared::store::table_facts;
use shared::ticket::chosen_sys_id;
use simulator::{CallFilter, FieldAcl};
use tests::bridge::asked;
use tests::databases::Flavour;
use tests::feed;
use tests::running::Running;

on_both!(
    one_call_makes_one_ticket,
    every_table_of_a_route_takes_tickets,
    two_workers_at_the_same_bell_make_one_ticket,
);

async fn one_call_makes_one_ticket(it: &Running) {
    let id = it.opened("R1", "access").await;
    let (request, ticket) = (it.request(id).await, it.ticket(id).await);
    assert_eq!(request.state, RequestState::Open);
    assert_eq!(request.attention, None);
    let records = it.records("incident");
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!(
        record["sys_id"],
        chosen_sys_id("TicketBridge", id, "incident")
    );
    assert_eq!(record["correlation_id"], id.to_string());
    assert_eq!(record["short_description"], "Payroll viewer for joon.park");
    assert!(ticket.exists);
    assert_eq!(ticket.number.as_ref(), Some(&record["number"]));
    assert_eq!(ticket.state.as_deref(), Some("1"));
    assert_eq!(
        it.main.count(&CallFilter::default()),
        2,
        "a token and one POST: {:?}",
        it.main.calls(&CallFilter::default())
    );

    let attempts = it.attempts(id).await;
    let create = attempts.iter().find(|attempt| {
        attempt
            .calls
            .iter()
            .any(|call| call.path.contains("incident"))
    });
    let create = create.expect("the run is on record");
    assert_eq!(
        (create.outcome.as_str(), create.http_status, create.number),
        ("done", Some(201), 1)
    );
    assert!(create.transaction_id.is_some());
    assert_eq!(create.calls[0].path, "/api/now/table/incident");
    let told = feed::after(it.bridge.store().conn(), "idm", None, 10)
        .await
        .unwrap();
    let news = &told.last().unwrap().1;
    assert_eq!(news.kind, "request.open");
    assert_eq!(
        news.data.ticket.as_ref().unwrap().number,
        ticket.number,
        "the event shows the ticket"
    );
}

async fn every_table_of_a_route_takes_tickets(it: &Running) {
    for (category, table) in [
        ("task", "sc_task"),
        ("change", "change_request"),
        ("problem", "problem"),
    ] {
        let id = it.opened(category, category).await;
        let request = it.request(id).await;
        assert_eq!(
            request.state,
            RequestState::Open,
            "{table}: {:?}",
            it.attempts(id).await
        );
        assert_eq!(it.records(table).len(), 1, "{table}");
        assert_eq!(it.calls("table.create", table), 1, "{table}");
    }
}

async fn two_workers_at_the_same_bell_make_one_ticket(it: &Running) {
    let second = it.another_worker().await;
    let id = it.ask("R1", "access").await;
    let bells = it.bells().await;
    assert_eq!(bells.len(), 1);
    let ring = |worker| worker::ring(worker, bells[0].clone());
    tokio::join!(
        ring(&it.worker),
        ring(&second),
        ring(&it.worker),
        ring(&second)
    );
    assert_eq!(it.calls("table.create", "incident"), 1);
    assert_eq!(it.request(id).await.state, RequestState::Open);
    assert_eq!(it.job(id, "create_ticket.v1").await.lease_token, 1);
}

#[tokio::test]
async fn a_ticket_costs_one_call() {
    let it = Running::start(Flavour::Sqlite).await;
    for number in 0..25 {
        it.ask(&format!("R{number}"), "access").await;
    }
    it.settle().await;
    assert_eq!(it.calls("table.create", "incident"), 25);
    assert_eq!(
        it.main.count(&CallFilter {
            table: Some("incident".into()),
            ..CallFilter::default()
        }),
        25
    );
    assert_eq!(it.main.count(&CallFilter::kind("token")), 1);
    let numbers: BTreeSet<_> = it
        .records("incident")
        .iter()
        .map(|record| record["number"].clone())
        .collect();
    assert_eq!(numbers.len(), 25);
}

#[tokio::test]
async fn many_at_a_time_share_their_statements_and_none_is_lost() {
    let it = Running::start(Flavour::Postgres).await;
    let mut ids = Vec::new();
    for number in 0..40 {
        ids.push(it.ask(&format!("R{number}"), "access").await);
    }
    let bells = it.bells().await;
    futures::future::join_all(bells.into_iter().map(|bell| worker::ring(&it.worker, bell))).await;
    for id in ids {
        assert_eq!(it.request(id).await.state, RequestState::Open);
        assert_eq!(it.job(id, "create_ticket.v1").await.state, JobState::Done);
    }
    assert_eq!(it.records("incident").len(), 40);
}

#[tokio::test]
async fn fields_that_the_instance_drops_are_reported() {
    let it = Running::start(Flavour::Sqlite).await;
    it.main.set_knobs(|knobs| {
        knobs.field_acl.push(FieldAcl {
            table: "incident".into(),
            field: "short_description".into(),
            hidden: false,
            read_only: true,
            unless_role: None,
        });
    });
    let id = it.opened("R1", "access").await;
    let request = it.request(id).await;
    assert_eq!(
        request.state,
        RequestState::Open,
        "the ticket is there all the same"
    );
    let attention = request.attention.unwrap();
    assert!(
        attention.starts_with("Dropped fields:") && attention.contains("`short_description`"),
        "{attention}"
    );
}

#[tokio::test]
async fn a_validity_that_has_passed_still_makes_a_ticket() {
    let it = Running::start(Flavour::Sqlite).await;
    let mut body = asked("R1", "access");
    body["valid_until"] = json!("2026-03-02T10:00:00Z");
    let answer = it.idm.post("/v1/requests", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    it.advance(std::time::Duration::from_hours(2));
    it.settle().await;
    assert_eq!(it.request(answer.id()).await.state, RequestState::Open);
    assert_eq!(it.records("incident").len(), 1);
}

#[tokio::test]
async fn an_instance_that_chooses_its_own_ids_is_noted_and_its_id_adopted() {
    let it = Running::start(Flavour::Sqlite).await;
    it.main.set_knobs(|knobs| knobs.client_sys_id = false);
    let id = it.opened("R1", "access").await;
    let ticket = it.ticket(id).await;
    assert_ne!(
        ticket.sys_id,
        Some(chosen_sys_id("TicketBridge", id, "incident"))
    );
    assert_eq!(
        ticket.sys_id.as_ref(),
        Some(&it.records("incident")[0]["sys_id"])
    );
    let facts = table_facts::get(it.bridge.store().conn(), "main", "incident")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(facts.honours_sys_id, Some(false));
    assert_eq!(
        it.request(id).await.attention,
        None,
        "an adopted id is no loss"
    );
}
