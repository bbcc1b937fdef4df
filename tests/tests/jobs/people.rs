//! Whom a ticket is for (T6): found, or the request is denied; never somebody else.

use std::time::Duration;

use shared::request::RequestState;
use tests::databases::Flavour;
use tests::running::Running;

fn user(it: &Running, user_name: &str) -> String {
    it.main
        .row("sys_user", &format!("user_name={user_name}"))
        .expect("the seed has the user")["sys_id"]
        .clone()
}

#[tokio::test]
async fn match_rules_are_tried_in_order() {
    let it = Running::start(Flavour::Sqlite).await;
    for (external_id, person) in [
        ("R1", "fern.example"),
        ("R2", "otto.sample@example.com"),
        ("R3", " Fern.Example "),
    ] {
        let id = it.ask_for(external_id, "personal", person).await;
        it.settle().await;
        assert_eq!(
            it.request(id).await.state,
            RequestState::Open,
            "{person}: {:?}",
            it.attempts(id).await
        );
        let wanted = person.trim().to_lowercase().replace("@example.com", "");
        let sys_id = it.ticket(id).await.sys_id.unwrap();
        let record = it
            .main
            .row("incident", &format!("sys_id={sys_id}"))
            .unwrap();
        assert_eq!(record["caller_id"], user(&it, &wanted), "{person}");
    }
}

#[tokio::test]
async fn a_person_is_looked_up_once() {
    let it = Running::start(Flavour::Sqlite).await;
    for external_id in ["R1", "R2", "R3"] {
        it.ask_for(external_id, "personal", "fern.example").await;
        it.settle().await;
    }
    assert_eq!(it.calls("table.list", "sys_user"), 1);
    it.advance(Duration::from_hours(25));
    it.ask_for("R4", "personal", "fern.example").await;
    it.settle().await;
    assert_eq!(
        it.calls("table.list", "sys_user"),
        2,
        "after person_cache_hours it is looked up anew"
    );
}

#[tokio::test]
async fn nobody_is_guessed() {
    for (person, class, says) in [
        (
            "nobody.at.all",
            "person_not_found",
            "`nobody.at.all` is no active user in ServiceNow by user_name, email",
        ),
        (
            "gone.former",
            "person_not_found",
            "`gone.former` is no active user",
        ),
        (
            "sam.double@example.com",
            "person_ambiguous",
            "`sam.double@example.com` is more than one active user in ServiceNow by email",
        ),
        (
            "a^ORuser_name=admin",
            "person_refused",
            "cannot be looked up by user_name",
        ),
    ] {
        let it = Running::start(Flavour::Sqlite).await;
        let id = it.ask_for("R1", "personal", person).await;
        it.settle().await;
        let request = it.request(id).await;
        assert_eq!(request.state, RequestState::Denied, "{person}");
        let reason = request.reason.unwrap();
        assert!(
            reason.contains(says) && reason.contains("may be asked again"),
            "{reason}"
        );
        assert_eq!(
            it.job(id, "create_ticket.v1")
                .await
                .last_error_class
                .as_deref(),
            Some(class)
        );
        assert_eq!(it.records("incident").len(), 0, "{person}");
        assert_eq!(it.calls("table.create", "incident"), 0, "{person}");
        assert!(
            it.receiver.heard().last().unwrap().json()["data"]["may_ask_again"]
                .as_bool()
                .unwrap()
        );
    }
}
