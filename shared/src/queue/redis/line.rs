use std::{sync::Arc, time::Duration};

use redis::{Cmd, FromRedisValue, ScriptInvocation, aio::MultiplexedConnection};

use super::server::Server;
use crate::queue::{BrokerError, RedisOptions};

/// One connection for everything that returns at once. It is never used again after an error: whatever was wrong with it, such as a
/// master that became a replica, the next call finds the right server.
pub(crate) struct Line {
    server: Server,
    kept: tokio::sync::Mutex<Option<Arc<MultiplexedConnection>>>,
}

/// What goes over the line.
enum Asked<'a> {
    Command(&'a Cmd),
    Script(&'a ScriptInvocation<'a>),
}

impl Line {
    /// Reads the address. The only error is [`BrokerError::Address`].
    pub(crate) fn new(options: &RedisOptions) -> Result<Self, BrokerError> {
        Ok(Self {
            server: Server::new(options)?,
            kept: tokio::sync::Mutex::default(),
        })
    }

    /// Tries to connect, once.
    pub(super) async fn connect(&self) {
        if let Ok(connection) = self.server.open().await {
            *self.kept.lock().await = Some(Arc::new(connection));
        }
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// Runs a command. One that meets a connection which broke while idle is sent again on a fresh one: all of ours may run twice.
    pub(super) async fn command<T: FromRedisValue>(&self, command: Cmd) -> Result<T, BrokerError> {
        let result = self.run(&Asked::Command(&command)).await;
        self.server.note(&command, &result);
        result
    }

    /// Runs a script, which may run twice like a command. Whoever asks for it logs its errors.
    pub(crate) async fn script<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, BrokerError> {
        self.run(&Asked::Script(script)).await
    }

    /// An answer of a form that we did not expect.
    pub(crate) fn unreadable(&self) -> BrokerError {
        self.server.unreadable()
    }

    async fn run<T: FromRedisValue>(&self, asked: &Asked<'_>) -> Result<T, BrokerError> {
        let kept = self.kept.lock().await.clone();
        let result = match &kept {
            Some(connection) => self.ask(connection, asked).await,
            None => Err(self.server.not_connected()),
        };
        let result = match result {
            Err(BrokerError::Unreachable { .. }) => {
                let fresh = self.replace(kept.as_ref()).await?;
                self.ask(&fresh, asked).await
            }
            other => other,
        };
        if result.is_err() {
            *self.kept.lock().await = None;
        }
        result
    }

    async fn ask<T: FromRedisValue>(
        &self,
        connection: &MultiplexedConnection,
        asked: &Asked<'_>,
    ) -> Result<T, BrokerError> {
        match asked {
            Asked::Command(command) => self.server.ask(connection, command, Duration::ZERO).await,
            Asked::Script(script) => {
                let mut connection = connection.clone();
                self.server
                    .answer(script.invoke_async(&mut connection))
                    .await
            }
        }
    }

    /// A connection other than `broken`: the one that another caller has opened meanwhile, or a new one.
    async fn replace(
        &self,
        broken: Option<&Arc<MultiplexedConnection>>,
    ) -> Result<Arc<MultiplexedConnection>, BrokerError> {
        // Held while connecting, so that callers who find the server away do not all knock at once.
        let mut slot = self.kept.lock().await;
        if let Some(current) = slot.as_ref()
            && broken.is_none_or(|broken| !Arc::ptr_eq(broken, current))
        {
            return Ok(Arc::clone(current));
        }
        *slot = None;
        let fresh = Arc::new(self.server.open().await?);
        *slot = Some(Arc::clone(&fresh));
        Ok(fresh)
    }
}
