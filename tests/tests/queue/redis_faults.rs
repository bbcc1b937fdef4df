//! What only Redis can do to us.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use secrecy::SecretString;
use shared::queue::{BadDoorbell, Broker, BrokerError, BrokerHealth, RedisBroker, RedisOptions};
use tests::redis_server::RedisServer;
use tokio::time::{Instant, timeout};
use tracing_subscriber::fmt::MakeWriter;

use crate::{PATIENCE, bell, bells, beside, depth, eventually, lane, options, redis};

#[tokio::test]
async fn a_bad_payload_surfaces_and_the_others_arrive() {
    let server = RedisServer::start();
    let broker = redis(&server).await;
    let lane = lane("bad@main");
    broker.push(&lane, &bells([1])).await.unwrap();
    server.send("RPUSH tb-test:lane:bad@main garbage \"{\\\"v\\\":7}\" \"\\xff\\xfe\"");
    broker.push(&lane, &bells([2])).await.unwrap();
    let popped = broker.pop(&[lane], 10, Duration::ZERO).await.unwrap();
    let bells: Vec<_> = popped.into_iter().map(|popped| popped.bell).collect();
    assert_eq!(bells[0].as_ref().unwrap(), &bell(1));
    assert!(matches!(bells[1], Err(BadDoorbell::Malformed(_))));
    assert!(matches!(bells[2], Err(BadDoorbell::Version { found: 7 })));
    assert!(matches!(bells[3], Err(BadDoorbell::Malformed(_))));
    assert_eq!(bells[4].as_ref().unwrap(), &bell(2));
}

#[tokio::test]
async fn every_key_begins_with_the_prefix() {
    let server = RedisServer::start();
    let broker = redis(&server).await;
    for name in ["a@main", "b@main"] {
        broker.push(&lane(name), &bells([1])).await.unwrap();
        broker.push_front(&lane(name), &bells([2])).await.unwrap();
    }
    let count = |pattern: &str| {
        server.send(&format!(
            "EVAL \"return #redis.call('keys', '{pattern}')\" 0"
        ))
    };
    assert_eq!(count("tb-test:*"), ":2");
    assert_eq!(count("*"), ":2");
}

#[tokio::test]
async fn a_healthy_server_describes_itself() {
    let server = RedisServer::start();
    let health = redis(&server).await.health().await.unwrap();
    let BrokerHealth::Redis {
        version,
        maxmemory_policy,
        append_only,
    } = health
    else {
        panic!("{health:?}");
    };
    assert!(
        version.starts_with(|c: char| c.is_ascii_digit()),
        "{version}"
    );
    assert_eq!(maxmemory_policy, "noeviction");
    assert!(!append_only);
}

#[tokio::test]
async fn a_server_that_evicts_is_not_healthy() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let error = redis(&server).await.health().await.unwrap_err();
    assert!(
        matches!(&error, BrokerError::Evicts { policy, .. } if policy == "allkeys-lru"),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("CONFIG SET maxmemory-policy noeviction"),
        "{error}"
    );
}

#[tokio::test]
async fn a_cluster_is_refused() {
    let server = RedisServer::start_with(&["--cluster-enabled", "yes"]);
    let broker = redis(&server).await;
    for error in [
        broker.push(&lane("a@main"), &bells([1])).await.unwrap_err(),
        broker
            .pop(&[lane("a@main")], 1, Duration::ZERO)
            .await
            .unwrap_err(),
        broker.health().await.unwrap_err(),
    ] {
        assert!(matches!(error, BrokerError::ClusterMode { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_an_error_and_heals_by_itself() {
    let mut server = RedisServer::down();
    let broker = redis(&server).await;
    let lane = lane("late@main");
    let error = broker.push(&lane, &bells([1])).await.unwrap_err();
    assert!(matches!(error, BrokerError::Unreachable { .. }), "{error}");
    let begin = Instant::now();
    let wait = Duration::from_millis(120);
    let lanes = [lane.clone()];
    assert!(broker.pop(&lanes, 1, wait).await.is_err());
    assert!(
        begin.elapsed() >= wait,
        "a pop waits for the server as it would for bells"
    );

    server.restart();
    push_until_it_works(&broker, 1).await;
    assert_eq!(broker.pop(&lanes, 10, PATIENCE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_connection_that_broke_while_idle_costs_nothing() {
    let mut server = RedisServer::start();
    let broker = redis(&server).await;
    let lane = lane("idle@main");
    broker.push(&lane, &bells([1])).await.unwrap();
    server.restart();
    broker.push(&lane, &bells([2])).await.unwrap();
    assert_eq!(
        depth(&broker, &lane).await,
        1,
        "an emptied server is a loss of bells only"
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_and_works_again_later() {
    let server = RedisServer::start();
    let quick = RedisOptions {
        response_timeout: Duration::from_millis(150),
        ..options(&server)
    };
    let broker: Arc<dyn Broker> = Arc::new(RedisBroker::connect(quick).await.unwrap());
    server.pause(Duration::from_millis(600));
    let error = broker
        .push(&lane("late@main"), &bells([1]))
        .await
        .unwrap_err();
    assert!(matches!(error, BrokerError::Slow { .. }), "{error}");
    push_until_it_works(&broker, 2).await;
}

#[tokio::test]
async fn a_dropped_pop_swallows_no_later_bell() {
    let server = RedisServer::start();
    let broker = redis(&server).await;
    let lanes = [lane("dropped@main")];
    let waiting = {
        let (broker, lanes) = (broker.clone(), lanes.clone());
        beside(async move { broker.pop(&lanes, 10, PATIENCE).await })
    };
    eventually("the pop waits at the server", || {
        server.waiting_clients() == 1
    })
    .await;
    waiting.abort();
    eventually("the server forgets the pop", || {
        server.waiting_clients() == 0
    })
    .await;
    broker.push(&lanes[0], &bells([1])).await.unwrap();
    assert_eq!(broker.pop(&lanes, 10, PATIENCE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_push_ends_a_wait_at_the_server_at_once() {
    let server = RedisServer::start();
    let broker = redis(&server).await;
    let lanes = [lane("wait-1@main"), lane("wait-2@main")];
    let waiting = {
        let (broker, lanes) = (broker.clone(), lanes.clone());
        beside(async move { broker.pop(&lanes, 10, PATIENCE).await })
    };
    eventually("the pop waits at the server", || {
        server.waiting_clients() == 1
    })
    .await;
    let begin = Instant::now();
    broker.push(&lanes[1], &bells([1])).await.unwrap();
    let popped = timeout(PATIENCE, waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(popped.len(), 1);
    assert!(begin.elapsed() < PATIENCE / 10, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_password_is_never_shown() {
    let server = RedisServer::start_with(&["--requirepass", "right-fictional-word"]);
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}/0", server.port());
    let with = |url: String| RedisOptions {
        url: SecretString::from(url),
        ..options(&server)
    };
    let logs = Logs::default();
    let guard = logs.capture();

    let right = RedisBroker::connect(with(url("right-fictional-word")))
        .await
        .unwrap();
    right.push(&lane("a@main"), &bells([1])).await.unwrap();
    let wrong = RedisBroker::connect(with(url("wrong-fictional-word")))
        .await
        .unwrap();
    let refused = wrong.push(&lane("a@main"), &bells([1])).await.unwrap_err();
    let malformed =
        RedisBroker::connect(with("redis://:odd-fictional-word@host:port".into())).await;
    let malformed = malformed.unwrap_err();
    drop(guard);

    assert!(
        matches!(refused, BrokerError::Unreachable { .. }),
        "{refused}"
    );
    assert!(
        matches!(malformed, BrokerError::Address { .. }),
        "{malformed}"
    );
    let logged = logs.text();
    assert!(logged.contains("cannot be reached"), "{logged}");
    let shown =
        format!("{right:?} {wrong:?} {refused:?} {refused} {malformed:?} {malformed} {logged}");
    assert!(!shown.contains("fictional"), "{shown}");
}

#[tokio::test]
async fn tls_to_a_server_without_it_is_an_error_like_any_other() {
    let server = RedisServer::start();
    let tls = RedisOptions {
        url: SecretString::from(server.url().replace("redis://", "rediss://")),
        response_timeout: Duration::from_millis(500),
        ..options(&server)
    };
    let broker = RedisBroker::connect(tls).await.unwrap();
    let error = broker.push(&lane("a@main"), &bells([1])).await.unwrap_err();
    assert!(
        matches!(
            error,
            BrokerError::Unreachable { .. } | BrokerError::Slow { .. }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn going_down_and_coming_back_are_each_told_once() {
    let mut server = RedisServer::start();
    let logs = Logs::default();
    let _guard = logs.capture();
    let broker = redis(&server).await;
    for round in 1..=2 {
        server.kill();
        for _ in 0..5 {
            let lanes = [lane("a@main")];
            let wait = Duration::from_millis(100);
            assert!(broker.pop(&lanes, 1, wait).await.is_err());
            assert!(broker.push(&lanes[0], &bells([1])).await.is_err());
        }
        server.restart();
        push_until_it_works(&broker, 1).await;
        let text = logs.text();
        assert_eq!(text.matches("cannot be reached").count(), round, "{text}");
        assert_eq!(text.matches("is reached again").count(), round, "{text}");
    }
}

#[tokio::test]
async fn a_command_that_is_refused_is_told_once_and_harms_no_other() {
    let server = RedisServer::start();
    let logs = Logs::default();
    let _guard = logs.capture();
    let broker = redis(&server).await;
    let lane = lane("full@main");
    broker.push(&lane, &bells([1])).await.unwrap();
    server.send("CONFIG SET maxmemory 1");
    for _ in 0..3 {
        let error = broker.push(&lane, &bells([2])).await.unwrap_err();
        assert!(matches!(error, BrokerError::Refused { .. }), "{error}");
    }
    assert_eq!(depth(&broker, &lane).await, 1);
    server.send("CONFIG SET maxmemory 0");
    broker.push(&lane, &bells([2])).await.unwrap();
    let text = logs.text();
    assert_eq!(text.matches("refused a command").count(), 1, "{text}");
    assert_eq!(text.matches("RPUSH works again").count(), 1, "{text}");
}

/// Rings into `late@main` until the broker is over its back-off.
async fn push_until_it_works(broker: &Arc<dyn Broker>, number: u128) {
    let lane = lane("late@main");
    let pushed = timeout(PATIENCE, async {
        while broker.push(&lane, &bells([number])).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    pushed.await.expect("the broker finds the server again");
}

/// What was logged on this thread.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    fn capture(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(self.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Managed offers forbid `CONFIG`.
#[tokio::test]
async fn a_server_without_config_is_checked_all_the_same() {
    let without = ["--rename-command", "CONFIG", ""];
    let server = RedisServer::start_with(&without);
    assert!(
        server
            .send("CONFIG GET maxmemory-policy")
            .starts_with("-ERR unknown command")
    );
    let health = redis(&server).await.health().await.unwrap();
    assert!(matches!(health, BrokerHealth::Redis { .. }), "{health:?}");
    let evicting = [&without[..], &["--maxmemory-policy", "volatile-lru"]].concat();
    let server = RedisServer::start_with(&evicting);
    let error = redis(&server).await.health().await.unwrap_err();
    assert!(matches!(error, BrokerError::Evicts { .. }), "{error}");
}
