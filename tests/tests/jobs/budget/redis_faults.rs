//! The budget while Redis is emptied, away or slow.

use std::sync::Arc;
use std::time::Duration;

use shared::budget::{Class, Verdict};
use tests::clock::ManualClock;
use tests::redis_server::RedisServer;

use super::over;
use super::processes::{budget, call, good, look, said};

#[tokio::test]
async fn a_redis_that_was_emptied_is_taught_by_the_first_step() {
    let server = RedisServer::start();
    let clock = Arc::new(ManualClock::default());
    let ours = budget(&over(&server), &clock, "ours", 4);
    let theirs = budget(&over(&server), &clock, "theirs", 4);
    let permit = ours.take("main", call(Class::Create)).await.unwrap();
    let silence = Duration::from_secs(90);
    permit.report(said(Verdict::RateLimited, silence)).await;
    assert!(theirs.take("main", call(Class::Create)).await.is_err());
    assert_eq!(server.send("FLUSHALL"), "+OK");
    assert!(theirs.take("main", call(Class::Create)).await.is_err());
    let stranger = budget(&over(&server), &clock, "stranger", 4);
    let refused = stranger.take("main", call(Class::Push)).await;
    assert!(refused.is_err(), "Redis knows it again");
}

#[tokio::test]
async fn without_redis_each_process_keeps_silence_and_its_share() {
    let mut server = RedisServer::start();
    let clock = Arc::new(ManualClock::default());
    let ours = budget(&over(&server), &clock, "ours", 4);
    let theirs = budget(&over(&server), &clock, "theirs", 4);
    for budget in [&ours, &theirs] {
        let permit = budget.take("main", call(Class::Read)).await.unwrap();
        permit.report(good()).await;
    }
    // Both have seen two processes.
    let permit = ours.take("main", call(Class::Read)).await.unwrap();
    server.kill();
    permit
        .report(said(Verdict::Busy, Duration::from_secs(30)))
        .await;
    assert!(ours.take("main", call(Class::Push)).await.is_err());
    let first = theirs.take("main", call(Class::Read)).await.unwrap();
    let second = theirs.take("main", call(Class::Read)).await.unwrap();
    assert_eq!(theirs.standings()[0].width, 2, "half of four");
    assert!(theirs.take("main", call(Class::Push)).await.is_err());
    drop((first, second));

    server.restart();
    clock.advance(Duration::from_secs(1));
    // The back-off of the connection is two seconds at most; each look asks again.
    while look(&over(&server), &clock).await.state.quiet.until == 0 {
        ours.take("main", call(Class::Push)).await.err().unwrap();
    }
    clock.advance(Duration::from_secs(30));
    for _ in 0..20 {
        let permit = ours.take("main", call(Class::Read)).await.unwrap();
        permit.report(good()).await;
    }
    assert_eq!(ours.standings()[0].width, 4, "it has grown again");
}

#[tokio::test]
async fn nothing_is_left_in_redis_for_ever() {
    let server = RedisServer::start();
    let clock = Arc::new(ManualClock::default());
    let ours = budget(&over(&server), &clock, "ours", 4);
    let permit = ours.take("main", call(Class::Read)).await.unwrap();
    permit.report(good()).await;
    assert_eq!(server.send("DBSIZE"), ":1");
    let life = server.send("PTTL tb-test:budget:{main}");
    let life: u64 = life.strip_prefix(':').unwrap().parse().unwrap();
    assert!((1..=7_200_000).contains(&life), "{life}");
}
