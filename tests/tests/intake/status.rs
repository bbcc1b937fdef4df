use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shared::job::{JobKind, JobState};
use shared::store::{audit, jobs, notes};
use tests::bridge::{Answer, Api, Bridge};
use uuid::Uuid;

use crate::stable;

on_both!(
    where_servicenow_decides_words_become_notes,
    where_servicenow_decides_outcomes_are_refused,
    where_the_source_decides_words_move_the_request,
    saying_the_same_again_changes_nothing,
    an_ended_request_is_not_changed,
    an_extension_ends_later,
    if_match_protects_what_was_read,
    racing_changes_are_all_kept,
    a_key_keeps_a_comment_from_being_written_twice,
);

async fn say(api: &Api, id: Uuid, body: &Value) -> Answer {
    api.post(&format!("/v1/requests/{id}/status"), body).await
}

async fn updates(bridge: &Bridge, id: Uuid) -> usize {
    let all = jobs::of_request(bridge.store().conn(), id).await.unwrap();
    all.iter()
        .filter(|job| {
            job.kind == JobKind::UpdateServicenowStatus.as_str() && job.state == JobState::Rung
        })
        .count()
}

async fn where_servicenow_decides_words_become_notes(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let id = api.create("R1", "application-access").await;
    let words = [
        json!({"status": "approved", "actor": "sam.sample", "reason": "Line manager agreed."}),
        json!({"status": "extended", "valid_until": "2030-01-31T12:00:00Z", "comment": "As agreed.", "visible": true}),
        json!({"status": "comment", "comment": "Two\nlines"}),
    ];
    for word in &words {
        bridge.clock.advance(Duration::from_mins(1));
        let answer = say(&api, id, word).await;
        assert_eq!(
            (answer.status, &answer.body["state"]),
            (200, &json!("accepted")),
            "{}",
            answer.body
        );
    }
    let notes = notes::of_request(bridge.store().conn(), id).await.unwrap();
    let told: Vec<_> = notes
        .iter()
        .map(|note| (note.author.as_str(), note.text.as_str(), note.visible))
        .collect();
    insta::allow_duplicates!(insta::assert_json_snapshot!("notes", told));
    for note in &notes {
        assert_eq!(note.marker, format!("[TicketBridge {}]", note.id.simple()));
    }
    for again in &words[..1] {
        assert_eq!(say(&api, id, again).await.status, 200);
    }
    let extended = json!({"status": "extended", "valid_until": "2030-01-31T12:00:00Z"});
    assert_eq!(say(&api, id, &extended).await.status, 200);
    let after = notes::of_request(bridge.store().conn(), id).await.unwrap();
    assert_eq!(
        after, notes,
        "a decision is noted once, however often it is said"
    );
    assert_eq!(updates(bridge, id).await, 1, "one job writes them all");
    assert_eq!(bridge.bells("update-status@main").await.len(), 1);
    let shown = api.get(&format!("/v1/requests/{id}")).await.body;
    assert_eq!(shown["valid_until"], "2030-01-31T12:00:00Z");
    let timeline: Vec<_> = shown["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["text"])
        .collect();
    insta::allow_duplicates!(insta::assert_json_snapshot!("timeline", timeline));
}

async fn where_servicenow_decides_outcomes_are_refused(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let id = api.create("R1", "application-access").await;
    for word in ["in_progress", "on_hold", "fulfilled", "denied"] {
        let answer = say(
            &api,
            id,
            &json!({"status": word, "reason": "x", "comment": "y"}),
        )
        .await;
        assert_eq!(answer.status, 409);
        if word == "fulfilled" {
            insta::allow_duplicates!(insta::assert_json_snapshot!(
                "owned_by_servicenow",
                stable(&answer.body)
            ));
        }
    }
    assert_eq!(
        notes::of_request(bridge.store().conn(), id).await.unwrap(),
        []
    );
    assert_eq!(updates(bridge, id).await, 0);
}

async fn where_the_source_decides_words_move_the_request(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let id = api.create("R1", "directory-group").await;
    for (version, (word, state)) in [
        ("approved", "in_progress"),
        ("on_hold", "on_hold"),
        ("in_progress", "in_progress"),
        ("fulfilled", "fulfilled"),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = say(
            &api,
            id,
            &json!({"status": word, "reason": format!("because {word}")}),
        )
        .await;
        assert_eq!((answer.status, &answer.body["state"]), (200, &json!(state)));
        assert_eq!(answer.body["reason"], format!("because {word}"));
        assert_eq!(answer.header("etag"), format!("\"{}\"", version + 2));
    }
    assert_eq!(
        updates(bridge, id).await,
        1,
        "the ticket is brought to the newest state once"
    );
    let kinds: Vec<_> = api.get("/v1/events").await.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["type"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "request.accepted",
            "request.in_progress",
            "request.on_hold",
            "request.in_progress",
            "request.fulfilled"
        ]
    );
    let denied = api.create("R2", "directory-group").await;
    let answer = say(
        &api,
        denied,
        &json!({"status": "denied", "reason": "Not in your role."}),
    )
    .await;
    assert_eq!(
        (&answer.body["state"], &answer.body["may_ask_again"]),
        (&json!("denied"), &json!(true))
    );
    let states: Vec<_> = jobs::of_request(bridge.store().conn(), denied)
        .await
        .unwrap()
        .iter()
        .map(|job| job.state)
        .collect();
    assert_eq!(
        states,
        [JobState::Cancelled],
        "what was denied before anything was sent needs no ticket"
    );
}

async fn saying_the_same_again_changes_nothing(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let id = api.create("R1", "directory-group").await;
    let word = json!({"status": "on_hold", "reason": "Waits for a vendor."});
    let first = say(&api, id, &word).await;
    assert_eq!(say(&api, id, &word).await.body, first.body);
    assert_eq!(
        say(&api, id, &json!({"status": "on_hold"})).await.body,
        first.body,
        "no reason keeps the one there is"
    );
    let cancelled = say(
        &api,
        id,
        &json!({"status": "withdrawn", "reason": "No longer needed."}),
    )
    .await;
    assert_eq!(cancelled.body["version"], 3);
    let again = say(
        &api,
        id,
        &json!({"status": "withdrawn", "reason": "Really."}),
    )
    .await;
    assert_eq!((again.status, &again.body), (200, &cancelled.body));
}

async fn an_ended_request_is_not_changed(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let id = api.create("R1", "directory-group").await;
    say(&api, id, &json!({"status": "fulfilled"})).await;
    for word in [
        "approved",
        "in_progress",
        "on_hold",
        "denied",
        "withdrawn",
        "extended",
        "comment",
    ] {
        let mut body = json!({"status": word, "reason": "x", "comment": "y"});
        if word == "extended" {
            body["valid_until"] = json!("2030-01-31T12:00:00Z");
        }
        let answer = say(&api, id, &body).await;
        assert_eq!(answer.status, 409, "{word}");
        if word == "denied" {
            insta::allow_duplicates!(insta::assert_json_snapshot!(
                "request_ended",
                stable(&answer.body)
            ));
        }
    }
    assert_eq!(
        notes::of_request(bridge.store().conn(), id).await.unwrap(),
        []
    );
}

async fn an_extension_ends_later(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let id = api.create("R1", "application-access").await;
    let until = |time: &str| json!({"status": "extended", "valid_until": time});
    let past = say(&api, id, &until("2026-03-02T08:59:59Z")).await;
    assert_eq!(past.status, 422);
    insta::allow_duplicates!(insta::assert_json_snapshot!(
        "extension_in_the_past",
        stable(&past.body)
    ));
    assert_eq!(
        say(&api, id, &until("2026-06-01T00:00:00Z")).await.status,
        200
    );
    assert_eq!(
        say(&api, id, &until("2026-05-31T00:00:00Z")).await.status,
        422,
        "that would be shorter"
    );
    assert_eq!(
        say(&api, id, &until("2026-06-01T00:00:00Z")).await.body["version"],
        2
    );
}

async fn if_match_protects_what_was_read(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let id = api.create("R1", "directory-group").await;
    let say = async |tag: &str, word: &str| {
        let call = api.call(Method::POST, &format!("/v1/requests/{id}/status"));
        Answer::of(call.header("If-Match", tag).json(&json!({"status": word}))).await
    };
    let first = say("\"1\"", "approved").await;
    assert_eq!((first.status, first.header("etag")), (200, "\"2\""));
    let late = say("\"1\"", "on_hold").await;
    assert_eq!(late.status, 412);
    insta::allow_duplicates!(insta::assert_json_snapshot!(
        "version_mismatch",
        stable(&late.body)
    ));
    assert_eq!(say("\"1\", \"2\"", "on_hold").await.status, 200);
    assert_eq!(say("*", "in_progress").await.status, 200);
    let cancel = api
        .call(Method::POST, &format!("/v1/requests/{id}/cancel"))
        .header("If-Match", "\"1\"");
    assert_eq!(Answer::of(cancel.json(&json!({}))).await.status, 412);
}

async fn racing_changes_are_all_kept(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let id = api.create("R1", "directory-group").await;
    let words = [
        "approved",
        "on_hold",
        "in_progress",
        "on_hold",
        "approved",
        "comment",
        "comment",
        "comment",
    ];
    let calls = words.iter().enumerate().map(|(n, word)| {
        let body = json!({"status": word, "comment": format!("comment {n}")});
        let api = api.clone();
        async move { say(&api, id, &body).await.status }
    });
    let statuses = futures::future::join_all(calls).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let conn = bridge.store().conn();
    assert_eq!(
        notes::of_request(conn, id).await.unwrap().len(),
        words.len()
    );
    let moves = audit::of_request(conn, id).await.unwrap();
    let mut before = "accepted".to_owned();
    for row in moves.iter().skip(1).filter(|row| row.to.is_some()) {
        assert_eq!(
            row.from.as_deref(),
            Some(before.as_str()),
            "each move begins where the one before ended"
        );
        before = row.to.clone().unwrap();
    }
    assert_eq!(updates(bridge, id).await, 1);
}

async fn a_key_keeps_a_comment_from_being_written_twice(bridge: &Bridge) {
    let api = bridge.api("idm").await;
    let id = api.create("R1", "application-access").await;
    let say = async |key: &str, comment: &str| {
        let call = api.call(Method::POST, &format!("/v1/requests/{id}/status"));
        let body = json!({"status": "comment", "comment": comment});
        Answer::of(call.header("Idempotency-Key", key).json(&body)).await
    };
    for _ in 0..3 {
        assert_eq!(say("k-1", "once").await.status, 200);
    }
    let refused = say("k-1", "something else").await;
    assert_eq!(refused.status, 409);
    insta::allow_duplicates!(insta::assert_json_snapshot!(
        "key_of_another_change",
        stable(&refused.body)
    ));
    let create = api
        .call(Method::POST, "/v1/requests")
        .header("Idempotency-Key", "k-1");
    let create = create.json(&tests::bridge::asked("R2", "application-access"));
    assert_eq!(
        Answer::of(create).await.status,
        409,
        "a key of one operation is no key of another"
    );
    assert_eq!(
        notes::of_request(bridge.store().conn(), id)
            .await
            .unwrap()
            .len(),
        1
    );
}
