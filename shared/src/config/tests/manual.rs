//! `config.default.toml` is the manual: it must know every key, and no other, and tell the true defaults.

use std::collections::BTreeSet;

use secrecy::ExposeSecret as _;
use serde_json::Value as Json;

use super::*;

/// The default file with its examples switched on: `# key = value` and `# [table]` lines become real.
fn with_examples() -> String {
    let example = |line: &str| {
        let rest = line.strip_prefix("# ")?;
        let table = rest.starts_with('[');
        let name = |key: &str| {
            key.starts_with('"') || key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        };
        let key = rest.split_once(" = ").is_some_and(|(key, _)| name(key));
        (table || key).then(|| rest.to_owned())
    };
    DEFAULTS
        .lines()
        .map(|line| example(line).unwrap_or_else(|| line.to_owned()) + "\n")
        .collect()
}

/// Keys of the file: the names people choose are `*`, tables of names are one key.
fn keys_of_file(tree: &Json, schema: &Json, at: &str, keys: &mut BTreeSet<String>) {
    match (
        tree,
        schema.get("properties"),
        schema
            .get("additionalProperties")
            .filter(|any| any["properties"].is_object()),
    ) {
        (Json::Object(tree), Some(known), _) => {
            for (name, inner) in tree {
                keys_of_file(inner, optional(&known[name]), &format!("{at}.{name}"), keys);
            }
        }
        (Json::Object(tree), None, Some(any)) => {
            for inner in tree.values() {
                keys_of_file(inner, any, &format!("{at}.*"), keys);
            }
        }
        (Json::Array(items), ..) if schema["items"]["properties"].is_object() => {
            for inner in items {
                keys_of_file(inner, &schema["items"], &format!("{at}[]"), keys);
            }
        }
        _ => {
            keys.insert(at.trim_start_matches('.').to_owned());
        }
    }
}

/// The same keys, from the types.
fn keys_of_types(schema: &Json, at: &str, keys: &mut BTreeSet<String>) {
    let schema = optional(schema);
    if let Some(known) = schema["properties"].as_object() {
        for (name, inner) in known {
            keys_of_types(inner, &format!("{at}.{name}"), keys);
        }
    } else if schema["additionalProperties"]["properties"].is_object() {
        keys_of_types(&schema["additionalProperties"], &format!("{at}.*"), keys);
    } else if schema["items"]["properties"].is_object() {
        keys_of_types(&schema["items"], &format!("{at}[]"), keys);
    } else {
        keys.insert(at.trim_start_matches('.').to_owned());
    }
}

fn optional(schema: &Json) -> &Json {
    let given = schema["anyOf"]
        .as_array()
        .and_then(|any| any.iter().find(|one| one["type"] != "null"));
    given.unwrap_or(schema)
}

#[test]
fn every_key_is_in_the_manual_and_the_manual_knows_no_other() {
    let tree: Json = ::config::Config::builder()
        .add_source(::config::File::from_str(
            &with_examples(),
            ::config::FileFormat::Toml,
        ))
        .build()
        .unwrap()
        .try_deserialize()
        .unwrap();
    let (mut written, mut known) = (BTreeSet::new(), BTreeSet::new());
    keys_of_file(&tree, &schema::raw(), "", &mut written);
    keys_of_types(&schema::raw(), "", &mut known);
    assert!(known.len() > 90, "{known:?}");
    assert_eq!(written, known);
}

/// The examples without the second form of each secret, and with a secret that is one.
fn runnable_examples() -> String {
    let secret = format!("whsec_{}", "A".repeat(32));
    let lines = with_examples();
    lines
        .lines()
        .filter(|line| !line.contains("_file = "))
        .map(|line| line.replace("whsec_…", &secret) + "\n")
        .collect()
}

#[test]
fn the_examples_run_and_tell_the_true_defaults() {
    // SQLite, the default, takes no password; the others may stay.
    let text = runnable_examples().replacen("password = \"…\"", "", 1);
    let settings = load(&text, &[]).unwrap_or_else(|problems| panic!("{problems}"));

    let (shown, default) = (&settings.connections["main"], ConnectionSettings::default());
    assert_eq!(shown.allow_http, default.allow_http);
    assert_eq!(shown.auth, default.auth);
    assert_eq!(shown.api_key_header, default.api_key_header);
    assert_eq!(
        [
            shown.request_timeout(),
            shown.connect_timeout(),
            shown.poll(),
            shown.overlap(),
            shown.reconcile(),
            shown.drift().unwrap_or_default(),
            shown.choices().unwrap_or_default(),
            shown.quiet(),
            shown.person_cache(),
        ],
        [
            default.request_timeout(),
            default.connect_timeout(),
            default.poll(),
            default.overlap(),
            default.reconcile(),
            default.drift().unwrap_or_default(),
            default.choices().unwrap_or_default(),
            default.quiet(),
            default.person_cache(),
        ]
    );
    assert_eq!(
        (
            shown.max_in_flight,
            shown.page_size,
            shown.drift_days,
            shown.refresh_token_days
        ),
        (
            default.max_in_flight,
            default.page_size,
            default.drift_days,
            default.refresh_token_days
        )
    );
    assert_eq!(
        settings.sources["idm"].allow_http,
        SourceSettings::default().allow_http
    );

    let (shown, default) = (&settings.routes[0], RouteSettings::default());
    assert_eq!(
        (shown.enabled, shown.mastery),
        (default.enabled, default.mastery)
    );
    assert_eq!(shown.give_up_after(), default.give_up_after());
    let person: PersonSettings =
        serde_json::from_value(serde_json::json!({"field": "caller_id"})).unwrap();
    assert_eq!(shown.person, Some(person));
    assert!(
        settings
            .compile_routes()
            .unwrap()
            .by_name("sap-access")
            .is_some()
    );
}

#[test]
fn the_defaults_alone_are_valid_for_one_process() {
    let settings =
        Settings::load(&Layers::default()).unwrap_or_else(|problems| panic!("{problems}"));
    settings.check_for(ProcessKind::All).unwrap();
    assert_eq!(
        settings.database.url.expose_secret(),
        "sqlite://ticketbridge.db"
    );
    assert_eq!(settings.server.base_url(), "http://127.0.0.1:8080");
    assert_eq!(settings.queue.kind, QueueKind::Memory);
    assert_eq!(settings.telemetry.format, LogFormat::Auto);
    assert_eq!(settings.worker.kinds(), crate::job::JobKind::QUEUES);
    assert_eq!(settings.retry.policy().max_attempts, 12);
    assert_eq!(
        settings.callbacks.policy().max_attempts,
        8,
        "seven waits lie between eight deliveries"
    );
    assert!(
        settings.connections.is_empty()
            && settings.sources.is_empty()
            && settings.routes.is_empty()
    );
}

#[test]
fn the_schema_gives_defaults_and_requires_only_what_has_none() {
    let schema = json_schema();
    let server = &schema["properties"]["server"];
    assert_eq!(server["properties"]["listen"]["default"], "127.0.0.1:8080");
    assert_eq!(
        server["properties"]["body_limit_bytes"]["maximum"],
        67_108_864
    );
    assert_eq!(
        (&server["required"], &schema["required"]),
        (&Json::Null, &Json::Null)
    );
    assert_eq!(server["additionalProperties"], false);
    let connection = &schema["properties"]["connections"]["additionalProperties"];
    assert_eq!(connection["required"], serde_json::json!(["base_url"]));
    assert_eq!(connection["properties"]["client_secret"]["writeOnly"], true);
    assert_eq!(connection["properties"]["poll_seconds"]["default"], 30);
    let route = &schema["properties"]["routes"]["items"];
    assert_eq!(
        route["required"],
        serde_json::json!(["name", "category", "connection"])
    );
}
