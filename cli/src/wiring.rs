//! From settings to open connections.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use shared::budget::{Ledger, MemoryLedger, RedisLedger};
use shared::config::{Layers, QueueKind, RedisSettings, Settings};
use shared::queue::{
    Broker, BrokerError, BrokerHealth, MemoryBroker, RedisBroker, RedisOptions, SentinelOptions,
};
use shared::store::{Store, StoreError, StoreOptions};

use crate::api::Api;
use crate::args;
use crate::exit::Failure;

/// The layers of the configuration of this process.
pub(crate) fn layers(config: Option<PathBuf>) -> Layers {
    Layers::of_process(config, Vec::new())
}

/// The settings, or every problem they have.
pub(crate) fn settings(config: Option<PathBuf>) -> Result<Settings, Failure> {
    Settings::load(&layers(config)).map_err(|problems| Failure::Configuration(problems.to_string()))
}

/// Refuses the name of a connection that is not configured.
pub(crate) fn known_connection(settings: &Settings, name: Option<&str>) -> Result<(), Failure> {
    let Some(name) = name.filter(|name| !settings.connections.contains_key(*name)) else {
        return Ok(());
    };
    let known: Vec<_> = settings.connections.keys().map(String::as_str).collect();
    Err(Failure::NotFound(format!(
        "no [connections.{name}]; there is: {}",
        known.join(", ")
    )))
}

/// Opens the database.
pub(crate) async fn connect(settings: &Settings) -> Result<Store, Failure> {
    Store::connect(&store_options(settings))
        .await
        .map_err(database_failure)
}

/// Opens the database and brings its schema up to date, or says that somebody has to.
pub(crate) async fn connect_migrated(settings: &Settings) -> Result<Store, Failure> {
    let store = connect(settings).await?;
    prepare(&store, settings).await?;
    Ok(store)
}

/// Opens the database for a command that only reads: it says what is pending, and changes nothing.
pub(crate) async fn connect_to_read(settings: &Settings) -> Result<Store, Failure> {
    let store = connect(settings).await?;
    store.ensure_migrated().await.map_err(database_failure)?;
    Ok(store)
}

/// Brings the schema of an open database up to date, or says that somebody has to.
pub(crate) async fn prepare(store: &Store, settings: &Settings) -> Result<(), Failure> {
    if settings.database.migrate_at_start {
        store.migrate().await.map_err(database_failure)?;
    } else {
        store.ensure_migrated().await.map_err(database_failure)?;
    }
    Ok(())
}

/// A database error as the command line reports it.
pub(crate) fn database_failure(error: StoreError) -> Failure {
    match error {
        StoreError::BadUrl(_) | StoreError::NoFolder(_) => {
            Failure::Configuration(error.to_string())
        }
        error if error.is_transient() => Failure::Unreachable(error.into()),
        StoreError::Connect { .. } => Failure::Unreachable(error.into()),
        error => Failure::Failed(error.into()),
    }
}

/// The client for the bridge's own API.
pub(crate) fn http_client() -> Result<reqwest::Client, Failure> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(30))
        .build()
        .context("no HTTP client")?;
    Ok(client)
}

/// The API of a running bridge, as somebody with a token calls it.
pub(crate) fn client(api: args::Api) -> Result<Api, Failure> {
    Api::new(http_client()?, api.url, api.token)
}

/// The queue of the settings; for Redis this does not wait for a server that is down.
pub(crate) async fn broker(settings: &Settings) -> Result<Arc<dyn Broker>, Failure> {
    match settings.queue.kind {
        QueueKind::Memory => Ok(Arc::new(MemoryBroker::default())),
        QueueKind::Redis => {
            let broker = RedisBroker::connect(redis_options(&settings.redis)).await;
            Ok(Arc::new(broker.map_err(|error| {
                Failure::Configuration(error.to_string())
            })?))
        }
    }
}

/// Where workers keep what they know of the instances' limits: as far apart as they are themselves.
pub(crate) fn ledger(settings: &Settings) -> Result<Arc<dyn Ledger>, Failure> {
    match settings.queue.kind {
        QueueKind::Memory => Ok(Arc::new(MemoryLedger::default())),
        QueueKind::Redis => {
            let ledger = RedisLedger::new(redis_options(&settings.redis));
            Ok(Arc::new(ledger.map_err(|error| {
                Failure::Configuration(error.to_string())
            })?))
        }
    }
}

/// Refuses a server that would lose bells or cannot serve at all. One that is away may still turn out to fit: it is waited for.
pub(crate) async fn refuse_unfit(broker: &dyn Broker) -> Result<(), Failure> {
    match broker.health().await {
        Err(
            error @ (BrokerError::Evicts { .. }
            | BrokerError::TooOld { .. }
            | BrokerError::ClusterMode { .. }),
        ) => return Err(Failure::Configuration(error.to_string())),
        Ok(BrokerHealth::Redis {
            append_only: false, ..
        }) => tracing::warn!(
            "Redis keeps nothing over a restart (appendonly no): what waits in it is then rung again from the database, seconds later"
        ),
        Ok(_) | Err(_) => {}
    }
    Ok(())
}

pub(crate) fn store_options(settings: &Settings) -> StoreOptions {
    StoreOptions {
        url: settings.database.connect_url(),
        max_connections: settings.database.max_connections,
        acquire_timeout: settings.database.acquire_timeout(),
    }
}

fn redis_options(redis: &RedisSettings) -> RedisOptions {
    let sentinel = (!redis.sentinel_nodes.is_empty()).then(|| SentinelOptions {
        nodes: redis
            .sentinel_nodes
            .iter()
            .map(|node| format!("redis://{node}").into())
            .collect(),
        master_name: redis.sentinel_master.clone(),
    });
    RedisOptions {
        url: redis.connect_url(),
        prefix: redis.prefix.clone(),
        response_timeout: redis.response_timeout(),
        sentinel,
    }
}
