//! The dashboard, the alert rules and the runbook in `docs/` speak of metrics, labels and chapters that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use yaml_rust2::YamlLoader;

const DASHBOARD: &str = "docs/grafana/ticketbridge.json";
const ALERTS: &str = "docs/prometheus/alerts.yaml";
const RUNBOOK: &str = "docs/operating.md";

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every metric that a text names, without what Prometheus puts behind histograms.
fn metrics(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.split(|c: char| !is_part(c))
        .filter(|word| word.starts_with("ticketbridge_"))
        .map(|word| {
            let end = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| word.strip_suffix(end));
            end.unwrap_or(word).to_owned()
        })
        .collect()
}

#[test]
fn every_metric_that_is_shown_or_watched_exists() {
    let known = metrics(&read("shared/src/telemetry/names.rs"));
    for file in [DASHBOARD, ALERTS, RUNBOOK] {
        let named = metrics(&read(file));
        assert!(named.len() > 10, "{file} names {named:?}");
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
    }
}

#[test]
fn the_dashboard_reads() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    assert_eq!(dashboard["uid"], "ticketbridge");
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let targets = panel["targets"].as_array();
        assert!(
            panel["type"] == "row" || targets.is_some_and(|it| !it.is_empty()),
            "{panel}"
        );
    }
}

#[test]
fn every_alert_says_what_to_do_and_where_it_is_written() {
    let anchors = anchors(&read(RUNBOOK));
    let rules = YamlLoader::load_from_str(&read(ALERTS)).unwrap();
    let groups = rules[0]["groups"].as_vec().unwrap();
    let alerts: Vec<_> = groups
        .iter()
        .flat_map(|group| group["rules"].as_vec().unwrap())
        .collect();
    assert!(alerts.len() > 10);
    for alert in alerts {
        let name = alert["alert"].as_str().unwrap();
        let annotations = &alert["annotations"];
        for part in ["summary", "description"] {
            assert!(
                annotations[part].as_str().is_some_and(|it| it.len() > 10),
                "{name}: {part}"
            );
        }
        let link = annotations["runbook"].as_str().unwrap_or_default();
        let (_, found) = link
            .split_once("docs/operating.md#")
            .unwrap_or_else(|| panic!("{name} links to `{link}`"));
        assert!(
            anchors.contains(found),
            "{name} links to #{found}; there is {anchors:?}"
        );
    }
}

#[test]
fn the_runbook_names_alerts_and_chapters_that_exist() {
    let (runbook, rules) = (read(RUNBOOK), read(ALERTS));
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let is_part = |c: char| c.is_ascii_alphanumeric();
    let named: BTreeSet<&str> = runbook
        .split(|c: char| !is_part(c))
        .filter(|word| word.len() > 12 && word.starts_with("TicketBridge"))
        .collect();
    assert!(named.len() > 10, "{named:?}");
    for alert in named {
        assert!(alerts.contains(&alert), "there is no alert {alert}");
    }
    let anchors = anchors(&runbook);
    for link in runbook.split("](#").skip(1) {
        let (link, _) = link.split_once(')').unwrap();
        assert!(anchors.contains(link), "there is no chapter #{link}");
    }
}

/// Where one can link to.
fn anchors(document: &str) -> BTreeSet<String> {
    document
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

/// As GitHub makes it of a heading.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}
