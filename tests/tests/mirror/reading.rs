//! What people do to a ticket becomes the state of its request (T7, T9, T15, T20).

use std::time::Duration;

use serde_json::json;
use shared::job::{NewJob, Payload, StatusRead};
use shared::request::RequestState;
use shared::store::jobs;
use simulator::AgentAction;
use tests::databases::Flavour;
use tests::running::Running;

on_both!(
    a_ticket_is_followed_through_its_life,
    a_push_makes_one_read_due_now
);

async fn a_ticket_is_followed_through_its_life(it: &Running) {
    let id = it.opened("R1", "access").await;
    let number = it.number(id).await;
    let resolve = AgentAction::Resolve {
        code: Some("Solution provided".to_owned()),
        notes: Some("Role granted.".to_owned()),
    };
    let steps = [
        (
            AgentAction::Assign {
                to: Some("nina.agent".to_owned()),
                group: None,
            },
            None,
        ),
        (AgentAction::Resume, Some(RequestState::InProgress)),
        (
            AgentAction::Hold {
                reason: None,
                comment: Some("Which company code?".to_owned()),
            },
            Some(RequestState::OnHold),
        ),
        (AgentAction::Resume, Some(RequestState::InProgress)),
        (resolve, Some(RequestState::Fulfilled)),
    ];
    for (action, state) in steps {
        it.advance(Duration::from_secs(30));
        it.agent(&number, &action);
        it.look().await;
        if let Some(state) = state {
            assert_eq!(
                it.request(id).await.state,
                state,
                "{action:?} {:?}",
                it.ticket(id).await
            );
        }
    }
    let (request, ticket) = (it.request(id).await, it.ticket(id).await);
    assert_eq!(request.reason.as_deref(), Some("Role granted."));
    assert_eq!(ticket.assigned_to.as_deref(), Some("Nina Agent"));
    assert_eq!(ticket.close_code.as_deref(), Some("Solution provided"));
    let who = it.audit(id).await;
    let last = who
        .iter()
        .rfind(|entry| entry.to.as_deref() == Some("fulfilled"))
        .unwrap();
    assert_eq!(
        (last.actor.as_str(), last.from.as_deref()),
        ("servicenow:nina.agent", Some("in_progress"))
    );
    let told = it.receiver.types();
    for kind in [
        "request.in_progress",
        "request.on_hold",
        "request.fulfilled",
    ] {
        assert!(told.iter().any(|it| it == kind), "{told:?}");
    }
}

async fn a_push_makes_one_read_due_now(it: &Running) {
    let id = it.opened("R1", "access").await;
    it.agent(&it.number(id).await, &AgentAction::Resume);
    let (conn, now) = (
        it.bridge.store().conn(),
        shared::clock::Clock::now(&*it.bridge.clock),
    );
    let hint = NewJob {
        payload: Payload::GetTicketStatus(StatusRead::One { request_id: id }),
        connection: Some("main".to_owned()),
        request_id: Some(id),
        priority: 1,
        due_at: now,
        dedup_key: Some(format!("status:{id}")),
        traceparent: None,
    };
    let queued = jobs::insert(conn, &hint, now).await.unwrap();
    shared::queue::ring(&*it.bridge.broker, queued.as_slice()).await;
    it.settle().await;
    assert_eq!(it.request(id).await.state, RequestState::InProgress);
    assert_eq!(it.calls("table.get", "incident"), 1);
    assert_eq!(it.calls("table.list", "incident"), 0);
}

#[tokio::test]
async fn a_rejected_ticket_denies_the_request_with_its_reason() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "task").await;
    it.advance(Duration::from_secs(30));
    it.main
        .agent(
            "dana.manager",
            &it.number(id).await,
            &AgentAction::Reject {
                comment: Some("Not allowed in this team.".to_owned()),
            },
        )
        .unwrap();
    it.look().await;
    let request = it.request(id).await;
    assert_eq!(request.state, RequestState::Denied);
    assert_eq!(
        request.reason.as_deref(),
        Some("The approval was rejected in ServiceNow. Not allowed in this team.")
    );
    let told = it.receiver.heard().pop().unwrap().json();
    assert_eq!(
        (
            told["type"].as_str(),
            told["data"]["may_ask_again"].as_bool()
        ),
        (Some("request.denied"), Some(true))
    );
}

#[tokio::test]
async fn the_tables_have_their_own_maps() {
    let it = Running::start(Flavour::Sqlite).await;
    for (category, table, values, state) in [
        (
            "task",
            "sc_task",
            &[("state", "3")][..],
            RequestState::Fulfilled,
        ),
        (
            "access",
            "incident",
            &[("state", "3")][..],
            RequestState::OnHold,
        ),
        (
            "change",
            "change_request",
            &[("state", "-1")][..],
            RequestState::InProgress,
        ),
        (
            "problem",
            "problem",
            &[("state", "104")][..],
            RequestState::InProgress,
        ),
        (
            "task",
            "sc_task",
            &[("state", "4"), ("close_notes", "Out of licences.")][..],
            RequestState::Denied,
        ),
    ] {
        let id = it.opened(&format!("{category}-{state}"), category).await;
        it.advance(Duration::from_secs(30));
        let sys_id = it.ticket(id).await.sys_id.unwrap();
        it.main.update(None, table, &sys_id, values).unwrap();
        it.look().await;
        assert_eq!(it.request(id).await.state, state, "{table} {values:?}");
    }
}

#[tokio::test]
async fn close_codes_tell_denied_from_done() {
    let more = "[[routes]]\nname = \"coded\"\ncategory = \"coded\"\nconnection = \"main\"\ntable = \"incident\"\n\
                [routes.fields]\nshort_description = \"{{ item }}\"\n[routes.close_codes_in]\n\"No resolution provided\" = \"denied\"\n";
    let it = Running::with(Flavour::Sqlite, more).await;
    for (code, state) in [
        ("No resolution provided", RequestState::Denied),
        ("Solution provided", RequestState::Fulfilled),
    ] {
        let id = it.opened(code, "coded").await;
        it.advance(Duration::from_secs(30));
        it.agent(
            &it.number(id).await,
            &AgentAction::Resolve {
                code: Some(code.to_owned()),
                notes: Some("See above.".to_owned()),
            },
        );
        it.look().await;
        assert_eq!(it.request(id).await.state, state, "{code}");
    }
}

#[tokio::test]
async fn a_value_nobody_mapped_is_flagged_and_never_guessed() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "access").await;
    let sys_id = it.ticket(id).await.sys_id.unwrap();
    it.main
        .insert(
            None,
            "sys_choice",
            &[
                ("name", "incident"),
                ("element", "state"),
                ("value", "42"),
                ("label", "Parked"),
                ("language", "en"),
            ],
        )
        .unwrap();
    it.advance(Duration::from_secs(30));
    it.main.set_knobs(|knobs| knobs.choice_strict = false);
    it.main
        .update(None, "incident", &sys_id, &[("state", "42")])
        .unwrap();
    it.look().await;
    let request = it.request(id).await;
    assert_eq!(request.state, RequestState::Open, "it stays where it is");
    let attention = request.attention.unwrap();
    assert!(
        attention.contains("state `42`")
            && attention.contains("route `access`")
            && attention.contains("states_in"),
        "{attention}"
    );
    let version = request.version;
    it.pass(Duration::from_mins(5), Duration::from_secs(30))
        .await;
    assert_eq!(it.request(id).await.version, version, "it is flagged once");

    it.advance(Duration::from_secs(30));
    it.main
        .update(None, "incident", &sys_id, &[("state", "2")])
        .unwrap();
    it.look().await;
    let request = it.request(id).await;
    assert_eq!(
        (request.state, request.attention),
        (RequestState::InProgress, None)
    );
}

#[tokio::test]
async fn resolved_and_closed_do_not_toggle_and_an_end_is_never_left() {
    let it = Running::start(Flavour::Sqlite).await;
    let id = it.opened("R1", "access").await;
    it.opened("R2", "access").await;
    let (number, sys_id) = (it.number(id).await, it.ticket(id).await.sys_id.unwrap());
    let mut versions = Vec::new();
    for action in [
        AgentAction::Resolve {
            code: None,
            notes: Some("Done.".to_owned()),
        },
        AgentAction::Close {
            notes: Some("Done.".to_owned()),
        },
    ] {
        it.advance(Duration::from_secs(30));
        it.agent(&number, &action);
        it.look().await;
        let request = it.request(id).await;
        assert_eq!(request.state, RequestState::Fulfilled);
        versions.push(request.version);
    }
    assert_eq!(
        versions[0], versions[1],
        "closing a resolved ticket is no news"
    );
    it.advance(Duration::from_secs(30));
    it.main
        .update(None, "incident", &sys_id, &[("state", "2")])
        .unwrap();
    it.look().await;
    let request = it.request(id).await;
    assert_eq!(request.state, RequestState::Fulfilled);
    assert!(
        request
            .attention
            .unwrap()
            .starts_with("Reopened: the ticket has state 2 again")
    );
}

#[tokio::test]
async fn nobody_polls_a_table_without_open_tickets() {
    let it = Running::start(Flavour::Sqlite).await;
    it.pass(Duration::from_mins(10), Duration::from_secs(30))
        .await;
    assert_eq!(it.main.count(&simulator::CallFilter::default()), 0);
    let id = it.opened("R1", "access").await;
    it.say(id, "withdrawn", json!({"reason": "Changed my mind."}))
        .await;
    it.settle().await;
    let calls = it.main.count(&simulator::CallFilter::default());
    it.pass(Duration::from_mins(10), Duration::from_secs(30))
        .await;
    assert_eq!(
        it.main.count(&simulator::CallFilter::default()),
        calls,
        "its only request has ended"
    );
}
