//! The chart in `deploy/helm/ticketbridge` names keys, paths, metrics and columns of the bridge. Nothing is rendered here: each name is
//! held against the thing itself.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use shared::config::{Layers, ProcessKind, Settings};
use shared::job::JobKind;
use tests::binary::Home;
use tests::bridge::Bridge;
use tests::databases::Flavour;
use yaml_rust2::{Yaml, YamlLoader};

/// Where the chart mounts secrets.
const SECRETS: &str = "/run/secrets/ticketbridge";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn in_chart(path: &str) -> String {
    read(&format!("deploy/helm/ticketbridge/{path}"))
}

fn parsed(text: &str) -> Yaml {
    let mut documents = YamlLoader::load_from_str(text).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn values() -> Yaml {
    parsed(&in_chart("values.yaml"))
}

/// All templates as one text.
fn templates() -> String {
    let folder = root().join("deploy/helm/ticketbridge/templates");
    let files = fs::read_dir(folder).unwrap();
    let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    texts.collect::<Vec<_>>().join("\n")
}

/// The words of a text that begin so and go on with these characters.
fn words(text: &str, start: &str, goes_on: impl Fn(char) -> bool) -> BTreeSet<String> {
    let found = text.match_indices(start).map(|(at, _)| {
        let rest = &text[at + start.len()..];
        let end = rest.find(|c| !goes_on(c)).unwrap_or(rest.len());
        format!("{start}{}", &rest[..end])
    });
    found.collect()
}

fn text(yaml: &Yaml) -> &str {
    yaml.as_str().expect("it is text")
}

#[test]
fn the_chart_is_of_this_version_and_its_schema_knows_its_values() {
    let chart = parsed(&in_chart("Chart.yaml"));
    assert_eq!(text(&chart["appVersion"]), env!("CARGO_PKG_VERSION"));
    let schema: serde_json::Value = serde_json::from_str(&in_chart("values.schema.json")).unwrap();
    let known: BTreeSet<_> = schema["properties"].as_object().unwrap().keys().collect();
    for key in values().as_hash().unwrap().keys() {
        assert!(known.contains(&text(key).to_owned()), "{key:?}");
    }
    let group = &schema["definitions"]["group"]["properties"]["queues"]["items"]["enum"];
    let queues = group
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it.as_str());
    let known = JobKind::QUEUES.map(JobKind::queue);
    assert_eq!(queues.collect::<BTreeSet<_>>(), BTreeSet::from(known));
}

/// What the chart puts into the environment, by the templates' own names.
fn environment(folder: &Path) -> Vec<(String, String)> {
    let values = values();
    let at = |path: &str| folder.join(path).display().to_string();
    let number = |yaml: &Yaml| yaml.as_i64().expect("a number").to_string();
    let known = [
        ("DATABASE__URL", text(&values["database"]["url"]).to_owned()),
        ("DATABASE__PASSWORD_FILE", at("database/password")),
        (
            "DATABASE__MAX_CONNECTIONS",
            number(&values["database"]["maxConnections"]),
        ),
        ("DATABASE__MIGRATE_AT_START", "false".to_owned()),
        ("QUEUE__KIND", "redis".to_owned()),
        ("REDIS__URL", text(&values["redis"]["url"]).to_owned()),
        ("REDIS__PASSWORD_FILE", at("redis/password")),
        ("REDIS__SENTINEL_NODES", "one:26379,two:26379".to_owned()),
        ("REDIS__SENTINEL_MASTER", "main".to_owned()),
        ("SERVER__LISTEN", "0.0.0.0:8080".to_owned()),
        (
            "SERVER__PUBLIC_URL",
            "https://bridge.example.com".to_owned(),
        ),
        ("TELEMETRY__FORMAT", "json".to_owned()),
        ("WORKER__DRAIN_SECONDS", number(&values["drainSeconds"])),
        ("WORKER__LISTEN", "0.0.0.0:8081".to_owned()),
        ("WORKER__QUEUES", "create-ticket,callback".to_owned()),
    ];
    let known = known.map(|(name, value)| (format!("TICKETBRIDGE__{name}"), value));
    let named = words(&templates(), "TICKETBRIDGE__", |c| {
        c.is_ascii_uppercase() || c == '_'
    });
    let set: BTreeSet<String> = known.iter().map(|(name, _)| name.clone()).collect();
    // The settings of a group are put together: `TICKETBRIDGE__WORKER__{{ … }}`.
    let whole = named.into_iter().filter(|it| !it.ends_with("__"));
    assert_eq!(whole.collect::<BTreeSet<_>>(), set);
    let groups = values["workers"].as_hash().unwrap().values();
    let settings = groups.flat_map(|group| group["settings"].as_hash().unwrap().clone());
    let settings = settings.map(|(key, value)| {
        let name = format!("TICKETBRIDGE__WORKER__{}", text(&key).to_uppercase());
        (name, number(&value))
    });
    known.into_iter().chain(settings).collect()
}

#[test]
fn the_configuration_of_the_chart_is_accepted_by_schedulers_and_workers() {
    let home = Home::new();
    let values = values();
    let config = text(&values["config"]);
    let mut mounted = vec!["database/password".to_owned(), "redis/password".to_owned()];
    for file in words(config, SECRETS, |c| c != '"') {
        let path = file.trim_start_matches(SECRETS).trim_start_matches('/');
        let (name, _key) = path.split_once('/').expect("a file of a secret");
        let mut secrets = values["secrets"].as_vec().unwrap().iter();
        assert!(secrets.any(|it| text(&it["name"]) == name), "{name}");
        mounted.push(path.to_owned());
    }
    assert!(mounted.len() > 2, "the text names secrets");
    for path in &mounted {
        let file = home.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "fictional-secret").unwrap();
    }
    let here = config.replace(SECRETS, &home.path().display().to_string());
    let layers = Layers {
        file: Some(home.write("chart.toml", &here)),
        environment: environment(home.path()),
        ..Layers::default()
    };
    let settings = Settings::load(&layers).unwrap_or_else(|problems| panic!("{problems}"));
    for kind in [ProcessKind::Scheduler, ProcessKind::Worker] {
        settings
            .check_for(kind)
            .unwrap_or_else(|problems| panic!("{problems}"));
    }
    assert_eq!(settings.routes.len(), 1);
}

/// The job that migrates runs before the configuration is there.
#[test]
fn the_migration_needs_no_configuration_file() {
    let template = in_chart("templates/migrate.yaml");
    assert!(!template.contains("TICKETBRIDGE_CONFIG"));
    let home = Home::new();
    home.run("migrate --dry-run").with_code(6);
    for command in ["scheduler", "worker", "migrate"] {
        assert!(templates().contains(&format!("args: [{command}]")));
        home.run(&format!("{command} --help")).with_code(0);
    }
}

#[tokio::test]
async fn the_probes_ask_for_what_is_there() {
    let bridge = Bridge::start(Flavour::Sqlite).await;
    let worker = read("worker/src/health.rs");
    let paths = words(&templates(), "path: /", |c| c.is_ascii_alphanumeric());
    assert_eq!(paths.len(), 2, "{paths:?}");
    for path in paths {
        let path = path.trim_start_matches("path: ");
        assert_eq!(bridge.stranger().get(path).await.status, 200, "{path}");
        assert!(worker.contains(&format!(".route(\"{path}\"")), "{path}");
    }
}

#[test]
fn the_pods_run_as_the_user_of_the_image_and_on_its_port() {
    let image = read("Dockerfile");
    let user = values()["podSecurityContext"]["runAsUser"]
        .as_i64()
        .unwrap();
    let group = values()["podSecurityContext"]["runAsGroup"]
        .as_i64()
        .unwrap();
    assert!(image.contains(&format!("USER {user}:{group}\n")));
    assert!(image.contains("ENTRYPOINT [\"ticketbridge\"]"));
    assert!(image.contains("EXPOSE 8080\n"));
    assert!(in_chart("templates/scheduler.yaml").contains("containerPort: 8080"));
}

#[test]
fn what_is_scaled_by_is_measured() {
    let known = words(
        &read("shared/src/telemetry/names.rs"),
        "\"ticketbridge_",
        |c| c.is_ascii_lowercase() || c == '_',
    );
    let used = words(&templates(), "ticketbridge_", |c| {
        c.is_ascii_lowercase() || c == '_'
    });
    assert!(!used.is_empty());
    for metric in used {
        assert!(known.contains(&format!("\"{metric}")), "{metric}");
    }
}

#[tokio::test]
async fn the_question_of_the_autoscaler_counts_what_waits() {
    let template = in_chart("templates/_waiting.tpl");
    let query = template
        .lines()
        .find(|line| line.starts_with("SELECT "))
        .expect("a statement");
    let (_, only) = template.split_once("printf \"").unwrap();
    let (only, _) = only.split_once("\" (join").unwrap();
    let of = |queues: &str| query.replace("{{ $only }}", &only.replace("%s", queues));

    let bridge = Bridge::start(Flavour::Postgres).await;
    let api = bridge.api("idm").await;
    for number in 0..3 {
        api.create(&format!("R{number}"), "application-access")
            .await;
    }
    let conn = bridge.store().conn();
    let state = |set: &str| {
        format!(
            "UPDATE jobs SET {set} WHERE id = (SELECT MIN(id::text)::uuid FROM jobs WHERE state = 'rung')"
        )
    };
    conn.execute_unprepared(&state("state = 'due', due_at = now() + interval '1 hour'"))
        .await
        .unwrap();
    conn.execute_unprepared(&state("state = 'due', due_at = now() - interval '1 hour'"))
        .await
        .unwrap();
    for (query, waiting) in [
        (query.replace("{{ $only }}", ""), 2),
        (of("create-ticket', 'callback"), 2),
        (of("callback"), 0),
    ] {
        let row = conn
            .query_one_raw(Statement::from_string(DbBackend::Postgres, query.as_str()))
            .await
            .unwrap();
        let counted: i64 = row.unwrap().try_get("", "waiting").unwrap();
        assert_eq!(counted, waiting, "{query}");
    }
}
