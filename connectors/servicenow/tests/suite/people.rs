//! Look-ups of people and of journal entries.

use servicenow_client::{JournalSource, MarkerSearch, QueryError, User, UserKey, UserLookup};

use crate::responder::{Act, Responder, html, json, json_with};

fn email(value: &str) -> UserKey {
    UserKey::Email(value.to_owned())
}

fn row(id: &str, email: &str) -> String {
    format!(
        r#"{{"sys_id":"{id}","user_name":"{id}.example","name":"Person {id}","email":"{email}","employee_number":"","active":"true"}}"#
    )
}

fn rows(rows: &[String]) -> String {
    format!(r#"{{"result":[{}]}}"#, rows.join(","))
}

#[tokio::test]
async fn each_key_is_found_missing_or_ambiguous() {
    let body = rows(&[
        row("u1", "Ann@Example.com"),
        row("u2", "twice@example.com"),
        row("u3", "TWICE@example.com"),
    ]);
    let responder = Responder::always(json(200, &body));
    let keys = [
        email("ann@example.com"),
        email("nobody@example.com"),
        email("twice@example.com"),
        email("a^b@example.com"),
        email("a,b@example.com"),
    ];
    let found = responder
        .client()
        .users()
        .find_users(&keys)
        .await
        .expect("an answer");
    let UserLookup::Found(User {
        sys_id, user_name, ..
    }) = &found[&keys[0]]
    else {
        panic!("{found:?}");
    };
    assert_eq!((sys_id.as_str(), user_name.as_str()), ("u1", "u1.example"));
    assert_eq!(found[&keys[1]], UserLookup::NotFound);
    assert_eq!(
        found[&keys[2]],
        UserLookup::Ambiguous(vec!["u2".to_owned(), "u3".to_owned()])
    );
    assert!(matches!(
        found[&keys[3]],
        UserLookup::Refused(QueryError::ForbiddenCharacter { .. })
    ));
    assert!(matches!(
        found[&keys[4]],
        UserLookup::Refused(QueryError::CommaInList { .. })
    ));
    let seen = responder.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        seen[0].param("sysparm_query").as_deref(),
        Some(
            "emailINann@example.com,nobody@example.com,twice@example.com^active=true^ORDERBYsys_id"
        )
    );
}

#[tokio::test]
async fn many_keys_are_asked_for_in_chunks() {
    let responder = Responder::always(json(200, &rows(&[])));
    let keys: Vec<UserKey> = (0..310)
        .map(|number| UserKey::SysId(format!("{number:032x}")))
        .chain([email("ann@example.com"), email("ann@example.com")])
        .collect();
    let found = responder
        .client()
        .users()
        .find_users(&keys)
        .await
        .expect("an answer");
    assert_eq!(found.len(), 311);
    assert!(found.values().all(|lookup| *lookup == UserLookup::NotFound));
    let seen = responder.seen();
    assert_eq!(seen.len(), 4);
    assert!(
        seen.iter()
            .all(|seen| seen.path.len() + seen.query.len() < 7000)
    );
}

#[tokio::test]
async fn keys_are_tried_in_their_order() {
    let responder = Responder::start(|seen| {
        let query = seen.param("sysparm_query").unwrap_or_default();
        let found = if query.starts_with("email=") {
            vec![row("u1", "ann@example.com")]
        } else {
            vec![]
        };
        Act::Answer(json(200, &rows(&found)))
    });
    let users = responder.client().users();
    let keys = [
        UserKey::EmployeeNumber("1001".to_owned()),
        email("ann@example.com"),
        UserKey::UserName("never.asked".to_owned()),
    ];
    assert!(matches!(
        users.find_user(&keys).await.expect("an answer"),
        UserLookup::Found(_)
    ));
    assert_eq!(responder.seen().len(), 2);
    assert_eq!(
        users.find_user(&keys[2..]).await.expect("an answer"),
        UserLookup::NotFound
    );
    assert_eq!(
        users.find_user(&[]).await.expect("an answer"),
        UserLookup::NotFound
    );
    let refused = users.find_user(&[email("")]).await.expect("an answer");
    assert!(matches!(
        refused,
        UserLookup::Refused(QueryError::EmptyValue { .. })
    ));
}

#[tokio::test]
async fn rows_of_other_or_inactive_people_are_never_taken() {
    let other = rows(&[row("u9", "root@example.com")]);
    let inactive = rows(&[row("u1", "ann@example.com").replace("true", "false")]);
    for body in [other, inactive] {
        let responder = Responder::always(json(200, &body));
        let error = responder
            .client()
            .users()
            .find_user(&[email("ann@example.com")])
            .await
            .expect_err("an error");
        assert_eq!(error.class_name(), "untrustworthy");
    }
}

#[tokio::test]
async fn a_cut_list_of_people_is_not_believed() {
    let responder = Responder::always(json_with(200, &[("X-Total-Count", "5000")], &rows(&[])));
    let keys = [email("ann@example.com"), email("bob@example.com")];
    let error = responder
        .client()
        .users()
        .find_users(&keys)
        .await
        .expect_err("an error");
    assert_eq!(error.class_name(), "untrustworthy");
}

const ENTRIES: &str = "/api/now/table/sys_journal_field";

fn entry(id: &str, record: &str, value: &str) -> String {
    format!(
        r#"{{"sys_id":"{id}","element_id":"{record}","name":"incident","element":"comments","value":"{value}","sys_created_on":"2026-11-22 10:00:00","sys_created_by":"bridge"}}"#
    )
}

/// A journal of which the entries and the rendered text are answered so.
fn journal(entries: Vec<u8>, record: &'static str) -> Responder {
    Responder::start(move |seen| {
        Act::Answer(if seen.path == ENTRIES {
            entries.clone()
        } else {
            json(200, record)
        })
    })
}

const RENDERED: &str = r#"{"result":{"sys_id":{"display_value":"abc","value":"abc"},"comments":{"display_value":"2026-11-22 10:00:00 - Bridge (Additional comments)\nApproved. [ref:m1]\n\n","value":""},"work_notes":{"display_value":"","value":""}}}"#;

#[tokio::test]
async fn a_journal_is_read_from_its_entries() {
    // A dropped condition would bring entries of other records.
    let body = rows(&[
        entry("j1", "abc", "Approved. [ref:m1]"),
        entry("j2", "other", "private"),
    ]);
    let responder = journal(json(200, &body), RENDERED);
    let read = responder
        .client()
        .journals()
        .read("incident", "abc")
        .await
        .expect("a journal")
        .value;
    assert_eq!(read.source, JournalSource::Entries);
    assert_eq!(read.entries.len(), 1);
    assert_eq!(read.entries[0].value, "Approved. [ref:m1]");
    assert_eq!(read.entries[0].created_by, "bridge");
    assert_eq!(responder.seen().len(), 1);
    let query = responder.seen()[0].param("sysparm_query");
    assert_eq!(
        query.as_deref(),
        Some("element_id=abc^name=incident^ORDERBYDESCsys_created_on")
    );
}

#[tokio::test]
async fn without_entries_the_rendered_text_is_read() {
    let forbidden = r#"{"error":{"message":"User Not Authorized","detail":"Failed API level ACL Validation"},"status":"failure"}"#;
    for entries in [json(200, &rows(&[])), json(403, forbidden)] {
        let responder = journal(entries, RENDERED);
        let read = responder
            .client()
            .journals()
            .read("incident", "abc")
            .await
            .expect("a journal")
            .value;
        let JournalSource::Rendered {
            comments,
            work_notes,
        } = read.source
        else {
            panic!("{read:?}");
        };
        assert!(comments.expect("comments").contains("[ref:m1]"));
        assert_eq!(work_notes.as_deref(), Some(""));
        assert_eq!(
            responder.seen()[1]
                .param("sysparm_display_value")
                .as_deref(),
            Some("all")
        );
    }
    let responder = journal(html(503, ""), RENDERED);
    let error = responder
        .client()
        .journals()
        .read("incident", "abc")
        .await
        .expect_err("an error");
    assert_eq!(error.class_name(), "busy");
}

#[tokio::test]
async fn a_marker_is_found_absent_or_not_to_be_told() {
    let found = rows(&[entry("j1", "abc", "Approved. [ref:m2]")]);
    let none = rows(&[]);
    let hidden = r#"{"result":{"sys_id":{"display_value":"abc","value":"abc"}}}"#;
    for (entries, record, marker, listed, rendered) in [
        (&found, hidden, "[ref:m2]", true, MarkerSearch::Unreadable),
        (&none, RENDERED, "[ref:m1]", false, MarkerSearch::Found),
        (&none, RENDERED, "[ref:m3]", false, MarkerSearch::Absent),
        (&none, hidden, "[ref:m1]", false, MarkerSearch::Unreadable),
        (&found, RENDERED, "[ref:m3]", false, MarkerSearch::Absent),
    ] {
        let responder = journal(json(200, entries), record);
        let journals = responder.client().journals();
        let found = journals
            .marker_in_entries("incident", "abc", "comments", marker)
            .await
            .expect("an answer");
        assert_eq!(found.value, listed, "{marker}");
        let found = journals
            .marker_in_text("incident", "abc", "comments", marker)
            .await
            .expect("an answer");
        assert_eq!(found.value, rendered, "{marker}");
        assert_eq!(responder.seen().len(), 2, "one call each");
    }
}
