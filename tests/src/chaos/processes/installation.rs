//! Everything a run stands on: servers, lines, processes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Client;
use secrecy::SecretString;
use shared::store::{Store, StoreOptions};
use simulator::{Options, Simulator};
use tempfile::TempDir;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::agent::Agent;
use super::member::{Lines, Member, Role};
use super::plan::Fate;
use super::settings::{Addresses, toml};
use crate::binary::Home;
use crate::postgres_server::PostgresServer;
use crate::proxy::Proxy;
use crate::receiver::Receiver;
use crate::redis_server::RedisServer;

const SCHEDULERS: usize = 2;
const WORKERS: usize = 3;
/// How soon a process that has ended by itself is started again.
const BEAT: Duration = Duration::from_millis(500);

/// The parts of a run. Processes come first: they are ended before what they stand on.
pub(super) struct Installation {
    pub(super) members: Vec<Member>,
    pub(super) simulator: Simulator,
    pub(super) receiver: Receiver,
    pub(super) http: Client,
    pub(super) token: String,
    /// The database without any line between.
    pub(super) store: Store,
    redis: Mutex<RedisServer>,
    postgres: Mutex<PostgresServer>,
    exits: Mutex<Vec<String>>,
    fates: Mutex<HashMap<String, Fate>>,
    _logs: TempDir,
}

impl Installation {
    /// Starts the servers, then the processes.
    pub(super) async fn start(seed: u64) -> anyhow::Result<Arc<Self>> {
        let redis = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "everysec"]);
        let postgres = PostgresServer::start();
        let options = Options {
            seed,
            ..Options::default()
        };
        let simulator = Simulator::start(options).await?;
        let receiver = Receiver::start().await;
        let logs = tempfile::tempdir()?;
        let token = token(&postgres, &redis, &simulator, &receiver)?;
        let roles = [(Role::Scheduler, SCHEDULERS), (Role::Worker, WORKERS)];
        let mut members = Vec::new();
        for (role, count) in roles {
            for number in 1..=count {
                let lines = Lines {
                    database: Proxy::to(postgres.address()).await,
                    redis: Proxy::to(format!("127.0.0.1:{}", redis.port())).await,
                    servicenow: Proxy::to(address_of(&simulator)).await,
                };
                let listen = format!("127.0.0.1:{}", crate::redis_server::free_port());
                let addresses = Addresses {
                    listen: &listen,
                    database: &format!("postgres://postgres@{}/postgres", lines.database.address()),
                    redis: &lines.redis.address().to_string(),
                    servicenow: &lines.servicenow.address().to_string(),
                    callbacks: receiver.url(),
                };
                let toml = toml(&addresses, &simulator).context("the instance lacks the item")?;
                let name = format!("{}-{number}", role.command());
                members.push(Member::new(&name, role, lines, &listen, &toml, logs.path()));
            }
        }
        let store = open(&postgres).await?;
        let it = Self {
            members,
            simulator,
            receiver,
            http: client()?,
            token,
            store,
            redis: Mutex::new(redis),
            postgres: Mutex::new(postgres),
            exits: Mutex::default(),
            fates: Mutex::default(),
            _logs: logs,
        };
        for member in &it.members {
            member.start();
        }
        Ok(Arc::new(it))
    }

    /// Starts again what has ended by itself, as a service manager does.
    pub(super) fn keep_running(self: &Arc<Self>) -> Agent {
        let it = Arc::clone(self);
        Agent::start(|stop| async move { it.keep(&stop).await })
    }

    async fn keep(&self, stop: &CancellationToken) {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(beat.tick()).await.is_some() {
            for member in &self.members {
                let revived = tokio::task::block_in_place(|| member.revive());
                if let Some(code) = revived {
                    let text = format!("{} ended by itself with {code}", member.name);
                    crate::terminal::say(&text);
                    hold(&self.exits).push(text);
                }
            }
        }
    }

    /// Processes that ended without being told to.
    pub(super) fn exits(&self) -> Vec<String> {
        hold(&self.exits).clone()
    }

    /// The source has said all it has to say about a request: from now on people may work on its ticket.
    pub(super) fn taken(&self, id: &str, fate: Fate) {
        hold(&self.fates).insert(id.to_owned(), fate);
    }

    /// How the request of this id is to end, once it was taken.
    pub(super) fn fate_of(&self, id: &str) -> Option<Fate> {
        hold(&self.fates).get(id).copied()
    }

    pub(super) fn schedulers(&self) -> Vec<&Member> {
        self.of(Role::Scheduler)
    }

    pub(super) fn workers(&self) -> Vec<&Member> {
        self.of(Role::Worker)
    }

    fn of(&self, role: Role) -> Vec<&Member> {
        let of_role = self.members.iter().filter(|it| it.role == role);
        of_role.collect()
    }

    pub(super) fn redis(&self) -> MutexGuard<'_, RedisServer> {
        hold(&self.redis)
    }

    pub(super) fn postgres(&self) -> MutexGuard<'_, PostgresServer> {
        hold(&self.postgres)
    }

    /// Mends all lines.
    pub(super) fn heal(&self) {
        for member in &self.members {
            member.signal("CONT");
            member.lines.database.mend();
            member.lines.redis.mend();
            member.lines.servicenow.mend();
        }
    }
}

/// The address without the scheme.
fn address_of(simulator: &Simulator) -> String {
    simulator.base_url().replace("http://", "")
}

/// Migrates the database, and makes a token for the identity system.
fn token(
    postgres: &PostgresServer,
    redis: &RedisServer,
    simulator: &Simulator,
    receiver: &Receiver,
) -> anyhow::Result<String> {
    let addresses = Addresses {
        listen: "127.0.0.1:0",
        database: &postgres.url(),
        redis: &format!("127.0.0.1:{}", redis.port()),
        servicenow: &address_of(simulator),
        callbacks: receiver.url(),
    };
    let toml = toml(&addresses, simulator).context("the instance lacks the item")?;
    let ended = Home::with(&toml).run("token create --source idm --json");
    anyhow::ensure!(ended.code == Some(0), "no token was made: {ended}");
    let token = ended.json()["token"].as_str().map(str::to_owned);
    token.context("the token is not told")
}

async fn open(postgres: &PostgresServer) -> anyhow::Result<Store> {
    let options = StoreOptions {
        url: SecretString::from(postgres.url()),
        max_connections: 4,
        acquire_timeout: Duration::from_secs(10),
    };
    Ok(Store::connect(&options).await?)
}

/// A client that gives up soon: a frozen process takes connections and never answers.
fn client() -> anyhow::Result<Client> {
    // Fails when a provider is installed already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::builder().timeout(Duration::from_secs(5));
    Ok(client.build()?)
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
