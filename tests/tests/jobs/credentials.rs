//! Credentials die: somebody is warned before, what an instance replaces is kept, and a dead one costs no attempt (N13).

use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use shared::clock::{Clock as _, SharedClock};
use shared::job::JobState;
use shared::request::RequestState;
use shared::store::{audit, credentials};
use simulator::{CallFilter, Simulator};
use tempfile::TempDir;
use tests::databases::Flavour;
use tests::running::Running;
use tracing_subscriber::fmt::MakeWriter;
use uuid::Uuid;

const DAY: Duration = Duration::from_hours(24);
/// Longer than an access token lives.
const ACCESS_LIFE: Duration = Duration::from_secs(1801);

on_both!(
    a_dead_refresh_token_parks_its_lane_until_another_is_there,
    each_threshold_warns_once_whatever_the_number_of_workers,
);

/// A file that holds a refresh token.
struct Place {
    folder: TempDir,
    file: PathBuf,
}

impl Place {
    async fn authorized(it: &Running) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("refresh-token");
        let place = Self { folder, file };
        place.put(it, &authorize(&it.main).await);
        std::fs::set_permissions(&place.file, std::fs::Permissions::from_mode(0o640)).unwrap();
        place
    }

    /// Written now, by the clock of the test.
    fn put(&self, it: &Running, token: &str) {
        let mut file = std::fs::File::create(&self.file).unwrap();
        file.write_all(token.as_bytes()).unwrap();
        file.set_modified(it.bridge.clock.now().into()).unwrap();
    }

    fn token(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap()
    }

    fn settings(&self) -> String {
        format!("refresh_token_file = '{}'", self.file.display())
    }
}

/// What a person gets by signing in.
async fn authorize(instance: &Simulator) -> String {
    let form = "grant_type=password&client_id=ticketbridge-demo&client_secret=ticketbridge-demo-secret\
                &username=ticketbridge.integration&password=ticketbridge-demo-password";
    let call = reqwest::Client::builder()
        .build()
        .unwrap()
        .post(format!("{}/oauth_token.do", instance.base_url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let answer = call.send().await.unwrap().text().await.unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    answer["refresh_token"].as_str().unwrap().to_owned()
}

fn worker(it: &Running, settings: &str) -> Arc<worker::Context> {
    it.fresh_worker_with(
        "auth = \"client_credentials\"",
        &format!("auth = \"refresh_token\"\n{settings}"),
    )
}

/// A process of its own with the settings as they are read now.
fn client(it: &Running, settings: &str) -> servicenow_client::Client {
    let worker = worker(it, settings);
    let clock: SharedClock = it.bridge.clock.clone();
    worker::client("main", &worker.settings.connections["main"], &clock).unwrap()
}

async fn run(it: &Running, worker: &Arc<worker::Context>) {
    worker::heartbeat::tick(worker).await.unwrap();
    it.bridge.settle().await;
    for bell in it.bells().await {
        worker::ring(worker, bell).await;
    }
}

/// What the audit trail says of the credential of `main`.
async fn told(it: &Running) -> Vec<String> {
    let entries = audit::of_subject(it.bridge.store().conn(), "connection", "main").await;
    let actions = entries.unwrap().into_iter().map(|entry| entry.action);
    actions
        .filter(|action| action.starts_with("credential."))
        .collect()
}

async fn a_dead_refresh_token_parks_its_lane_until_another_is_there(it: &Running) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let place = Place::authorized(it).await;
    let worker = worker(it, &place.settings());
    worker::heartbeat::register(&worker).await.unwrap();
    let ask = async |external_id: &str| -> Uuid {
        let id = it.ask(external_id, "access").await;
        run(it, &worker).await;
        id
    };
    let look = async || {
        for _ in 0..2 {
            worker::credentials::tick(&worker).await.unwrap();
        }
        told(it).await
    };
    let first = ask("R1").await;
    assert_eq!(it.request(first).await.state, RequestState::Open);
    let began = it.bridge.clock.now();
    assert!(look().await.is_empty());

    it.advance(101 * DAY);
    let second = ask("R2").await;
    let job = it.job(second, "create_ticket.v1").await;
    assert_eq!((job.state, job.attempts), (JobState::Parked, 0));
    assert_eq!(it.circuits().await[0].class, "auth");
    assert_eq!(look().await, ["credential.refused"]);
    let conn = it.bridge.store().conn();
    let known = credentials::get(conn, "main").await.unwrap().unwrap();
    assert_eq!(
        (known.first_worked_at, known.last_worked_at),
        (Some(began), Some(began))
    );
    assert_eq!(
        (known.refused, known.failing_since),
        (1, Some(it.bridge.clock.now()))
    );
    let shown = metrics.render();
    assert!(
        shown.contains("ticketbridge_credential_refused_total{connection=\"main\"} 1"),
        "{shown}"
    );
    assert!(
        shown.contains("ticketbridge_credential_days_left{connection=\"main\"} -1"),
        "{shown}"
    );

    place.put(it, &authorize(&it.main).await);
    for _ in 0..60 {
        it.advance(Duration::from_mins(1));
        run(it, &worker).await;
    }
    assert_eq!(
        it.request(second).await.state,
        RequestState::Open,
        "no restart was needed"
    );
    assert_eq!(
        it.job(second, "create_ticket.v1").await.attempts,
        1,
        "the run that went through"
    );
    assert_eq!(look().await, ["credential.refused", "credential.accepted"]);
    let known = credentials::get(conn, "main").await.unwrap().unwrap();
    assert_eq!((known.refused, known.failing_since), (0, None));
    assert!(
        known.first_worked_at.unwrap() > began,
        "another token has another age"
    );
}

async fn each_threshold_warns_once_whatever_the_number_of_workers(it: &Running) {
    let place = Place::authorized(it).await;
    let workers = [worker(it, &place.settings()), worker(it, &place.settings())];
    let logs = Logs::default();
    let _guard = logs.capture();
    it.advance(60 * DAY);
    for _ in 0..43 {
        for worker in &workers {
            worker::credentials::tick(worker).await.unwrap();
        }
        it.advance(DAY);
    }
    let warnings = || {
        let text = logs.text();
        let lines = text
            .lines()
            .filter(|line| line.contains("the refresh token dies"));
        let days = lines.filter_map(|line| line.split("days_left=").nth(1));
        days.map(|rest| rest.split_whitespace().next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(warnings(), ["30", "14", "7", "1", "0"]);
    place.put(it, &authorize(&it.main).await);
    worker::credentials::tick(&workers[0]).await.unwrap();
    it.advance(86 * DAY);
    worker::credentials::tick(&workers[1]).await.unwrap();
    assert_eq!(
        warnings()[5..],
        ["14"],
        "the next token is warned about anew"
    );
}

#[tokio::test]
async fn workers_share_a_refresh_token_that_is_replaced_with_each_use() {
    let it = Running::start(Flavour::Sqlite).await;
    it.main
        .set_knobs(|knobs| knobs.oauth_rotating_refresh = true);
    let logs = Logs::default();
    let _guard = logs.capture();
    let place = Place::authorized(&it).await;
    let running = [
        client(&it, &place.settings()),
        client(&it, &place.settings()),
    ];
    let mut tokens = vec![place.token()];
    for _ in 0..3 {
        for client in &running {
            it.advance(ACCESS_LIFE);
            client.probe().token().await.unwrap();
            tokens.push(place.token());
        }
    }
    it.advance(ACCESS_LIFE);
    let next_start = client(&it, &place.settings());
    next_start.probe().token().await.unwrap();
    tokens.push(place.token());
    let refused = CallFilter {
        kind: Some("token".into()),
        status: Some(401),
        ..CallFilter::default()
    };
    assert_eq!(it.main.count(&refused), 0);
    let mode = std::fs::metadata(&place.file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(
        std::fs::read_dir(place.folder.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );

    let watching = worker(&it, &place.settings());
    worker::credentials::tick(&watching).await.unwrap();
    let conn = it.bridge.store().conn();
    let stored = format!(
        "{:?} {:?}",
        credentials::get(conn, "main").await.unwrap(),
        audit::of_subject(conn, "connection", "main").await.unwrap()
    );
    let text = logs.text();
    assert_eq!(text.matches("it is kept").count(), 7);
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 8, "each use brings another");
    for token in tokens {
        assert!(
            !text.contains(&token) && !stored.contains(&token),
            "{token}"
        );
    }
}

#[tokio::test]
async fn a_refresh_token_that_cannot_be_kept_is_said_once() {
    let it = Running::start(Flavour::Sqlite).await;
    it.main
        .set_knobs(|knobs| knobs.oauth_rotating_refresh = true);
    let place = Place::authorized(&it).await;
    let given = format!("refresh_token = {:?}", place.token());
    for (settings, reason) in [
        (given, "names no refresh_token_file"),
        (place.settings(), "the file is read-only"),
    ] {
        it.main.revoke_tokens();
        let logs = Logs::default();
        let fresh = authorize(&it.main).await;
        let settings = settings.replace(&place.token(), &fresh);
        let mode =
            |mode| std::fs::set_permissions(&place.file, std::fs::Permissions::from_mode(mode));
        mode(0o640).unwrap();
        place.put(&it, &fresh);
        mode(0o440).unwrap();
        let client = client(&it, &settings);
        let guard = logs.capture();
        for _ in 0..3 {
            it.advance(ACCESS_LIFE);
            client.probe().token().await.unwrap();
        }
        drop(guard);
        let text = logs.text();
        assert_eq!(text.matches("cannot be kept").count(), 1, "{text}");
        assert!(text.contains(reason) && !text.contains(&fresh), "{text}");
        assert_eq!(place.token(), fresh, "the old file stays whole");
    }
}

/// What was logged on this thread, of any level.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    fn capture(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(self.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
