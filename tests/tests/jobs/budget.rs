//! The budget of calls, shared by all workers (Q6, N6, N23): the same suite over the ledger in memory and the one in Redis.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use shared::budget::{Ledger, MemoryLedger, RedisLedger};
use shared::queue::RedisOptions;
use tests::redis_server::RedisServer;

/// Makes two tests of a function over a set of ledgers: one in memory, one with Redis.
macro_rules! on_each_ledger {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::budget::Ledgers;

            #[tokio::test]
            async fn memory() {
                super::$name(&Ledgers::memory()).await;
            }

            #[tokio::test]
            async fn redis() {
                super::$name(&Ledgers::redis()).await;
            }
        }
    )+};
}

mod machine;
mod processes;
mod redis_faults;
mod whole;

/// Where the processes of a test keep their budgets.
pub(crate) enum Ledgers {
    Memory(Arc<dyn Ledger>),
    Redis(RedisServer),
}

impl Ledgers {
    pub(crate) fn memory() -> Self {
        Self::Memory(Arc::new(MemoryLedger::default()))
    }

    pub(crate) fn redis() -> Self {
        Self::Redis(RedisServer::start())
    }

    /// The ledger as one more process sees it.
    pub(crate) fn another(&self) -> Arc<dyn Ledger> {
        match self {
            Self::Memory(ledger) => Arc::clone(ledger),
            Self::Redis(server) => over(server),
        }
    }
}

pub(crate) fn over(server: &RedisServer) -> Arc<dyn Ledger> {
    let options = RedisOptions {
        url: SecretString::from(server.url()),
        prefix: "tb-test".to_owned(),
        response_timeout: Duration::from_secs(5),
        sentinel: None,
    };
    Arc::new(RedisLedger::new(options).unwrap())
}
