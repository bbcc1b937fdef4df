//! Circuits against a model: who may try a connection, and when (`shared::store::circuits`, `worker::dispatch::gate`).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use shared::clock::Clock as _;
use shared::job::{Lease, NewJob, Payload, StatusRead};
use shared::store::circuits;
use shared::store::jobs::{self, Ending};
use tests::clock::ManualClock;
use tests::databases::TestDatabase;
use uuid::Uuid;

use crate::{RUNTIME, database};

const JOBS: usize = 3;
const CONNECTIONS: [&str; 2] = ["main", "main/incident"];

#[derive(Debug, Clone)]
enum Step {
    Open { connection: usize, seconds: i64 },
    Close { connection: usize },
    TryProbe { connection: usize, job: usize },
    Start { job: usize },
    End { job: usize },
    Wait { seconds: i64 },
}

#[derive(Debug, Clone, PartialEq)]
struct Circuit {
    until: i64,
    failures: i32,
    probing: Option<usize>,
}

#[derive(Debug, Clone, Default)]
struct Reference {
    now: i64,
    circuits: BTreeMap<usize, Circuit>,
    running: [bool; JOBS],
    /// Whether the last step was granted.
    said: bool,
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        let (connection, job) = (0..CONNECTIONS.len(), 0..JOBS);
        prop_oneof![
            3 => (connection.clone(), 1_i64..20).prop_map(|(connection, seconds)| Step::Open { connection, seconds }),
            1 => connection.clone().prop_map(|connection| Step::Close { connection }),
            5 => (connection, job.clone()).prop_map(|(connection, job)| Step::TryProbe { connection, job }),
            2 => job.clone().prop_map(|job| Step::Start { job }),
            2 => job.prop_map(|job| Step::End { job }),
            3 => (1_i64..15).prop_map(|seconds| Step::Wait { seconds }),
        ]
        .boxed()
    }

    fn preconditions(state: &Self, step: &Step) -> bool {
        match step {
            // Only a job that runs asks.
            Step::TryProbe { job, .. } | Step::End { job } => state.running[*job],
            Step::Start { job } => !state.running[*job],
            _ => true,
        }
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        state.said = state.take(step);
        state
    }
}

impl Reference {
    fn take(&mut self, step: &Step) -> bool {
        match *step {
            Step::Open {
                connection,
                seconds,
            } => {
                let until = self.now + seconds;
                let circuit = self.circuits.entry(connection).or_insert(Circuit {
                    until,
                    failures: 0,
                    probing: None,
                });
                circuit.until = circuit.until.max(until);
                circuit.failures += 1;
                circuit.probing = None;
            }
            Step::Close { connection } => return self.circuits.remove(&connection).is_some(),
            Step::TryProbe { connection, job } => {
                let Some(circuit) = self.circuits.get_mut(&connection) else {
                    return false;
                };
                let is_free = circuit
                    .probing
                    .is_none_or(|other| other == job || !self.running[other]);
                if self.now < circuit.until || !is_free {
                    return false;
                }
                circuit.probing = Some(job);
                return true;
            }
            Step::Start { job } => self.running[job] = true,
            Step::End { job } => self.running[job] = false,
            Step::Wait { seconds } => self.now += seconds,
        }
        true
    }
}

struct System {
    database: TestDatabase,
    jobs: Vec<Uuid>,
    leases: BTreeMap<usize, Lease>,
    now: DateTime<Utc>,
}

struct Circuits;

impl StateMachineTest for Circuits {
    type SystemUnderTest = System;
    type Reference = Reference;

    fn init_test(_: &Reference) -> System {
        let now = start();
        let (database, jobs) = RUNTIME.block_on(async {
            let database = database().await;
            let mut jobs = Vec::new();
            for number in 0..JOBS {
                jobs.push(insert(&database, number, now).await);
            }
            (database, jobs)
        });
        System {
            database,
            jobs,
            leases: BTreeMap::new(),
            now,
        }
    }

    fn apply(mut system: System, model: &Reference, step: Step) -> System {
        let conn = system.database.store.conn();
        let now = system.now;
        let said = RUNTIME.block_on(async {
            match step {
                Step::Open {
                    connection,
                    seconds,
                } => {
                    let until = now + TimeDelta::seconds(seconds);
                    let name = CONNECTIONS[connection];
                    circuits::open(conn, name, "busy", "It is full.", until, now)
                        .await
                        .unwrap();
                    true
                }
                Step::Close { connection } => {
                    let name = CONNECTIONS[connection];
                    circuits::close(conn, name, now).await.unwrap()
                }
                Step::TryProbe { connection, job } => {
                    let name = CONNECTIONS[connection];
                    let job = system.jobs[job];
                    circuits::try_probe(conn, name, job, now).await.unwrap()
                }
                Step::Start { job } => {
                    let claimed = jobs::claim(conn, &[system.jobs[job]], "w1", now).await;
                    let lease = claimed.unwrap().remove(0).lease;
                    system.leases.insert(job, lease);
                    true
                }
                Step::End { job } => {
                    let ending = Ending::Retry {
                        due_at: now,
                        class: "busy".into(),
                        message: "503".into(),
                        uses_attempt: false,
                    };
                    let lease = &system.leases[&job];
                    let ended = jobs::finish(conn, system.jobs[job], lease, &ending, now).await;
                    ended.unwrap()
                }
                Step::Wait { seconds } => {
                    system.now += TimeDelta::seconds(seconds);
                    true
                }
            }
        });
        assert_eq!(said, model.said);
        system
    }

    fn check_invariants(system: &System, model: &Reference) {
        let stored = RUNTIME
            .block_on(circuits::all(system.database.store.conn()))
            .unwrap();
        let stored: BTreeMap<usize, Circuit> = stored
            .into_iter()
            .map(|it| {
                let place = CONNECTIONS.iter().position(|name| *name == it.connection);
                let probing = it.probing_job.map(|id| {
                    let place = system.jobs.iter().position(|job| *job == id);
                    place.unwrap()
                });
                let circuit = Circuit {
                    until: (it.until - start()).num_seconds(),
                    failures: it.failures,
                    probing,
                };
                (place.unwrap(), circuit)
            })
            .collect();
        assert_eq!(stored, model.circuits);
    }
}

fn start() -> DateTime<Utc> {
    ManualClock::default().now()
}

async fn insert(database: &TestDatabase, number: usize, now: DateTime<Utc>) -> Uuid {
    let job = NewJob {
        payload: Payload::GetTicketStatus(StatusRead::One {
            request_id: Uuid::from_u128(number as u128),
        }),
        connection: Some("main".to_owned()),
        request_id: None,
        priority: 3,
        due_at: now,
        dedup_key: None,
        traceparent: None,
    };
    let queued = jobs::insert(database.store.conn(), &job, now).await;
    queued.unwrap().unwrap().id
}

prop_state_machine! {
    #![proptest_config(Config { cases: 24, ..Config::default() })]

    #[test]
    fn circuits_keep_to_the_model(sequential 1..40 => Circuits);
}
