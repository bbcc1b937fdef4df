use insta::assert_snapshot;
use serde_json::Value;
use tests::binary::{Ended, Home};

use crate::{home, redacted, up};

#[test]
fn a_token_opens_the_api_until_it_is_revoked() {
    let mut home = home();
    let (process, url) = up(&home);
    let made = home
        .run("token create --source idm --label nightly --json")
        .with_code(0)
        .json();
    let id = made["id"].as_str().unwrap();
    home.set("TICKETBRIDGE_URL", &url);
    home.set("TICKETBRIDGE_TOKEN", made["token"].as_str().unwrap());
    home.run("requests list").with_code(0);

    let revoked = home.run(&format!("token revoke {id}")).with_code(0);
    assert_eq!(revoked.stdout, format!("{id} no longer opens anything.\n"));
    let refused = home.run("requests list").with_code(7);
    redacted(&home, || assert_snapshot!(refused.stderr));
    let again = home.run(&format!("token revoke {id}")).with_code(4);
    assert!(again.stderr.contains("ticketbridge token list"), "{again}");
    process.stop().with_code(0);
}

#[test]
fn lists_show_no_secret() {
    let home = home();
    let first = home
        .run("token create --source idm --label nightly")
        .with_code(0);
    redacted(&home, || assert_snapshot!(first.stdout));
    let token = first.stdout.lines().next().unwrap();
    home.run("token create --source idm --expires-days 30")
        .with_code(0);
    let text = home.run("token list").with_code(0);
    redacted(&home, || assert_snapshot!(text.stdout));
    let json = home.run("token list --json").with_code(0);
    let listed = json.json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert!(listed[0]["revoked_at"].is_null());
    let shows = |ended: &Ended| ended.stdout.contains(token);
    assert!(!shows(&text) && !shows(&json));
    assert!(
        listed
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["token"] == Value::Null)
    );
}

#[test]
fn a_source_that_is_not_configured_gets_no_token() {
    let ended = home().run("token create --source imd").with_code(4);
    assert!(ended.stderr.contains("no [sources.imd]"), "{ended}");
    assert!(ended.stderr.contains("there is: idm"), "{ended}");
}

#[test]
fn a_call_without_a_token_says_how_to_make_one() {
    let ended = Home::new().run("requests list").with_code(3);
    assert!(
        ended
            .stderr
            .contains("`ticketbridge token create --source NAME`"),
        "{ended}"
    );
}

#[test]
fn what_is_done_with_tokens_is_in_the_audit_trail() {
    let mut home = home();
    let (process, url) = up(&home);
    let made = home
        .run("token create --source idm --label nightly --json")
        .with_code(0)
        .json();
    let id = made["id"].as_str().unwrap();
    home.run(&format!("token revoke {id}")).with_code(0);
    home.run(&format!("token revoke {id}")).with_code(4);
    home.run("operator create vera --role viewer --no-password")
        .with_code(0);
    let token = home.run("operator token vera --json").with_code(0).json();
    home.set("TICKETBRIDGE_URL", &url);
    home.set("TICKETBRIDGE_TOKEN", token["token"].as_str().unwrap());
    let trail = home
        .run("audit list --subject-kind source --json")
        .with_code(0);
    assert!(!trail.stdout.contains(made["token"].as_str().unwrap()));
    let trail = trail.json();
    let words: Vec<_> = trail
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let detail = &it["detail"];
            [
                it["actor"].clone(),
                it["action"].clone(),
                it["subject_id"].clone(),
                detail["token"].clone(),
                detail["label"].clone(),
            ]
        })
        .collect();
    let entry =
        |action: &str| ["system:command-line", action, "idm", id, "nightly"].map(Value::from);
    assert_eq!(
        words,
        [entry("source.token_revoked"), entry("source.token_created")]
    );
    process.stop().with_code(0);
}
