//! Choice lists: what an account is shown of them (wire contract 3.9).

use servicenow_client::{Choice, Choices};

use crate::responder::{Responder, json, json_with};

const TOTAL_OF_THREE: [(&str, &str); 1] = [("X-Total-Count", "3")];

fn row(id: &str, value: &str) -> String {
    format!(
        r#"{{"sys_id":"{id}","sys_updated_on":"2026-11-22 10:00:00","sys_mod_count":"0","name":"task","element":"state",
            "value":"{value}","label":"Open","language":"en","inactive":"false"}}"#
    )
}

#[tokio::test]
async fn a_page_shows_its_choices_and_what_follows() {
    let body = format!(r#"{{"result":[{},{}]}}"#, row("a", "1"), row("b", "2"));
    let responder = Responder::always(json_with(200, &TOTAL_OF_THREE, &body));
    let mut request = Choices::request(&["incident", "task"], &["state"]).expect("a request");
    request.limit = 2;
    let page = responder.client().choices().page(&request).await;
    let page = page.expect("an answer").value;
    let expected = Choice {
        table: "task".to_owned(),
        element: "state".to_owned(),
        value: "1".to_owned(),
        label: "Open".to_owned(),
        language: "en".to_owned(),
        inactive: false,
    };
    assert_eq!((page.choices.len(), page.hidden), (2, 0));
    assert_eq!(page.choices[0], expected);
    let seen = &responder.seen()[0];
    assert_eq!(
        seen.param("sysparm_query").as_deref(),
        Some("nameINincident,task^elementINstate^ORDERBYsys_updated_on^ORDERBYsys_id")
    );
    let next = page.next.expect("a third row");
    assert_eq!((next.cursor.sys_id.as_str(), next.limit), ("b", 2));
}

#[tokio::test]
async fn labels_alone_are_no_choices() {
    let labels =
        r#"{"result":[{"sys_id":"a","sys_updated_on":"2026-11-22 10:00:00","label":"Open"}]}"#;
    let without_value = row("a", "1").replace(r#""value":"1","#, "");
    let others = row("a", "1").replace("task", "sc_task");
    for body in [
        labels.to_owned(),
        format!(r#"{{"result":[{without_value}]}}"#),
        format!(r#"{{"result":[{others}]}}"#),
    ] {
        let responder = Responder::always(json(200, &body));
        let request = Choices::request(&["task"], &["state"]).expect("a request");
        let error = responder.client().choices().page(&request).await;
        let error = error.expect_err("what is shown is no list");
        assert_eq!(error.class_name(), "untrustworthy", "{body}");
    }
}

#[test]
fn names_are_checked() {
    assert!(Choices::request(&["task^NQ"], &["state"]).is_err());
    assert!(Choices::request(&["task"], &["state=1"]).is_err());
    assert!(Choices::request(&[], &["state"]).is_err());
}
