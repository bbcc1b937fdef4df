//! Everything that runs in a demo: a simulated instance, and a bridge on a database that is thrown away.

use std::time::Duration;

use anyhow::Context as _;
use secrecy::SecretString;
use shared::config::{Layers, ProcessKind, Settings};
use shared::job::JobState;
use shared::operator::Role;
use shared::process::Process;
use shared::store::{jobs, operators};
use shared::telemetry::Guard;
use simulator::{Options, Simulator};
use tempfile::TempDir;
use tokio::net::TcpListener;
use url::Url;

use crate::api::Api;
use crate::commands::{operator, token};
use crate::exit::Failure;
use crate::running::{Parts, serve, start_worker};
use crate::wiring;

const SETTINGS: &str = include_str!("demo.toml");
/// The name of the source in [`SETTINGS`].
const SOURCE: &str = "demo";
/// Who signs in at the console.
pub(super) const OPERATOR: &str = "demo";
/// The address people are used to; another one when it is taken.
const USUAL_ADDRESS: &str = "127.0.0.1:8080";
/// Tables in which the routes of [`SETTINGS`] make tickets.
pub(super) const TABLES: [&str; 3] = ["incident", "sc_task", "sc_req_item"];

pub(super) struct Stage {
    pub(super) simulator: Simulator,
    pub(super) api: Api,
    pub(super) url: Url,
    pub(super) bridge_name: String,
    /// With which `demo` signs in at the console.
    pub(super) password: SecretString,
    parts: Parts,
    /// Holds the database; deleted when dropped.
    _folder: TempDir,
}

impl Stage {
    /// Starts simulator, scheduler and worker.
    pub(super) async fn set(seed: u64, process: &mut Process) -> Result<(Self, Guard), Failure> {
        let simulator = Simulator::start(Options {
            seed,
            ..Options::default()
        })
        .await
        .context("the simulator did not start")?;
        let folder = tempfile::Builder::new()
            .prefix("ticketbridge-demo-")
            .tempdir()
            .context("no folder for the database of the demo")?;
        // Kept from here on: another demo may start at the same moment.
        let listener = free_listener().await?;
        let address = listener
            .local_addr()
            .context("the listener has no address")?
            .to_string();
        let settings = settings(&simulator, &folder, &address)?;
        let logging = shared::telemetry::init(&settings.telemetry)?;
        let parts = Parts::build(settings, ProcessKind::All).await?;
        serve(&parts, listener, process)?;
        start_worker(&parts, "demo", process).await?;
        let url: Url = format!("http://{address}")
            .parse()
            .context("the address of the demo is no URL")?;
        let (_, token) = token::issue(&parts.store, SOURCE, "demo", None).await?;
        let api = Api::new(wiring::http_client()?, url.clone(), Some(token))?;
        let password = operators::new_token(&mut rand::rng());
        operator::enter(&parts.store, OPERATOR, Role::Admin, &password).await?;
        let bridge_name = parts.settings.bridge_name.clone();
        Ok((
            Self {
                simulator,
                api,
                url,
                bridge_name,
                password,
                parts,
                _folder: folder,
            },
            logging,
        ))
    }

    /// What the parts get to end in good order: a job that runs when Ctrl-C comes may take as long as in any process.
    pub(super) fn drain(&self) -> Duration {
        self.parts.drain()
    }

    /// User names of fictional people who may ask for something.
    pub(super) fn people(&self) -> Vec<String> {
        let people = self.simulator.rows(
            "sys_user",
            "active=true^employee_numberSTARTSWITHE2^ORemployee_numberSTARTSWITHE3",
        );
        people
            .into_iter()
            .filter_map(|mut person| person.remove("user_name"))
            .collect()
    }

    /// Whether no request waits for anything: no open one, and no job left to run but those that poll.
    pub(super) async fn is_at_rest(&self) -> anyhow::Result<bool> {
        use shared::request::RequestState as S;
        use shared::store::requests::{self, Filter};
        let open = vec![S::Accepted, S::Opening, S::Open, S::InProgress, S::OnHold];
        let filter = Filter {
            state: open,
            ..Filter::default()
        };
        if !requests::list(self.parts.store.conn(), &filter, None, 1)
            .await?
            .requests
            .is_empty()
        {
            return Ok(false);
        }
        let live = [
            JobState::Due,
            JobState::Rung,
            JobState::Running,
            JobState::Parked,
        ];
        let counts = jobs::counts(self.parts.store.conn()).await?;
        Ok(!counts.iter().any(|it| {
            live.contains(&it.state) && !it.lane.starts_with("ticket-status") && it.count > 0
        }))
    }

    /// Ends simulator and database.
    pub(super) async fn strike(&self) {
        if let Err(error) = self.parts.store.close().await {
            tracing::debug!(%error, "the database of the demo was not closed in good order");
        }
    }
}

async fn free_listener() -> Result<TcpListener, Failure> {
    match scheduler::bind(USUAL_ADDRESS).await {
        Ok(listener) => Ok(listener),
        Err(_) => Ok(scheduler::bind("127.0.0.1:0")
            .await
            .context("no free port for the demo")?),
    }
}

fn settings(simulator: &Simulator, folder: &TempDir, address: &str) -> Result<Settings, Failure> {
    let item = simulator
        .row("sc_cat_item", "name=Application access")
        .and_then(|mut row| row.remove("sys_id"))
        .context("the simulator has no catalog item `Application access`")?;
    let database = format!("sqlite://{}", folder.path().join("demo.db").display());
    let layers = Layers {
        preset: Some(SETTINGS.replace("CATALOG_ITEM", &item)),
        overrides: vec![
            ("database.url".to_owned(), database),
            ("server.listen".to_owned(), address.to_owned()),
            (
                "connections.simulator.base_url".to_owned(),
                simulator.base_url(),
            ),
        ],
        ..Layers::default()
    };
    Settings::load(&layers).map_err(|problems| Failure::Configuration(problems.to_string()))
}
