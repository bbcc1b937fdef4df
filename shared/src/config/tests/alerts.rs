//! `[alerts]`: what makes no sense is told with what to do, before anybody relies on it.

use super::*;
use crate::alert::{AlertName, Severity};

#[test]
fn every_rule_is_on_with_a_destination() {
    let settings = load("", &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(!settings.alerts.is_on());
    let text = "[alerts.destinations.oncall]\nkind = \"webhook\"\nurl = \"https://hooks.example.com/services/T0/private\"\n";
    let settings = load(text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(settings.alerts.is_on());
    for name in AlertName::ALL {
        let rule = settings.alerts.rules.of(*name);
        assert!(rule.enabled && rule.tells("oncall"), "{name}");
    }
    let shown = settings.alerts.destinations["oncall"].shown();
    assert_eq!(
        shown, "https://hooks.example.com",
        "the path may be a secret"
    );
    assert!(!format!("{settings:?}").contains("private"));
}

#[test]
fn one_key_of_a_rule_may_be_set_alone() {
    let rules = load(
        "[alerts.rules.dead_jobs]\nthreshold = 7\n",
        &[("TICKETBRIDGE__ALERTS__RULES__NO_WORKER__SEVERITY", "info")],
    )
    .unwrap_or_else(|problems| panic!("{problems}"))
    .alerts
    .rules;
    assert_eq!(
        (rules.dead_jobs.threshold, rules.dead_jobs.quiet_minutes),
        (7, 720)
    );
    assert_eq!(rules.no_worker.severity, Severity::Info);
}

#[test]
fn what_makes_no_sense_is_told() {
    insta::assert_snapshot!(told(
        r#"
[alerts]
interval_seconds = 0
runbook_url = "wiki"

[alerts.rules.dead_job]
threshold = 1

[alerts.rules.dead_jobs]
threshold = 0
severity = "bad"
destinations = ["oncal", "nobody"]

[alerts.rules.throttled_share]
threshold = 150

[alerts.rules.unmapped_states]
threshold = 2000
for = 5

[alerts.destinations.oncall]
kind = "webhook"
url = "http://hooks.example.com/hunter2"
secret = "hunter2"
to = ["oncall@example.com"]
ca_file = "/nowhere/ca.pem"

[alerts.destinations.nowhere]
kind = "webhook"

[alerts.destinations.pager]
kind = "pager"

[alerts.destinations.Team]
kind = "mail"
smtp_host = "smtp.example.com:587"
ca_file = "/nowhere/ca.pem"
user = "bridge"
from = "TicketBridge <ticketbridge@example.com>"

[alerts.destinations.clear]
kind = "mail"
smtp_host = "smtp.example.com"
tls = "none"
ca_file = "/nowhere/ca.pem"
user = "bridge"
password = "hunter2"
from = "ticketbridge@example.com"
to = ["team@example", "team"]
allow_http = true
"#,
        &[],
        &[]
    ));
}

#[test]
fn an_authority_is_a_file_with_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let mail = |name: &str| {
        let file = folder.path().join(name);
        format!(
            "[alerts.destinations.team]\nkind = \"mail\"\nsmtp_host = \"smtp.example.com\"\nca_file = {file:?}\n\
             from = \"ticketbridge@example.com\"\nto = [\"team@example.com\"]\n"
        )
    };
    let pem = include_str!("../../../../connectors/servicenow/tests/suite/example-root.pem");
    let other = "-----BEGIN CERTIFICATE-----\nZmljdGlvbmFs\n-----END CERTIFICATE-----\n";
    for (name, text) in [
        ("good", pem),
        ("none", "not a certificate\n"),
        ("other", other),
        ("cut", &other[..40]),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    load(&mail("good"), &[]).unwrap_or_else(|problems| panic!("{problems}"));
    for (name, problem) in [
        ("none", "holds no certificate"),
        ("other", "holds what is no certificate"),
        ("cut", "does not read as PEM"),
        ("absent", "cannot be read"),
    ] {
        let told = told(&mail(name), &[], &[]);
        assert!(
            told.contains("alerts.destinations.team.ca_file") && told.contains(problem),
            "{told}"
        );
    }
}
