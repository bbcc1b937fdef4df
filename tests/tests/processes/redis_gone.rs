//! Redis is only the transport: it may be away, or come back empty, at any moment.

use serde_json::Value;
use tests::redis_server::RedisServer;

use crate::{Installation, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_at_the_start_requests_wait_safely_until_it_comes() {
    let mut redis = RedisServer::down();
    let it = Installation::new(&redis.url()).await;
    let (scheduler, worker) = (it.scheduler(), it.worker());
    for number in 0..5 {
        it.ask(&scheduler, &format!("R-{number}"), "access").await;
    }
    for process in [&scheduler.process, &worker] {
        let warning = process.logged(&format!("127.0.0.1:{}", redis.port()));
        assert_ne!(warning["level"], "INFO", "{warning}");
    }
    let readiness = it.readiness(&scheduler).await;
    let problem = broker_problem(&readiness);
    assert!(
        problem.contains(&format!("127.0.0.1:{}", redis.port())),
        "{readiness}"
    );
    assert_eq!(it.creates(), 0);

    redis.restart();
    let requests = it.until_each_has_its_ticket(&scheduler, 5).await;
    it.assert_one_ticket_each(&requests);
    assert_eq!(it.creates(), 5);
    let readiness = it.readiness(&scheduler).await;
    assert_eq!(broker_problem(&readiness), "", "{readiness}");
    worker.stop().with_code(0);
    scheduler.process.stop().with_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_back_empty_has_lost_nothing() {
    let mut redis = RedisServer::start();
    let it = Installation::new(&redis.url()).await;
    let scheduler = it.scheduler();
    // Nobody serves the queue yet, so the bells of the first ten lie in Redis when it dies.
    for number in 0..10 {
        it.ask(&scheduler, &format!("R-{number}"), "folder").await;
    }
    until("bells lie in Redis", async || {
        (redis.send("DBSIZE") != ":0").then_some(())
    })
    .await;
    redis.restart();
    let worker = it.worker();
    for number in 10..20 {
        it.ask(&scheduler, &format!("R-{number}"), "access").await;
    }
    until("some have their ticket", async || {
        (it.creates() >= 3).then_some(())
    })
    .await;
    redis.restart();
    for number in 20..25 {
        it.ask(&scheduler, &format!("R-{number}"), "folder").await;
    }
    let requests = it.until_each_has_its_ticket(&scheduler, 25).await;
    it.assert_one_ticket_each(&requests);
    assert_eq!(it.creates(), 25);
    assert!(requests.iter().all(|it| it["attention"] == Value::Null));
    worker.stop().with_code(0);
    scheduler.process.stop().with_code(0);
}

/// What `/readyz` says of the broker; nothing when all is well.
fn broker_problem(readiness: &Value) -> &str {
    let mut checks = readiness["checks"].as_array().expect("checks").iter();
    let broker = checks
        .find(|check| check["name"] == "broker")
        .expect("the broker is looked at");
    broker["problem"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_would_lose_bells_is_refused_at_the_start() {
    for (option, fix) in [
        (
            ["--maxmemory-policy", "allkeys-lru"],
            "CONFIG SET maxmemory-policy noeviction",
        ),
        (["--cluster-enabled", "yes"], "redis.sentinel_nodes"),
    ] {
        let redis = RedisServer::start_with(&option);
        let it = Installation::new(&redis.url()).await;
        for process in ["scheduler", "worker"] {
            let ended = it.home.run(process).with_code(3);
            assert!(ended.stderr.contains(fix), "{ended}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_keeps_nothing_over_a_restart_is_told_of() {
    let redis = RedisServer::start();
    let it = Installation::new(&redis.url()).await;
    let worker = it.worker();
    let warning = worker.logged("Redis keeps nothing over a restart");
    assert_eq!(warning["level"], "WARN", "{warning}");
    worker.stop().with_code(0);
    let redis = RedisServer::start_with(&["--appendonly", "yes"]);
    let it = Installation::new(&redis.url()).await;
    let worker = it.worker();
    assert!(
        !worker.printed().contains("keeps nothing"),
        "{}",
        worker.printed()
    );
    worker.stop().with_code(0);
}
