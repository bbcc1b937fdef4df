//! Starting an instance, and the hand a test has on it.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::faults::{BadKnobs, Fault};
use crate::http::connection::{CutListener, Switch};
use crate::knobs::Knobs;
use crate::lock::hold;
use crate::log::{CallFilter, CallRecord};
use crate::refusal::Refusal;
use crate::sim::Sim;
use crate::webhook::{WebhookCounts, WebhookTarget};
use crate::world::agent::AgentAction;
use crate::world::{Act, Actor, Fields, Input};
use crate::{http, query};

/// A row as the instance stores it: column → value, empty columns left out.
pub type RowMap = BTreeMap<String, String>;

/// How to start an instance.
#[derive(Debug, Clone)]
pub struct Options {
    /// Same seed and same calls, same sys_ids and accidents.
    pub seed: u64,
    pub clock: Clock,
    pub knobs: Knobs,
    /// Start of the links in answers; the listener's own address when none.
    pub public_url: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            clock: Clock::system(),
            knobs: Knobs::default(),
            public_url: None,
        }
    }
}

impl Options {
    /// What most tests want: a clock that stands until it is advanced.
    pub fn for_tests() -> Self {
        Self {
            clock: Clock::manual_default(),
            ..Self::default()
        }
    }
}

/// Why an instance cannot start or do something for a test.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    #[error("the simulator cannot listen: {0}")]
    Io(#[from] std::io::Error),
    /// The instance refused, in the words of its log.
    #[error("the simulated instance refused: {0}")]
    Refused(String),
}

impl From<Refusal> for SimError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(format!("{refusal:?}"))
    }
}

/// A running instance in this process. Dropping it stops it.
pub struct Simulator {
    sim: Arc<Sim>,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Simulator {
    /// Starts an instance on a free port of 127.0.0.1.
    pub async fn start(options: Options) -> Result<Self, SimError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        Self::start_on(listener, options)
    }

    /// Starts an instance on a listener that is bound already.
    pub fn start_on(listener: TcpListener, options: Options) -> Result<Self, SimError> {
        let address = listener.local_addr()?;
        let sim = instance(address, options)?;
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let serving = serve(listener, Arc::clone(&sim), stop.clone().cancelled_owned());
        let stopped = stop.clone();
        tasks.spawn(async move {
            // A call may wait for a clock that nobody advances any more: stopping does not wait for it.
            let served = tokio::select! {
                served = serving => served,
                () = stopped.cancelled() => Ok(()),
            };
            if let Err(error) = served {
                tracing::error!(%error, "the simulator stopped serving");
            }
        });
        tasks.close();
        Ok(Self {
            sim,
            address,
            stop,
            tasks,
        })
    }

    /// `http://127.0.0.1:<port>`
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn clock(&self) -> &Clock {
        &self.sim.clock
    }

    pub fn knobs(&self) -> Knobs {
        Knobs::clone(&self.sim.knobs())
    }

    /// Changes the global knobs.
    pub fn set_knobs(&self, change: impl FnOnce(&mut Knobs)) {
        let mut board = hold(&self.sim.board);
        let mut knobs = Knobs::clone(&board.global());
        change(&mut knobs);
        board.set(knobs);
    }

    /// Lays a fault over the knobs for the calls it matches.
    pub fn add_fault(&self, fault: Fault) -> Result<(), BadKnobs> {
        hold(&self.sim.board).add(fault)
    }

    pub fn clear_faults(&self) {
        hold(&self.sim.board).clear_faults();
    }

    /// The calls so far that match, in order.
    pub fn calls(&self, filter: &CallFilter) -> Vec<CallRecord> {
        self.sim.log.read(filter)
    }

    /// How many calls match.
    pub fn count(&self, filter: &CallFilter) -> usize {
        self.sim.log.count(filter)
    }

    pub fn clear_log(&self) {
        self.sim.log.clear();
    }

    /// Calls worked on and calls waiting for a place right now.
    pub fn in_flight(&self) -> (u32, u32) {
        let counts = self.sim.gate.counts();
        (counts.running, counts.waiting)
    }

    /// All rows of a table that match an encoded query, as their writers left them.
    pub fn rows(&self, table: &str, encoded_query: &str) -> Vec<RowMap> {
        let (system, knobs) = (Actor::system(), self.sim.knobs());
        let act = Act {
            actor: &system,
            knobs: &knobs,
            now: self.sim.clock.now(),
        };
        let world = hold(&self.sim.world);
        let rows = world.dump(table).into_iter();
        rows.filter(|row| query::matches(&world, &act, table, row, encoded_query))
            .map(Fields::to_map)
            .collect()
    }

    /// The only row that matches; `None` when there are none or several.
    pub fn row(&self, table: &str, encoded_query: &str) -> Option<RowMap> {
        let mut rows = self.rows(table, encoded_query).into_iter();
        rows.next().filter(|_| rows.next().is_none())
    }

    /// All rows by class, as their writers left them.
    pub fn dump(&self) -> BTreeMap<String, Vec<RowMap>> {
        let world = hold(&self.sim.world);
        let classes = world.dump_all().into_iter();
        let rows = |rows: Vec<&Fields>| rows.into_iter().map(Fields::to_map).collect();
        classes
            .map(|(class, of_class)| (class.to_owned(), rows(of_class)))
            .collect()
    }

    /// Inserts a row as a user, or as the instance itself without one; gives its sys_id.
    pub fn insert(
        &self,
        user_name: Option<&str>,
        table: &str,
        values: &[(&str, &str)],
    ) -> Result<String, SimError> {
        let given = given(values);
        Ok(self
            .sim
            .act_as(user_name, |world, act| {
                world.insert(act, table, &given, Input::Raw)
            })?
            .sys_id)
    }

    /// Changes a row as a user, or as the instance itself without one.
    pub fn update(
        &self,
        user_name: Option<&str>,
        table: &str,
        sys_id: &str,
        values: &[(&str, &str)],
    ) -> Result<(), SimError> {
        let given = given(values);
        self.sim.act_as(user_name, |world, act| {
            world.update(act, table, sys_id, &given, Input::Raw)
        })?;
        Ok(())
    }

    /// Deletes a row as the instance itself.
    pub fn delete(&self, table: &str, sys_id: &str) -> Result<(), SimError> {
        Ok(self
            .sim
            .act_as(None, |world, act| world.delete(act, table, sys_id))?)
    }

    /// Lets a person (user name) do something to a ticket (number or sys_id).
    pub fn agent(
        &self,
        user_name: &str,
        ticket: &str,
        action: &AgentAction,
    ) -> Result<(), SimError> {
        Ok(self.sim.act_as(Some(user_name), |world, act| {
            world.agent(act, ticket, action)
        })?)
    }

    /// Tells of changes to a receiver from now on, or to nobody.
    pub fn set_webhook(&self, target: Option<WebhookTarget>) {
        crate::webhook::set_target(&self.sim, target);
    }

    /// What became of the calls the instance made itself.
    pub fn webhook_counts(&self) -> WebhookCounts {
        self.sim.webhooks.counts()
    }

    /// Ends every OAuth token.
    pub fn revoke_tokens(&self) {
        hold(&self.sim.tokens).revoke_all();
    }

    /// Moves the clock and lets the instance do what became due.
    pub fn advance(&self, by: Duration) {
        self.sim.clock.advance(by);
        self.sim.tick();
    }

    /// Back to the seed: rows, tokens, faults and log. Clock and knobs stay.
    pub fn reset(&self) -> Result<(), SimError> {
        Ok(self.sim.reset()?)
    }

    /// Stops serving and waits until it has.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Serves an instance on `listener` until `shutdown` is done.
pub async fn run(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), SimError> {
    let sim = instance(listener.local_addr()?, options)?;
    Ok(serve(listener, sim, shutdown).await?)
}

fn instance(address: SocketAddr, options: Options) -> Result<Arc<Sim>, SimError> {
    let base_url = options
        .public_url
        .unwrap_or_else(|| format!("http://{address}"));
    let base_url = base_url.trim_end_matches('/').to_owned();
    Ok(Arc::new(Sim::new(
        options.clock,
        options.knobs,
        options.seed,
        base_url,
    )?))
}

async fn serve(
    listener: TcpListener,
    sim: Arc<Sim>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let hooks = Arc::clone(&sim);
    let service = http::router(sim).into_make_service_with_connect_info::<Switch>();
    let serving = axum::serve(CutListener(listener), service).with_graceful_shutdown(shutdown);
    tokio::select! {
        served = serving.into_future() => served,
        () = crate::webhook::run(&hooks) => Ok(()),
    }
}

fn given(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    values
        .iter()
        .map(|(column, value)| ((*column).to_owned(), (*value).to_owned()))
        .collect()
}
