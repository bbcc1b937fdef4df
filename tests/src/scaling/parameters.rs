//! What the model is fed with: measured costs, and the installations of `docs/scaling.md`. This is the one place to edit after a new
//! measurement; afterwards `cargo run -p tests --bin scaling -- --write` writes the document's figures anew.

/// What one create costs, measured with everything on one machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// Processor seconds of the scheduler for 1,000 creates.
    pub scheduler: f64,
    /// Processor seconds of the worker for 1,000 creates.
    pub worker: f64,
    /// Processor seconds of PostgreSQL for 1,000 creates.
    pub postgres: f64,
    /// Processor seconds of Redis for 1,000 creates, with one worker, which asks the budget for many at once.
    pub redis: f64,
    /// Processor seconds of who sends the requests, for 1,000; not a part of the bridge, but it ran on the same cores.
    pub producer: f64,
    /// Creates a second that were reached on `cores`.
    pub per_second: f64,
    /// Cores that all of them shared.
    pub cores: f64,
    /// Microseconds of Redis for one step of a budget: without workers that hold a part in it, and for each of them.
    pub step: (f64, f64),
    /// Bytes of write-ahead log for one create.
    pub log_bytes: f64,
}

/// The costs of this version.
pub const MEASURED: Costs = Costs {
    // cargo xtask bench --latencies 0 --concurrency 64
    scheduler: 0.02,
    worker: 0.14,
    postgres: 0.25,
    redis: 0.01,
    producer: 0.01,
    per_second: 3_511.0,
    cores: 2.0,
    // cargo run -p tests --bin scaling -- --steps; a line through 10, 32 and 100 workers.
    step: (34.0, 2.7),
    // Held by the test `a_create_writes_as_much_log_as_the_model_says`.
    log_bytes: 8_900.0,
};

impl Costs {
    /// The share of the cores that was in use when no more could be reached: the rest went to the upstream, the kernel and waiting.
    /// Nobody has seen more, so the model counts on no more.
    pub fn usable(&self) -> f64 {
        let all = self.scheduler + self.worker + self.postgres + self.redis + self.producer;
        (all / 1_000.0 * self.per_second / self.cores).min(1.0)
    }

    /// Seconds of Redis for one step of a budget in which so many workers have a part.
    pub fn step_seconds(&self, workers: u32) -> f64 {
        let (alone, each) = self.step;
        (alone + each * f64::from(workers)) / 1_000_000.0
    }
}

/// How often a worker that waits for a permit asks again (`POLL` in `shared/src/budget/desk.rs`).
pub const POLL_SECONDS: f64 = 0.05;

/// Steps of a budget for one create when nothing else is asked for at that moment: one asks, one reports.
pub const STEPS: f64 = 2.0;

/// Times that a create comes to PostgreSQL: intake, claim, closing transaction. How its cost is spread over them is not measured; it
/// moves no bound.
pub const VISITS: f64 = 3.0;

/// Log that a disk takes, bytes a second. An assumption: a modest disk of a cloud.
pub const DISK: f64 = 125_000_000.0;

/// The instances that a bridge writes to, all alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Instances {
    /// How many: each is a connection, with a lane and a budget of its own.
    pub count: u32,
    /// `max_in_flight` of each.
    pub max_in_flight: u32,
    /// Seconds until a create is answered. An assumption; look at `ticketbridge_servicenow_call_seconds` for yours.
    pub latency: f64,
    /// Calls an hour that a rule of each instance allows, and the percent of them that is kept (`reserve_percent`).
    pub hourly: Option<(u32, u32)>,
}

/// An installation. Each scheduler and worker has one core, Redis has one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layout {
    /// Scheduler processes.
    pub schedulers: u32,
    /// Worker processes.
    pub workers: u32,
    /// `worker.create_ticket_concurrency`: creates at a time of a worker, for each connection.
    pub concurrency: u32,
    /// Cores of PostgreSQL. Its cost is believed to spread over them evenly, which was measured on two only.
    pub postgres_cores: u32,
    /// Where the tickets go.
    pub instances: Instances,
}

/// A row of the document.
#[derive(Debug, Clone, Copy)]
pub struct Site {
    /// What it is, for people.
    pub name: &'static str,
    /// With one worker.
    pub layout: Layout,
}

/// Numbers of workers in the document.
pub const WORKERS: [u32; 5] = [1, 2, 4, 10, 100];

/// The sites of the document, from what most have to what few need. PostgreSQL has two cores where nothing else is said.
pub const SITES: [Site; 5] = [
    site("A: default settings, one instance", 1, 4, 4, 2, 1),
    site(
        "B: an instance that bears 64 calls at a time",
        1,
        64,
        16,
        2,
        1,
    ),
    site("C: ten such instances", 10, 64, 16, 2, 1),
    site(
        "D: fifty such instances, PostgreSQL with 4 cores",
        50,
        64,
        16,
        4,
        2,
    ),
    site("E: the same, PostgreSQL with 16 cores", 50, 64, 16, 16, 2),
];

const fn site(
    name: &'static str,
    count: u32,
    max_in_flight: u32,
    concurrency: u32,
    postgres_cores: u32,
    schedulers: u32,
) -> Site {
    let instances = Instances {
        count,
        max_in_flight,
        latency: 0.3,
        hourly: None,
    };
    let layout = Layout {
        schedulers,
        workers: 1,
        concurrency,
        postgres_cores,
        instances,
    };
    Site { name, layout }
}

impl Layout {
    /// The same with other workers.
    #[must_use]
    pub const fn with_workers(self, workers: u32) -> Self {
        Self { workers, ..self }
    }
}
