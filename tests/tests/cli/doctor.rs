//! `doctor`, against a simulated instance: what is well, and what each trouble is told to be.

use insta::assert_snapshot;
use simulator::{Hibernate, Options, Simulator};
use tests::binary::Home;

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
    let ended = home.run("doctor").with_code(0);
    redacted(&home, || assert_snapshot!(ended.stdout));
    assert!(!ended.stdout.contains('\u{1b}'), "{ended}");
    let steps = home.run("doctor --json").with_code(0).json();
    assert!(
        steps
            .as_array()
            .unwrap()
            .iter()
            .all(|step| step["verdict"] == "good"),
        "{steps:#}"
    );
    let writes = simulator.calls(&simulator::CallFilter::default());
    assert!(
        writes
            .iter()
            .all(|call| call.method == "GET" || call.kind == "token"),
        "it only reads"
    );
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
