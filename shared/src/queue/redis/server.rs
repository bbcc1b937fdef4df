use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{
    Arg, AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, FromRedisValue,
    IntoConnectionInfo, RedisError, TlsMode,
    aio::MultiplexedConnection,
    sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType},
};
use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::info::ServerInfo;
use crate::queue::{BrokerError, RedisOptions, SentinelOptions, backoff::Backoff};

const URL: &str = "redis.url";
const SENTINEL_NODES: &str = "redis.sentinel_nodes";

/// The longest pause between two attempts to connect.
const RECONNECT_CAP: Duration = Duration::from_secs(2);

/// Where the server is, how to open a connection to it, and what was last said about it.
pub(super) struct Server {
    name: String,
    target: Target,
    patience: Duration,
    reach: Mutex<Reach>,
    /// Commands whose last answer was an error, so that each is logged when that changes and not each time.
    failing: Mutex<BTreeSet<String>>,
}

enum Target {
    Single(Box<Client>),
    /// Asked again for the master with every connection, so that a fail-over is followed.
    Sentinel(Box<tokio::sync::Mutex<SentinelClient>>),
}

struct Reach {
    backoff: Backoff,
    /// The last failure to connect, and when the next attempt may be made.
    down: Option<(BrokerError, Instant)>,
    down_since: Option<Instant>,
}

impl Server {
    pub(super) fn new(options: &RedisOptions) -> Result<Self, BrokerError> {
        let info = connection_info(URL, options.url.expose_secret())?;
        let (name, target) = match &options.sentinel {
            None => (info.addr().to_string(), single(info)?),
            Some(sentinel) => (
                format!("the Sentinel master `{}`", sentinel.master_name),
                through_sentinel(&info, sentinel)?,
            ),
        };
        Ok(Self {
            name,
            target,
            patience: options.response_timeout,
            reach: Mutex::new(Reach {
                backoff: Backoff::new(Duration::from_millis(100), RECONNECT_CAP),
                down: None,
                down_since: None,
            }),
            failing: Mutex::default(),
        })
    }

    /// Host and port, or the Sentinel master's name: safe to print.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Opens a connection to a server that fits, unless the last attempt failed so recently that the back-off forbids another:
    /// then it answers with that failure.
    pub(super) async fn open(&self) -> Result<MultiplexedConnection, BrokerError> {
        if let Some(error) = self.held_off() {
            return Err(error);
        }
        let opened = timeout(self.patience, self.connect())
            .await
            .unwrap_or_else(|_| Err(self.slow(self.patience)));
        match &opened {
            Ok(_) => self.reached(),
            Err(error) => self.not_reached(error),
        }
        opened
    }

    /// Opens a connection, trying as often as the back-off allows until `deadline`.
    pub(super) async fn open_before(
        &self,
        deadline: Instant,
    ) -> Result<MultiplexedConnection, BrokerError> {
        loop {
            let error = match self.open().await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            let next = self.reach().down.as_ref().map(|(_, next)| *next);
            let next = next.unwrap_or_else(Instant::now);
            tokio::time::sleep_until(next.min(deadline)).await;
            if next >= deadline {
                return Err(error);
            }
        }
    }

    /// Sends one command and waits for the answer, for the response timeout and for as long as the server itself may take.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        connection: &MultiplexedConnection,
        command: &Cmd,
        server_waits: Duration,
    ) -> Result<T, BrokerError> {
        let mut connection = connection.clone();
        let answer = command.query_async(&mut connection);
        self.within(self.patience + server_waits, answer).await
    }

    /// Waits for an answer that needs no time of the server's own.
    pub(super) async fn answer<T>(
        &self,
        answer: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, BrokerError> {
        self.within(self.patience, answer).await
    }

    async fn within<T>(
        &self,
        patience: Duration,
        answer: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, BrokerError> {
        match timeout(patience, answer).await {
            Ok(answer) => answer.map_err(|source| self.explain(source)),
            Err(_) => Err(self.slow(patience)),
        }
    }

    /// Logs an answer when it differs in kind from the one before to the same command. A lost connection is not logged here: it
    /// is news only when it cannot be had again, which [`Server::open`] finds.
    pub(super) fn note<T>(&self, command: &Cmd, result: &Result<T, BrokerError>) {
        let name = name_of(command);
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(_) if failing.remove(&name) => info!("{name} works again at {}", self.name),
            Err(error @ (BrokerError::Refused { .. } | BrokerError::Slow { .. }))
                if failing.insert(name.clone()) =>
            {
                warn!(command = %name, "{error}");
            }
            _ => {}
        }
    }

    pub(super) fn not_connected(&self) -> BrokerError {
        let source = RedisError::from((ErrorKind::Io, "not connected"));
        self.unreachable(source)
    }

    pub(super) fn unreadable(&self) -> BrokerError {
        let source = (
            ErrorKind::UnexpectedReturnType,
            "an answer of another form than the script gives",
        );
        self.explain(RedisError::from(source))
    }

    async fn connect(&self) -> Result<MultiplexedConnection, BrokerError> {
        // Timeouts are ours: the one for answers depends on the command.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connection = match &self.target {
            Target::Single(client) => {
                client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await
            }
            Target::Sentinel(client) => {
                let mut client = client.lock().await;
                client.get_async_connection_with_config(&config).await
            }
        };
        let connection = connection.map_err(|source| self.unreachable(source))?;
        match self
            .ask::<String>(&connection, &redis::cmd("INFO"), Duration::ZERO)
            .await
        {
            Ok(text) => ServerInfo::parse(&text).fits(&self.name)?,
            // A user without the right to INFO may still push and pop; a server too old says so then, less clearly.
            Err(BrokerError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(connection)
    }

    fn held_off(&self) -> Option<BrokerError> {
        let reach = self.reach();
        let (error, next) = reach.down.as_ref()?;
        (Instant::now() < *next).then(|| error.clone())
    }

    fn reached(&self) {
        let mut reach = self.reach();
        reach.backoff.reset();
        reach.down = None;
        if let Some(since) = reach.down_since.take() {
            let seconds = since.elapsed().as_secs();
            info!("Redis at {} is reached again after {seconds} s", self.name);
        }
    }

    fn not_reached(&self, error: &BrokerError) {
        let mut reach = self.reach();
        let kind = std::mem::discriminant(error);
        let known = matches!(&reach.down, Some((last, _)) if std::mem::discriminant(last) == kind);
        if !known {
            warn!(
                "{error} (trying again, at the latest every {} s)",
                RECONNECT_CAP.as_secs()
            );
        }
        let next = Instant::now() + reach.backoff.after_failure();
        reach.down = Some((error.clone(), next));
        reach.down_since.get_or_insert_with(Instant::now);
    }

    fn explain(&self, source: RedisError) -> BrokerError {
        match source.kind() {
            ErrorKind::Server(_)
            | ErrorKind::Extension
            | ErrorKind::UnexpectedReturnType
            | ErrorKind::Client => BrokerError::Refused {
                server: self.name.clone(),
                source,
            },
            _ => self.unreachable(source),
        }
    }

    fn unreachable(&self, source: RedisError) -> BrokerError {
        BrokerError::Unreachable {
            server: self.name.clone(),
            source,
        }
    }

    fn slow(&self, after: Duration) -> BrokerError {
        BrokerError::Slow {
            server: self.name.clone(),
            after,
        }
    }

    fn reach(&self) -> MutexGuard<'_, Reach> {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn single(info: ConnectionInfo) -> Result<Target, BrokerError> {
    let client = Client::open(info).map_err(|e| address(URL, &e))?;
    Ok(Target::Single(Box::new(client)))
}

fn through_sentinel(
    info: &ConnectionInfo,
    options: &SentinelOptions,
) -> Result<Target, BrokerError> {
    let nodes = options.nodes.iter();
    let nodes = nodes.map(|node| connection_info(SENTINEL_NODES, node.expose_secret()));
    let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
    let mut data_node = SentinelNodeConnectionInfo::default()
        .set_redis_connection_info(info.redis_settings().clone())
        .set_tcp_settings(info.tcp_settings().clone());
    if let redis::ConnectionAddr::TcpTls { insecure, .. } = info.addr() {
        data_node = data_node.set_tls_mode(if *insecure {
            TlsMode::Insecure
        } else {
            TlsMode::Secure
        });
    }
    SentinelClient::build(
        nodes,
        &options.master_name,
        Some(data_node),
        SentinelServerType::Master,
    )
    .map(|client| Target::Sentinel(Box::new(tokio::sync::Mutex::new(client))))
    .map_err(|e| address(SENTINEL_NODES, &e))
}

fn name_of(command: &Cmd) -> String {
    match command.args_iter().next() {
        Some(Arg::Simple(name)) => String::from_utf8_lossy(name).into_owned(),
        _ => String::new(),
    }
}

/// Reads a URL without ever quoting it: it may hold a password.
fn connection_info(key: &'static str, url: &str) -> Result<ConnectionInfo, BrokerError> {
    url.into_connection_info().map_err(|e| address(key, &e))
}

fn address(key: &'static str, error: &RedisError) -> BrokerError {
    BrokerError::Address {
        key,
        reason: error.to_string(),
    }
}
