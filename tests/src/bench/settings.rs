//! The configuration of a bridge that is measured: the defaults, but for the number of calls at a time and what would come in between.

use secrecy::ExposeSecret as _;

use super::bridge::{Plan, Setup};
use crate::databases::TestDatabase;
use crate::redis_server::RedisServer;

/// Jobs at a time for each call at a time: while some wait for an answer, others are claimed, read and closed.
const JOBS_PER_CALL: usize = 2;

/// Creates for each connection to PostgreSQL, as many as the configuration allows, and the connections there are by default for all
/// other jobs.
const CREATES_PER_CONNECTION: usize = 16;
const CONNECTIONS: usize = 16;

/// The text of `ticketbridge.toml`. Every process of a plan reads the same; without servers it is that of `ticketbridge up`.
pub(super) fn toml(plan: &Plan<'_>, servers: Option<(&TestDatabase, &RedisServer)>) -> String {
    let jobs = plan.share_of_a_worker() * JOBS_PER_CALL;
    let servers = match servers {
        Some((database, redis)) => on_servers(database, redis, jobs),
        None => "[database]\nurl = \"sqlite://bench.db\"\n".to_owned(),
    };
    let Plan {
        upstream,
        concurrency,
        poll_seconds,
        ..
    } = plan;
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
{servers}
[worker]
create_ticket_concurrency = {jobs}
[retention]
jobs_days = 0
attempts_months = 0
events_days = 0
[telemetry]
format = "json"
filter = "warn,scheduler=info,worker=info,ticketbridge=info"
[connections.main]
base_url = "{upstream}"
auth = "basic"
user = "ticketbridge.integration"
password = "ticketbridge-demo-password"
max_in_flight = {concurrency}
poll_seconds = {poll_seconds}
reconcile_minutes = 600
drift_minutes = 0
choices_hours = 0
[sources.idm]
[[routes]]
name = "access"
category = "access"
connection = "main"
table = "incident"
[routes.fields]
short_description = "{{{{ item }}}} for {{{{ requested_for }}}}"
"#
    )
}

impl Plan<'_> {
    /// Calls at a time of each worker.
    fn share_of_a_worker(&self) -> usize {
        match self.setup {
            Setup::Spread { workers, .. } => self.concurrency.div_ceil(workers),
            Setup::Embedded => self.concurrency,
        }
    }
}

fn on_servers(database: &TestDatabase, redis: &RedisServer, jobs: usize) -> String {
    format!(
        "[database]\nurl = \"{}\"\nmax_connections = {}\n[queue]\nkind = \"redis\"\n[redis]\nurl = \"{}\"\n",
        database.options.url.expose_secret(),
        jobs.div_ceil(CREATES_PER_CONNECTION) + CONNECTIONS,
        redis.url()
    )
}
