//! The closed form: how many creates a second each part of an installation bears. The smallest is what the whole bears.

use std::fmt::{self, Display, Formatter};

use super::parameters::{Costs, DISK, Layout, STEPS, VISITS};

/// What can stop an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wall {
    /// The calls that a rule of the instances allows in an hour.
    Hour,
    /// The calls at a time that the instances bear.
    Instances,
    /// The creates at a time of all workers.
    Concurrency,
    /// The cores of the workers.
    Workers,
    /// The cores of PostgreSQL.
    Postgres,
    /// The disk under the log of PostgreSQL.
    Log,
    /// The cores of the schedulers.
    Schedulers,
    /// The one thread of Redis that runs the script of the budgets.
    Redis,
}

impl Display for Wall {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hour => "calls an hour",
            Self::Instances => "instances",
            Self::Concurrency => "concurrency of the workers",
            Self::Workers => "cores of the workers",
            Self::Postgres => "PostgreSQL's cores",
            Self::Log => "PostgreSQL's log",
            Self::Schedulers => "schedulers",
            Self::Redis => "Redis",
        })
    }
}

/// Every wall with the creates a second at which it stands, the nearest first.
pub fn walls(layout: &Layout, costs: &Costs) -> Vec<(Wall, f64)> {
    let mut walls = vec![
        (Wall::Instances, instances(layout)),
        (Wall::Concurrency, concurrency(layout, costs)),
        (Wall::Workers, cores(layout.workers, costs.worker, costs)),
        (
            Wall::Postgres,
            cores(layout.postgres_cores, costs.postgres, costs),
        ),
        (Wall::Log, DISK / costs.log_bytes),
        (
            Wall::Schedulers,
            cores(layout.schedulers, costs.scheduler, costs),
        ),
        (Wall::Redis, redis(layout, costs)),
    ];
    walls.extend(hour(layout).map(|rate| (Wall::Hour, rate)));
    walls.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    walls
}

/// The nearest wall.
pub fn nearest(layout: &Layout, costs: &Costs) -> (Wall, f64) {
    let first = walls(layout, costs).into_iter().next();
    first.expect("there are always walls")
}

/// Seconds that a create holds its place in a worker while nothing else runs.
pub fn held(layout: &Layout, costs: &Costs) -> f64 {
    let own = (costs.worker + costs.postgres * (VISITS - 1.0) / VISITS) / 1_000.0;
    let steps = STEPS * costs.step_seconds(layout.workers);
    layout.instances.latency + (own + steps) / costs.usable()
}

fn instances(layout: &Layout) -> f64 {
    let at_a_time = layout.instances.count * layout.instances.max_in_flight;
    f64::from(at_a_time) / layout.instances.latency
}

fn concurrency(layout: &Layout, costs: &Costs) -> f64 {
    let at_a_time = layout.workers * layout.concurrency * layout.instances.count;
    f64::from(at_a_time) / held(layout, costs)
}

fn cores(count: u32, seconds_for_1000: f64, costs: &Costs) -> f64 {
    f64::from(count) * costs.usable() * 1_000.0 / seconds_for_1000
}

/// As if no two asked at the same moment. Workers that wait for a permit ask again and again, but give way: each waits for its answer.
fn redis(layout: &Layout, costs: &Costs) -> f64 {
    let steps = STEPS * costs.step_seconds(layout.workers);
    costs.usable() / (costs.redis / 1_000.0 + steps)
}

fn hour(layout: &Layout) -> Option<f64> {
    let (calls, kept) = layout.instances.hourly?;
    let open = f64::from(calls) * f64::from(100 - kept) / 100.0;
    Some(open / 3_600.0 * f64::from(layout.instances.count))
}
