//! `doctor`, against a simulated instance: what is well, and what each trouble is told to be.

use insta::assert_snapshot;
use simulator::{Hibernate, Options, Simulator};
use tests::binary::Home;
use tests::oidc_provider::{Behaviour, OidcProvider};

use crate::redacted;

async fn stage(change: impl FnOnce(String) -> String) -> (Home, Simulator) {
    let simulator = Simulator::start(Options::default())
        .await
        .expect("an instance starts");
    let toml = format!(
        r#"
[connections.main]
base_url = "{}"
auth = "client_credentials"
client_id = "ticketbridge-demo"
client_secret = "ticketbridge-demo-secret"
[sources.idm]
[[routes]]
name = "access"
category = "access"
connection = "main"
table = "incident"
[routes.fields]
short_description = "{{{{ item }}}}"
"#,
        simulator.base_url()
    );
    let home = Home::with(&change(toml));
    home.run("migrate").with_code(0);
    (home, simulator)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_well() {
    let (home, simulator) = stage(|it| it).await;
    simulator.set_knobs(|knobs| knobs.field_acl.clear());
    let before = simulator.dump();
    let ended = home.run("doctor").with_code(0);
    redacted(&home, || assert_snapshot!(ended.stdout));
    assert!(!ended.stdout.contains('\u{1b}'), "{ended}");
    let steps = home.run("doctor --json").with_code(0).json();
    let is_well = |step: &serde_json::Value| {
        // A right to write cannot be proved without writing.
        step["verdict"] == "good" || (step["tried"] == "write" && step["verdict"] == "skipped")
    };
    assert!(steps.as_array().unwrap().iter().all(is_well), "{steps:#}");
    let tickets = |it: &std::collections::BTreeMap<String, Vec<simulator::RowMap>>| {
        it.get("incident").cloned().unwrap_or_default()
    };
    assert_eq!(
        tickets(&simulator.dump()),
        tickets(&before),
        "it changes nothing"
    );
    let calls = simulator.calls(&simulator::CallFilter::default());
    let writes = calls
        .iter()
        .filter(|call| call.method != "GET" && call.kind != "token");
    let statuses: Vec<_> = writes
        .map(|call| (call.method.as_str(), call.status))
        .collect();
    assert_eq!(
        statuses,
        [("PATCH", Some(404)); 2],
        "a record that cannot exist"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_may_not_read_choices() {
    let (home, _simulator) = stage(|it| it).await;
    let ended = home.run("doctor --connection main").with_code(0);
    redacted(&home, || assert_snapshot!(ended.stdout));
}

/// A provider, and a home whose operators sign in through it.
async fn with_provider(change: impl Fn(String) -> String) -> (Home, OidcProvider) {
    let provider = OidcProvider::start().await;
    let preset = change(provider.preset());
    let (home, _simulator) = stage(|it| format!("{preset}{it}")).await;
    (home, provider)
}

/// What `doctor` says of the provider.
fn of_provider(home: &Home) -> String {
    let ended = home.run("doctor");
    let mut shown = String::new();
    let mut is_about = false;
    for line in ended.stdout.lines() {
        if !line.starts_with(' ') {
            is_about = line.contains("identity provider");
        }
        if is_about {
            shown.push_str(line);
            shown.push('\n');
        }
    }
    shown
}

fn shown(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"localhost:\d+", "[provider]");
    settings.add_filter(r"127\.0\.0\.1:\d+", "[provider by another name]");
    settings.bind(|| assert_snapshot!(name, text));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_the_identity_provider() {
    let (home, provider) = with_provider(|it| it).await;
    shown("a_provider_that_is_well", &of_provider(&home));
    provider.behave(Behaviour {
        published: Vec::new(),
        ..Behaviour::of("vera", &["desk"])
    });
    shown("a_provider_without_keys", &of_provider(&home));
    provider.stop().await;
    shown("a_provider_that_is_away", &of_provider(&home));
    // By another name than the one that it has for itself.
    let (home, _provider) = with_provider(|it| it.replace("localhost", "127.0.0.1")).await;
    shown("another_issuer", &of_provider(&home));
    let (home, _provider) =
        with_provider(|it| it.replace("\"\nclient_id", "/console\"\nclient_id")).await;
    shown("an_issuer_with_a_wrong_path", &of_provider(&home));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret() {
    let (home, _simulator) = stage(|it| it.replace("demo-secret", "other-secret")).await;
    let ended = home.run("doctor --connection main").with_code(6);
    redacted(&home, || assert_snapshot!(ended.stdout));
    assert!(!format!("{ended}").contains("other-secret"), "{ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_that_dies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refresh-token");
    std::fs::write(&path, "fictional-token-4711").unwrap();
    let file = std::fs::File::options().append(true).open(&path).unwrap();
    let login = format!(
        "auth = \"refresh_token\"\nrefresh_token_file = '{}'",
        path.display()
    );
    let (home, _simulator) = stage(|it| it.replace("auth = \"client_credentials\"", &login)).await;
    let now = file.metadata().unwrap().modified().unwrap();
    for (days, hours) in [(90, 1), (101, 0)] {
        let age = std::time::Duration::from_hours(days * 24 + hours);
        file.set_modified(now - age).unwrap();
        let ended = home.run("doctor --connection main").with_code(6);
        assert!(!format!("{ended}").contains("4711"), "{ended}");
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"\d{4}-\d\d-\d\d", "[day]");
        settings.bind(|| redacted(&home, || assert_snapshot!(ended.stdout)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_base_url() {
    // Nobody listens on port 1.
    let (home, _simulator) = stage(|it| {
        let start = it.find("http://127.0.0.1:").expect("the base URL");
        let end = start + it[start..].find('"').expect("its end");
        format!("{}http://127.0.0.1:1{}", &it[..start], &it[end..])
    })
    .await;
    let ended = home.run("doctor --connection main").with_code(6);
    redacted(&home, || assert_snapshot!(ended.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_url_with_a_path() {
    let (home, simulator) = stage(|it| it).await;
    let with_path = format!("{}/api/now", simulator.base_url());
    let toml = std::fs::read_to_string(home.path().join("ticketbridge.toml")).unwrap();
    home.write(
        "ticketbridge.toml",
        &toml.replace(&simulator.base_url(), &with_path),
    );
    let ended = home.run("doctor").with_code(3);
    assert!(
        ended.stderr.contains("connections.main.base_url"),
        "{ended}"
    );
    assert!(ended.stderr.contains("has a path"), "{ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hibernating_instance() {
    let (home, simulator) = stage(|it| it).await;
    simulator.set_knobs(|knobs| {
        knobs.hibernate = Some(Hibernate {
            html: 50,
            bad_gateway: 0,
        });
    });
    let ended = home.run("doctor --connection main").with_code(6);
    redacted(&home, || assert_snapshot!(ended.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_not_configured() {
    let (home, _simulator) = stage(|it| it).await;
    let ended = home.run("doctor --connection mian").with_code(4);
    assert!(ended.stderr.contains("there is: main"), "{ended}");
}
