//! From settings to open connections.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use shared::config::{Layers, QueueKind, RedisSettings, Settings};
use shared::queue::{Broker, MemoryBroker, RedisBroker, RedisOptions, SentinelOptions};
use shared::store::{Store, StoreError, StoreOptions};

use crate::exit::Failure;

/// The layers of the configuration of this process.
pub(crate) fn layers(config: Option<PathBuf>) -> Layers {
    Layers::of_process(config, Vec::new())
}

/// The settings, or every problem they have.
pub(crate) fn settings(config: Option<PathBuf>) -> Result<Settings, Failure> {
    Settings::load(&layers(config)).map_err(|problems| Failure::Configuration(problems.to_string()))
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
