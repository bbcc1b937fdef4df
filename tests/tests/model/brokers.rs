//! Both brokers against a queue for each lane.

use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use shared::queue::{Broker, Doorbell, Lane, MemoryBroker, RedisBroker, RedisOptions};
use tests::redis_server::RedisServer;
use uuid::Uuid;

use crate::RUNTIME;

const LANES: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Push {
        lane: usize,
        bells: Vec<u16>,
    },
    /// Lanes in order of priority.
    Pop {
        lanes: Vec<usize>,
        max: usize,
    },
    /// The last so many of what was popped last.
    GiveBack {
        count: usize,
    },
}

#[derive(Debug, Clone, Default)]
struct Reference {
    lanes: BTreeMap<usize, VecDeque<u16>>,
    /// What the last pop has brought, and not been given back.
    popped: (usize, Vec<u16>),
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        let held = state.popped.1.len();
        let lanes = Just((0..LANES).collect::<Vec<_>>()).prop_shuffle();
        let lanes = (lanes, 1..=LANES).prop_map(|(mut lanes, count)| {
            lanes.truncate(count);
            lanes
        });
        let bells = prop_oneof![
            8 => prop::collection::vec(any::<u16>(), 0..8),
            1 => prop::collection::vec(any::<u16>(), 490..1100),
        ];
        prop_oneof![
            4 => (0..LANES, bells).prop_map(|(lane, bells)| Step::Push { lane, bells }),
            4 => (lanes, prop_oneof![0_usize..6, Just(10_000)]).prop_map(|(lanes, max)| Step::Pop { lanes, max }),
            1 => (0..=held).prop_map(|count| Step::GiveBack { count }),
        ]
        .boxed()
    }

    fn preconditions(state: &Self, step: &Step) -> bool {
        !matches!(step, Step::GiveBack { count } if *count > state.popped.1.len())
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        match step {
            Step::Push { lane, bells } => state.lanes.entry(*lane).or_default().extend(bells),
            Step::Pop { lanes, max } => {
                let first = lanes
                    .iter()
                    .find(|lane| state.lanes.get(lane).is_some_and(|bells| !bells.is_empty()));
                state.popped = (0, Vec::new());
                if let Some(lane) = first.filter(|_| *max > 0)
                    && let Some(bells) = state.lanes.get_mut(lane)
                {
                    let count = (*max).min(shared::queue::BATCH_LIMIT).min(bells.len());
                    state.popped = (*lane, bells.drain(..count).collect());
                }
            }
            Step::GiveBack { count } => {
                let (lane, held) = &mut state.popped;
                let back = held.split_off(held.len() - count);
                let bells = state.lanes.entry(*lane).or_default();
                back.into_iter()
                    .rev()
                    .for_each(|bell| bells.push_front(bell));
            }
        }
        state
    }
}

/// Where the brokers of the cases come from.
trait Brokers {
    /// Lives as long as its broker.
    type Server;

    async fn another() -> (Self::Server, Arc<dyn Broker>);
}

struct InMemory;
struct OverRedis;

impl Brokers for InMemory {
    type Server = ();

    async fn another() -> ((), Arc<dyn Broker>) {
        ((), Arc::new(MemoryBroker::new()))
    }
}

impl Brokers for OverRedis {
    type Server = RedisServer;

    async fn another() -> (RedisServer, Arc<dyn Broker>) {
        let server = RedisServer::start();
        let broker = RedisBroker::connect(options(&server)).await.unwrap();
        (server, Arc::new(broker))
    }
}

struct System<S> {
    _server: S,
    broker: Arc<dyn Broker>,
    /// What is held since the last pop.
    popped: (usize, Vec<u16>),
}

struct On<B>(PhantomData<B>);

impl<B: Brokers> StateMachineTest for On<B> {
    type SystemUnderTest = System<B::Server>;
    type Reference = Reference;

    fn init_test(_: &Reference) -> System<B::Server> {
        let (server, broker) = RUNTIME.block_on(B::another());
        System {
            _server: server,
            broker,
            popped: (0, Vec::new()),
        }
    }

    fn apply(mut system: System<B::Server>, model: &Reference, step: Step) -> System<B::Server> {
        RUNTIME.block_on(async {
            let broker = &system.broker;
            match step {
                Step::Push { lane, bells } => {
                    broker.push(&name(lane), &bells_of(&bells)).await.unwrap();
                }
                Step::Pop { lanes, max } => {
                    let names: Vec<Lane> = lanes.into_iter().map(name).collect();
                    let popped = broker.pop(&names, max, Duration::ZERO).await.unwrap();
                    let lane = popped.first().map_or(0, |it| place(&it.lane));
                    assert!(popped.iter().all(|it| place(&it.lane) == lane));
                    let numbers = popped.into_iter().map(|it| number(&it.bell.unwrap()));
                    system.popped = (lane, numbers.collect());
                }
                Step::GiveBack { count } => {
                    let (lane, held) = &mut system.popped;
                    let back = held.split_off(held.len() - count);
                    broker
                        .push_front(&name(*lane), &bells_of(&back))
                        .await
                        .unwrap();
                }
            }
        });
        assert_eq!(system.popped, model.popped);
        system
    }

    fn check_invariants(system: &System<B::Server>, model: &Reference) {
        let lanes: Vec<Lane> = (0..LANES).map(name).collect();
        let depths = RUNTIME.block_on(system.broker.depth(&lanes)).unwrap();
        for (lane, (_, depth)) in depths.into_iter().enumerate() {
            let expected = model.lanes.get(&lane).map_or(0, VecDeque::len);
            assert_eq!(depth, expected as u64);
        }
    }
}

fn name(lane: usize) -> Lane {
    format!("lane-{lane}").parse().unwrap()
}

fn place(lane: &Lane) -> usize {
    lane.as_str()["lane-".len()..].parse().unwrap()
}

fn bells_of(numbers: &[u16]) -> Vec<Doorbell> {
    numbers
        .iter()
        .map(|number| Doorbell {
            job: Uuid::from_u128(u128::from(*number)),
            kind: "create_ticket.v1".to_owned(),
            traceparent: None,
        })
        .collect()
}

fn number(bell: &Doorbell) -> u16 {
    u16::try_from(bell.job.as_u128()).unwrap()
}

fn options(server: &RedisServer) -> RedisOptions {
    RedisOptions {
        url: server.url().into(),
        sentinel: None,
        prefix: "test".to_owned(),
        response_timeout: Duration::from_secs(10),
    }
}

prop_state_machine! {
    #![proptest_config(Config { cases: 128, ..Config::default() })]

    #[test]
    fn the_memory_broker_keeps_to_the_model(sequential 1..30 => On<InMemory>);
}

prop_state_machine! {
    #![proptest_config(Config { cases: 16, ..Config::default() })]

    #[test]
    fn the_redis_broker_keeps_to_the_model(sequential 1..30 => On<OverRedis>);
}
