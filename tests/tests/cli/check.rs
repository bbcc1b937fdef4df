use insta::assert_snapshot;
use serde_json::json;
use tests::binary::Home;

use crate::{home, redacted};

const BAD: &str = r#"
[server]
lisen = "127.0.0.1:8080"
[database]
url = "mysql://somewhere"
[connections.main]
base_url = "http://instance.example.com"
auth = "basic"
password = "fictional-password"
[[routes]]
name = "access"
category = "access"
connection = "mian"
table = "incident"
[routes.fields]
short_description = "{{ item"
"#;

#[test]
fn a_good_configuration_is_told_route_by_route() {
    let home = home();
    let text = home.run("check").with_code(0);
    assert_snapshot!(text.stdout);
    assert!(text.stderr.is_empty(), "{text}");
    let report = home.run("check --json").with_code(0).json();
    assert_eq!(report["valid"], true);
    assert_eq!(report["routes"][0]["route"], "access");
}

#[test]
fn a_bad_configuration_is_refused_with_every_problem_at_once() {
    let home = Home::with(BAD);
    let ended = home.run("check").with_code(3);
    redacted(&home, || assert_snapshot!(ended.stderr));
    assert!(!format!("{ended}").contains("fictional-password"));
    let report = home.run("check --json").with_code(3);
    let problems = report.json();
    assert_eq!(problems["valid"], false);
    for problem in problems["problems"].as_array().unwrap() {
        assert!(!problem["fix"].as_str().unwrap().is_empty(), "{problem}");
    }
}

#[test]
fn a_file_that_is_named_and_not_there_is_a_problem() {
    let home = Home::new();
    let ended = home.run("--config missing.toml check").with_code(3);
    assert!(ended.stderr.contains("missing.toml"), "{ended}");
    assert!(ended.stderr.contains("fix: check the path"), "{ended}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let mut home = home();
    home.set("TICKETBRIDGE__ENVIRONMENT", "production");
    let report = home.run("check --json").with_code(0).json();
    assert_eq!(report["environment"], json!("production"));
    home.set("TICKETBRIDGE__SERVER__LISTEN", "everywhere");
    let ended = home.run("check").with_code(3);
    assert!(
        ended.stderr.contains("TICKETBRIDGE__SERVER__LISTEN"),
        "{ended}"
    );
}
