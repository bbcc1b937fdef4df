//! One run's bridge: a database, a queue, and processes that die and are replaced. Nothing moves by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use chrono::TimeDelta;
use scheduler::Scheduler;
use serde_json::Value;
use shared::budget::MemoryLedger;
use shared::crash::Point;
use shared::queue::{Broker as _, Doorbell, Lane, MemoryBroker};
use tower::ServiceExt as _;

use super::process::{Ground, Role, SchedulerProcess, WorkerProcess};
use super::stage::{Stage, TOKEN};
use crate::databases::TestDatabase;

/// Lanes in the order in which a worker looks at them.
const LANES: [&str; 4] = [
    "update-status@main",
    "create-ticket@main",
    "ticket-status@main",
    "callback",
];
/// Rounds after which something runs in circles.
const ROUNDS: usize = 200;
/// A body of the API.
const LONGEST_BODY: usize = 1 << 20;

/// A death that is planned: the first process of this role that comes to `point` for the `nth` time in the run dies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kill {
    /// Whose.
    pub role: Role,
    /// Where.
    pub point: Point,
    /// After so many times that it passes by.
    pub nth: usize,
}

/// A bridge in a run.
pub struct World<'a> {
    /// What outlives it.
    pub stage: &'a Stage,
    /// What its processes share.
    pub ground: Ground,
    /// The database, gone with the run.
    pub database: TestDatabase,
    scheduler: SchedulerProcess,
    worker: WorkerProcess,
    starts: usize,
    /// Deaths to come, counted from the start of the run.
    armed: Vec<Kill>,
    /// How often each point was come to, by all processes that have died.
    buried: BTreeMap<(Role, Point), usize>,
    /// Who has died, and where they had come to last.
    pub deaths: Vec<(Role, Option<Point>)>,
}

impl<'a> World<'a> {
    /// With one process of each role.
    pub async fn start(stage: &'a Stage) -> Self {
        stage.clear();
        let (database, settings, routes) = stage.props().await;
        let ground = Ground {
            store: database.store.clone(),
            broker: Arc::new(MemoryBroker::new()),
            ledger: Arc::new(MemoryLedger::default()),
            settings,
            routes,
            clock: stage.clock.clone(),
        };
        Self {
            stage,
            database,
            scheduler: SchedulerProcess::start(&ground),
            worker: WorkerProcess::start(&ground, "worker-0".to_owned()).await,
            ground,
            starts: 0,
            armed: Vec::new(),
            buried: BTreeMap::new(),
            deaths: Vec::new(),
        }
    }

    /// Plans a death, counted from now on.
    pub fn arm(&mut self, kill: Kill) {
        let Kill { role, point, nth } = kill;
        let nth = self.reached(role, point) + nth;
        self.armed.push(Kill { nth, ..kill });
        self.prime(role, point);
    }

    /// Tells the living process of a role when its next death at a point is.
    fn prime(&self, role: Role, point: Point) {
        let of_this = self
            .armed
            .iter()
            .filter(|it| (it.role, it.point) == (role, point));
        let passed = self.reached(role, point);
        if let Some(next) = of_this.filter_map(|it| it.nth.checked_sub(passed)).min() {
            self.life(role).dies_at(point, next);
        }
    }

    /// How often the processes of a role have come to a point.
    pub fn reached(&self, role: Role, point: Point) -> usize {
        let alive = self.life(role).reached();
        let alive = alive.into_iter().filter(|it| *it == point).count();
        self.buried.get(&(role, point)).copied().unwrap_or_default() + alive
    }

    /// How often every point was come to.
    pub fn all_reached(&self) -> BTreeMap<(Role, Point), usize> {
        let mut counts = self.buried.clone();
        for role in Role::ALL {
            for point in self.life(role).reached() {
                *counts.entry((role, point)).or_default() += 1;
            }
        }
        counts
    }

    fn life(&self, role: Role) -> &shared::crash::Mortal {
        match role {
            Role::Scheduler => &self.scheduler.life,
            Role::Worker => &self.worker.life,
        }
    }

    /// Another process takes the place of one that has died. It has the deaths before it that have not struck yet.
    async fn replace(&mut self, role: Role) {
        let reached = self.life(role).reached();
        self.deaths.push((role, reached.last().copied()));
        for point in reached {
            *self.buried.entry((role, point)).or_default() += 1;
        }
        self.starts += 1;
        match role {
            Role::Scheduler => self.scheduler = SchedulerProcess::start(&self.ground),
            Role::Worker => {
                let identity = format!("worker-{}", self.starts);
                self.worker = WorkerProcess::start(&self.ground, identity).await;
            }
        }
        for kill in self.armed.iter().filter(|kill| kill.role == role) {
            self.prime(role, kill.point);
        }
    }

    /// Lets the scheduler do something; `None` when it died over it.
    pub async fn schedule<T>(&mut self, work: impl AsyncFnOnce(&Scheduler) -> T) -> Option<T> {
        let process = &self.scheduler;
        let done = process.life.live(Box::pin(work(&process.scheduler))).await;
        if done.is_none() {
            self.replace(Role::Scheduler).await;
        }
        done
    }

    /// Lets the worker do something; `None` when it died over it.
    async fn work<T>(&mut self, work: impl AsyncFnOnce(&worker::Context) -> T) -> Option<T> {
        let process = &self.worker;
        let done = process.life.live(Box::pin(work(&process.context))).await;
        if done.is_none() {
            self.replace(Role::Worker).await;
        }
        done
    }

    /// A call of the source, which calls again until it has an answer: status and body.
    pub async fn call(&mut self, path: &str, key: Option<&str>, body: &Value) -> (u16, Value) {
        loop {
            let router = self.scheduler.router.clone();
            let call = router.oneshot(request(path, key, body));
            let answer = self.scheduler.life.live(Box::pin(async {
                let answer = call.await.unwrap_or_else(|never| match never {});
                let status = answer.status().as_u16();
                let body = to_bytes(answer.into_body(), LONGEST_BODY).await;
                let body = body.expect("the answer is whole");
                (status, serde_json::from_slice(&body).unwrap_or_default())
            }));
            match answer.await {
                Some(answer) => return answer,
                None => self.replace(Role::Scheduler).await,
            }
        }
    }

    /// What schedulers do on their own, once.
    pub async fn tick(&mut self) {
        self.schedule(async |it| scheduler::sweeper::tick(it).await)
            .await
            .transpose()
            .expect("the sweeper works");
        self.schedule(async |it| scheduler::cadence::tick(it).await)
            .await
            .transpose()
            .expect("the cadences work");
    }

    /// Rings and runs what is due until nothing moves. `together`: all bells of a round at once, as one process does.
    pub async fn settle(&mut self, together: bool) {
        self.work(async |it| worker::heartbeat::tick(it).await)
            .await
            .transpose()
            .expect("the worker lives");
        for _ in 0..ROUNDS {
            let rung = self
                .schedule(async |it| scheduler::relay::tick(it).await)
                .await;
            let rung = rung.transpose().expect("the relay works");
            let bells = self.bells().await;
            if bells.is_empty() && rung == Some(0) {
                return;
            }
            if together {
                self.work(async |it| {
                    let all = bells.into_iter().map(|bell| worker::ring(it, bell));
                    futures::future::join_all(all).await;
                })
                .await;
                continue;
            }
            for bell in bells {
                // Bells that a dead process held are lost with it.
                if self
                    .work(async |it| worker::ring(it, bell).await)
                    .await
                    .is_none()
                {
                    break;
                }
            }
        }
        panic!("the bridge runs in circles");
    }

    /// Takes all bells that wait.
    pub async fn bells(&self) -> Vec<Doorbell> {
        let lanes = LANES.map(|lane| lane.parse::<Lane>().expect("the name of a lane"));
        let mut bells = Vec::new();
        loop {
            let popped = self.ground.broker.pop(&lanes, 100, Duration::ZERO).await;
            let popped = popped.expect("a queue in memory answers");
            if popped.is_empty() {
                return bells;
            }
            bells.extend(popped.into_iter().filter_map(|it| it.bell.ok()));
        }
    }

    /// Moves all clocks.
    pub fn pass(&self, seconds: i64) {
        self.stage.advance(TimeDelta::seconds(seconds));
    }
}

fn request(path: &str, key: Option<&str>, body: &Value) -> Request<Body> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    request
        .body(Body::from(body.to_string()))
        .expect("a request of fixed parts")
}
