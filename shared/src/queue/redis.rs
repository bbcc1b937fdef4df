//! The broker of production: one Redis list per lane, at most once (ARCHITECTURE.md, "Queue").

mod info;
mod line;
mod server;

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::try_join_all;
use redis::{Cmd, aio::MultiplexedConnection};
use tokio::time::Instant;

pub(crate) use self::line::Line;

use self::info::ServerInfo;
use super::{BATCH_LIMIT, Broker, BrokerError, BrokerHealth, Doorbell, Lane, Popped, RedisOptions};

/// [`Broker`] over Redis 7 or newer, or Valkey.
///
/// The list of a lane is the key `<prefix>:lane:<lane>`. Commands that return at once share one connection; each waiting `pop` has
/// one of its own, because a waiting command holds up everything behind it.
///
/// A `pop` that is dropped, or that ran into the response timeout, closes its connection, and a batch that was on its way is lost.
pub struct RedisBroker {
    line: Line,
    prefix: String,
    poppers: Mutex<Vec<MultiplexedConnection>>,
}

impl RedisBroker {
    /// Reads the address and tries to connect once. A server that cannot be reached is logged, not an error: it may come
    /// up later, and every call tries again. The only error is [`BrokerError::Address`].
    pub async fn connect(options: RedisOptions) -> Result<Self, BrokerError> {
        let broker = Self {
            line: Line::new(&options)?,
            prefix: options.prefix,
            poppers: Mutex::default(),
        };
        broker.line.connect().await;
        Ok(broker)
    }

    fn key(&self, lane: &Lane) -> String {
        format!("{}:lane:{lane}", self.prefix)
    }

    fn idle_popper(&self) -> Option<MultiplexedConnection> {
        self.poppers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    fn keep_popper(&self, connection: MultiplexedConnection) {
        self.poppers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
    }

    fn popped(&self, lanes: &[Lane], (key, elements): (String, Vec<Vec<u8>>)) -> Vec<Popped> {
        let Some(lane) = lanes.iter().find(|lane| self.key(lane) == key) else {
            // Redis answers with one of the keys it was asked for.
            return Vec::new();
        };
        let popped = |element: Vec<u8>| Popped {
            lane: lane.clone(),
            bell: Doorbell::decode(&element),
        };
        elements.into_iter().map(popped).collect()
    }
}

#[async_trait]
impl Broker for RedisBroker {
    async fn push(&self, lane: &Lane, doorbells: &[Doorbell]) -> Result<(), BrokerError> {
        for batch in doorbells.chunks(BATCH_LIMIT) {
            let command = write_command("RPUSH", self.key(lane), batch.iter());
            self.line.command::<()>(command).await?;
        }
        Ok(())
    }

    async fn pop(
        &self,
        lanes: &[Lane],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Popped>, BrokerError> {
        if lanes.is_empty() || max == 0 {
            return Ok(Vec::new());
        }
        let deadline = Instant::now() + wait;
        let connection = match self.idle_popper() {
            Some(connection) => connection,
            None => self.line.server().open_before(deadline).await?,
        };
        let wait = deadline.saturating_duration_since(Instant::now());
        let keys: Vec<String> = lanes.iter().map(|lane| self.key(lane)).collect();
        let command = pop_command(&keys, max.min(BATCH_LIMIT), wait);
        let result = self.line.server().ask(&connection, &command, wait).await;
        self.line.server().note(&command, &result);
        let reply: Option<(String, Vec<Vec<u8>>)> = result?;
        self.keep_popper(connection);
        Ok(reply.map_or_else(Vec::new, |reply| self.popped(lanes, reply)))
    }

    async fn push_front(&self, lane: &Lane, doorbells: &[Doorbell]) -> Result<(), BrokerError> {
        // LPUSH puts each element before the last: the end of the list goes first.
        for batch in doorbells.rchunks(BATCH_LIMIT) {
            let command = write_command("LPUSH", self.key(lane), batch.iter().rev());
            self.line.command::<()>(command).await?;
        }
        Ok(())
    }

    async fn depth(&self, lanes: &[Lane]) -> Result<Vec<(Lane, u64)>, BrokerError> {
        let depths = lanes.iter().map(|lane| async {
            let mut command = redis::cmd("LLEN");
            command.arg(self.key(lane));
            Ok((lane.clone(), self.line.command::<u64>(command).await?))
        });
        try_join_all(depths).await
    }

    async fn health(&self) -> Result<BrokerHealth, BrokerError> {
        let text: String = self.line.command(redis::cmd("INFO")).await?;
        ServerInfo::parse(&text).health(self.line.server().name())
    }
}

fn write_command<'a>(name: &str, key: String, bells: impl Iterator<Item = &'a Doorbell>) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(key);
    for bell in bells {
        command.arg(bell.encode());
    }
    command
}

/// `BLMPOP` waits, and answers at once when a list has something. There a wait of zero means for ever, so that is `LMPOP`.
fn pop_command(keys: &[String], max: usize, wait: Duration) -> Cmd {
    let mut command = Cmd::new();
    if wait < Duration::from_millis(1) {
        command.arg("LMPOP");
    } else {
        command.arg("BLMPOP").arg(wait.as_secs_f64());
    }
    command.arg(keys.len()).arg(keys);
    command.arg("LEFT").arg("COUNT").arg(max);
    command
}

impl fmt::Debug for RedisBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBroker")
            .field("server", &self.line.server().name())
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
