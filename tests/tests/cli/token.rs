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
