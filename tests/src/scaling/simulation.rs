//! The same installation event by event: requests come by chance, and each place where work is done has a queue. Times are
//! exponential, which is worse than life. No clock, no task: the same seed gives the same figures.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::arrivals::{Chance, nanoseconds};
use super::parameters::{Costs, Layout, POLL_SECONDS, VISITS};
use super::station::Station;

/// What comes in.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Requests a second.
    pub per_second: f64,
    /// Requests in all.
    pub requests: usize,
    /// Chance.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Tickets a second, from the time when a fifth of them was made until the last request came.
    pub per_second: f64,
    /// Seconds from the intake call to the committed ticket that half of the requests waited at most.
    pub median: f64,
    /// Seconds that 99 of 100 waited at most.
    pub ninety_nine: f64,
}

/// Plays a load.
pub fn simulate(layout: &Layout, costs: &Costs, load: &Load) -> Outcome {
    let mut simulation = Simulation::new(layout, costs, load);
    simulation.at(0, Event::Request);
    while let Some(Reverse((now, _, event))) = simulation.events.pop() {
        simulation.now = now;
        simulation.happen(event);
    }
    simulation.outcome()
}

/// Work at a station: of a job, or of a desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    Intake(usize),
    Insert(usize),
    Ring(usize),
    Claim(usize),
    Begin(usize),
    Step(usize),
    End(usize),
    Close(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Request,
    Done(Work),
    Answer(usize),
    Poll(usize, u32),
}

struct Job {
    came: u64,
    connection: usize,
    worker: usize,
}

/// What all workers share of an instance.
struct Connection {
    lane: VecDeque<usize>,
    permits: u32,
    /// The worker whose turn it is.
    next: usize,
}

/// A worker's part of a connection (`shared/src/budget/desk.rs`): one step at a time serves all that is asked and told.
struct Desk {
    places: u32,
    asking: VecDeque<usize>,
    told: Vec<usize>,
    under_way: Option<(usize, Vec<usize>)>,
    is_fresh: bool,
    steps: u32,
}

/// Mean seconds of each kind of work.
struct Means {
    scheduler: f64,
    postgres: f64,
    ring: f64,
    step: f64,
    worker: f64,
}

struct Simulation<'a> {
    layout: &'a Layout,
    load: &'a Load,
    means: Means,
    chance: Chance,
    now: u64,
    count: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    scheduler: Station<Work>,
    postgres: Station<Work>,
    redis: Station<Work>,
    workers: Vec<Station<Work>>,
    connections: Vec<Connection>,
    desks: Vec<Desk>,
    jobs: Vec<Job>,
    /// When each ticket was made, and how long it took.
    made: Vec<(u64, u64)>,
}

impl<'a> Simulation<'a> {
    fn new(layout: &'a Layout, costs: &Costs, load: &'a Load) -> Self {
        let instances = layout.instances;
        let usable = costs.usable();
        let connection = |_| Connection {
            lane: VecDeque::new(),
            permits: instances.max_in_flight,
            next: 0,
        };
        let desk = |_| Desk {
            places: layout.concurrency,
            asking: VecDeque::new(),
            told: Vec::new(),
            under_way: None,
            is_fresh: false,
            steps: 0,
        };
        Self {
            layout,
            load,
            means: Means {
                scheduler: costs.scheduler / 1_000.0 / usable,
                postgres: costs.postgres / 1_000.0 / VISITS / usable,
                ring: costs.redis / 1_000.0 / usable,
                step: costs.step_seconds(layout.workers) / usable,
                worker: costs.worker / 1_000.0 / 2.0 / usable,
            },
            chance: Chance::new(load.seed),
            now: 0,
            count: 0,
            events: BinaryHeap::new(),
            scheduler: Station::new(layout.schedulers),
            postgres: Station::new(layout.postgres_cores),
            redis: Station::new(1),
            workers: (0..layout.workers).map(|_| Station::new(1)).collect(),
            connections: (0..instances.count).map(connection).collect(),
            desks: (0..layout.workers * instances.count).map(desk).collect(),
            jobs: Vec::with_capacity(load.requests),
            made: Vec::with_capacity(load.requests),
        }
    }

    fn at(&mut self, time: u64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((time, self.count, event)));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Request => self.request(),
            Event::Done(work) => self.done(work),
            Event::Answer(job) => {
                let desk = self.desk_of(job);
                self.desks[desk].told.push(job);
                self.ask(desk);
            }
            Event::Poll(desk, steps) => {
                if self.desks[desk].steps == steps {
                    self.step(desk);
                }
            }
        }
    }

    fn request(&mut self) {
        let job = self.jobs.len();
        self.jobs.push(Job {
            came: self.now,
            connection: job % self.connections.len(),
            worker: 0,
        });
        self.begin(Work::Intake(job));
        if self.jobs.len() < self.load.requests {
            let wait = self.chance.exponential(1.0 / self.load.per_second);
            self.at(self.now + wait, Event::Request);
        }
    }

    fn station(&mut self, work: Work) -> (&mut Station<Work>, f64) {
        match work {
            Work::Intake(_) => (&mut self.scheduler, self.means.scheduler),
            Work::Insert(_) | Work::Claim(_) | Work::Close(_) => {
                (&mut self.postgres, self.means.postgres)
            }
            Work::Ring(_) => (&mut self.redis, self.means.ring),
            Work::Step(_) => (&mut self.redis, self.means.step),
            Work::Begin(job) | Work::End(job) => {
                let worker = self.jobs[job].worker;
                (&mut self.workers[worker], self.means.worker)
            }
        }
    }

    fn begin(&mut self, work: Work) {
        let (_, mean) = self.station(work);
        let takes = self.chance.exponential(mean);
        let begun = self.station(work).0.arrive(work, takes);
        self.run(begun);
    }

    fn run(&mut self, begun: Option<(Work, u64)>) {
        if let Some((work, takes)) = begun {
            self.at(self.now + takes, Event::Done(work));
        }
    }

    fn done(&mut self, work: Work) {
        let next = self.station(work).0.leave();
        self.run(next);
        match work {
            Work::Intake(job) => self.begin(Work::Insert(job)),
            Work::Insert(job) => self.begin(Work::Ring(job)),
            Work::Ring(job) => {
                let connection = self.jobs[job].connection;
                self.connections[connection].lane.push_back(job);
                self.hand_out(connection);
            }
            Work::Claim(job) => self.begin(Work::Begin(job)),
            Work::Begin(job) => {
                let desk = self.desk_of(job);
                self.desks[desk].asking.push_back(job);
                self.ask(desk);
            }
            Work::Step(desk) => self.stepped(desk),
            Work::End(job) => self.begin(Work::Close(job)),
            Work::Close(job) => self.close(job),
        }
    }

    fn desk_of(&self, job: usize) -> usize {
        let Job {
            connection, worker, ..
        } = self.jobs[job];
        worker * self.connections.len() + connection
    }

    /// Workers take turns, as far as they have places.
    fn hand_out(&mut self, number: usize) {
        let (workers, many) = (self.workers.len(), self.connections.len());
        while let Some(job) = self.connections[number].lane.front().copied() {
            let next = self.connections[number].next;
            let mut turns = (0..workers).map(|turn| (next + turn) % workers);
            let free = |worker: &usize| self.desks[worker * many + number].places > 0;
            let Some(worker) = turns.find(free) else {
                return;
            };
            let connection = &mut self.connections[number];
            connection.lane.pop_front();
            connection.next = worker + 1;
            self.desks[worker * many + number].places -= 1;
            self.jobs[job].worker = worker;
            self.begin(Work::Claim(job));
        }
    }

    /// Something is asked or told: a step takes it along, now or after the one that is under way.
    fn ask(&mut self, desk: usize) {
        self.desks[desk].is_fresh = true;
        if self.desks[desk].under_way.is_none() {
            self.step(desk);
        }
    }

    fn step(&mut self, number: usize) {
        let desk = &mut self.desks[number];
        desk.is_fresh = false;
        desk.steps += 1;
        desk.under_way = Some((desk.asking.len(), std::mem::take(&mut desk.told)));
        self.begin(Work::Step(number));
    }

    fn stepped(&mut self, number: usize) {
        let connection = number % self.connections.len();
        let under_way = self.desks[number].under_way.take();
        let (asked, told) = under_way.expect("only a step that began ends");
        self.connections[connection].permits += u32::try_from(told.len()).unwrap_or(u32::MAX);
        for job in told {
            self.begin(Work::End(job));
        }
        for _ in 0..asked {
            if self.connections[connection].permits == 0 {
                break;
            }
            self.connections[connection].permits -= 1;
            let job = self.desks[number].asking.pop_front();
            let takes = self.chance.exponential(self.layout.instances.latency);
            let answer = Event::Answer(job.expect("it was counted"));
            self.at(self.now + takes, answer);
        }
        if self.desks[number].is_fresh {
            self.step(number);
        } else if !self.desks[number].asking.is_empty() {
            let poll = Event::Poll(number, self.desks[number].steps);
            self.at(self.now + nanoseconds(POLL_SECONDS), poll);
        }
    }

    fn close(&mut self, job: usize) {
        let took = self.now - self.jobs[job].came;
        self.made.push((self.now, took));
        let desk = self.desk_of(job);
        self.desks[desk].places += 1;
        let Job {
            connection, worker, ..
        } = self.jobs[job];
        if !self.connections[connection].lane.is_empty() {
            // Nobody else has a place.
            self.connections[connection].next = worker;
            self.hand_out(connection);
        }
    }

    fn outcome(&self) -> Outcome {
        let last_came = self.jobs.last().map_or(0, |job| job.came);
        let warm = self.made[self.made.len() / 5].0;
        let within = self
            .made
            .iter()
            .filter(|(at, _)| (warm..=last_came).contains(at));
        let mut waits: Vec<u64> = self.made.iter().map(|(_, took)| *took).collect();
        waits.sort_unstable();
        let share = |hundredths: usize| seconds(waits[waits.len() * hundredths / 100]);
        Outcome {
            per_second: count(within.count()) / seconds(last_came.saturating_sub(warm).max(1)),
            median: share(50),
            ninety_nine: share(99),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn count(number: usize) -> f64 {
    number as f64
}
