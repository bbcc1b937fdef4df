//! Doorbells: the transport between scheduler and workers (ARCHITECTURE.md, "Queue").
//!
//! SQL is the truth. A doorbell only says "look at this job", so a broker may lose bells (they are rung again) and may
//! deliver one twice (the second claim is lost). Nothing else lives here: no delay, no lease, no attempt, no result.

mod backend;
mod backoff;
mod doorbell;
mod lane;
mod memory;
mod redis;
mod ring;

use std::time::Duration;

use ::redis::RedisError;
use async_trait::async_trait;
use secrecy::SecretString;

pub use backend::{BrokerBackend, Crew, Rung, Slots};
pub use doorbell::{BadDoorbell, Doorbell};
pub use lane::{InvalidLane, Lane};
pub use memory::MemoryBroker;
pub(crate) use redis::Line;
pub use redis::RedisBroker;
pub use ring::ring;

/// The most bells one command carries, in either direction. It bounds how long one command can occupy a server that
/// answers all clients from one thread.
pub const BATCH_LIMIT: usize = 500;

/// Carries doorbells from schedulers to workers, at most once each.
///
/// A bell that was popped belongs to the popper alone. Dropping the future of [`Broker::pop`] can lose the batch that was
/// on its way; ringing again from SQL covers that, so only a stop that ran into its deadline should do it.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Appends `doorbells` to `lane`, in order, at most [`BATCH_LIMIT`] per command.
    ///
    /// After an error some or all of them may have arrived. Ringing them again is harmless.
    async fn push(&self, lane: &Lane, doorbells: &[Doorbell]) -> Result<(), BrokerError>;

    /// Takes up to `max` (and never more than [`BATCH_LIMIT`]) bells from the first lane that has any; `lanes` are in
    /// order of priority. Returns at once when a bell is there, otherwise waits up to `wait` and then returns nothing.
    async fn pop(
        &self,
        lanes: &[Lane],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Popped>, BrokerError>;

    /// Puts `doorbells` to the front of `lane`, in the order given: those that were popped and not started, and those of jobs
    /// that have waited their turn once.
    async fn push_front(&self, lane: &Lane, doorbells: &[Doorbell]) -> Result<(), BrokerError>;

    /// How many bells wait in each of `lanes`, in the order given.
    async fn depth(&self, lanes: &[Lane]) -> Result<Vec<(Lane, u64)>, BrokerError>;

    /// Asks the broker whether it can be used as configured. Every error names the fix.
    async fn health(&self) -> Result<BrokerHealth, BrokerError>;
}

/// One element taken from a lane.
#[derive(Debug)]
pub struct Popped {
    /// Where it came from; [`Broker::push_front`] wants it.
    pub lane: Lane,
    /// The bell, or why the element is not one. A bad element is gone from the lane.
    pub bell: Result<Doorbell, BadDoorbell>,
}

/// What a healthy broker says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerHealth {
    /// In process: as healthy as the process.
    Memory,
    /// A Redis server that fits.
    Redis {
        /// `redis_version` of `INFO`, for example `7.0.15`.
        version: String,
        /// `maxmemory_policy` of `INFO`; always `noeviction` here.
        maxmemory_policy: String,
        /// Whether an append-only file keeps the lanes over a restart. They need not survive: bells are rung again from SQL.
        append_only: bool,
    },
}

/// How to reach Redis: `[redis]` of the configuration.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://user:password@host:6379/0`, or `rediss://` for TLS. With Sentinel, user, password, database and TLS of the data
    /// nodes are taken from here and the host is not used.
    pub url: SecretString,
    /// Every key begins with this and a colon.
    pub prefix: String,
    /// How long one answer may take, connecting included.
    pub response_timeout: Duration,
    /// When set, the master is looked up there for each new connection.
    pub sentinel: Option<SentinelOptions>,
}

/// Redis Sentinel, which knows the master of the moment.
#[derive(Debug, Clone)]
pub struct SentinelOptions {
    /// `redis://host:26379`, with Sentinel's own password where it has one.
    pub nodes: Vec<SecretString>,
    /// The name the Sentinels monitor the master under.
    pub master_name: String,
}

/// Why a broker did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    /// The configured address cannot be used at all. The only error at construction.
    #[error("{key} is not usable: {reason}. Write it as redis://host:6379/0, or rediss:// for TLS")]
    Address {
        /// The key of the configuration.
        key: &'static str,
        /// What is wrong, without the URL: it may hold a password.
        reason: String,
    },
    /// No connection, or it broke. The next call tries again, no sooner than the back-off allows.
    #[error(
        "Redis at {server} cannot be reached: {source}. Check that it runs and that the address, user and password are right; no work is lost meanwhile"
    )]
    Unreachable {
        /// Host and port, or the Sentinel master's name.
        server: String,
        /// The client's own error.
        source: RedisError,
    },
    /// The server did not answer in time. The command may still be carried out.
    #[error("Redis at {server} did not answer within {} ms: it is paused, overloaded or behind a broken network path. Look for slow commands and a busy disk (SLOWLOG GET, INFO persistence)", .after.as_millis())]
    Slow {
        /// Host and port, or the Sentinel master's name.
        server: String,
        /// How long was waited.
        after: Duration,
    },
    /// The server answered with an error, such as a full memory or a missing permission.
    #[error("Redis at {server} refused a command: {source}")]
    Refused {
        /// Host and port, or the Sentinel master's name.
        server: String,
        /// The server's own words.
        source: RedisError,
    },
    /// `LMPOP` and `BLMPOP` came with 7.0.
    #[error(
        "Redis at {server} is version {version}; 7.0 or newer is needed (LMPOP). Upgrade it, or use Valkey"
    )]
    TooOld {
        /// Host and port, or the Sentinel master's name.
        server: String,
        /// `redis_version` of `INFO`.
        version: String,
    },
    /// A worker pops several lanes in one command; in a cluster they live on different nodes.
    #[error(
        "Redis at {server} runs in cluster mode, which is not supported; use a single server or Sentinel (redis.sentinel_nodes)"
    )]
    ClusterMode {
        /// Host and port, or the Sentinel master's name.
        server: String,
    },
    /// A server that evicts keys drops whole lanes when it is full.
    #[error(
        "Redis at {server} has maxmemory-policy {policy}; bells would be evicted. Run CONFIG SET maxmemory-policy noeviction and write the same into redis.conf"
    )]
    Evicts {
        /// Host and port, or the Sentinel master's name.
        server: String,
        /// The policy found.
        policy: String,
    },
}
