//! Redis behind Sentinel.

use std::sync::Arc;

use secrecy::SecretString;
use shared::queue::{Broker, RedisBroker, RedisOptions, SentinelOptions};
use tests::redis_server::RedisServer;
use tokio::time::timeout;

use crate::{PATIENCE, bells, eventually, lane, options};

#[tokio::test]
async fn the_master_is_found_through_sentinel_and_followed_after_a_fail_over() {
    let master = RedisServer::start_with(&["--repl-diskless-sync-delay", "0"]);
    let replica = RedisServer::start();
    replica.send(&format!("REPLICAOF 127.0.0.1 {}", master.port()));
    eventually("the replica follows", || {
        replica
            .send("INFO replication")
            .contains("master_link_status:up")
    })
    .await;
    let sentinel = RedisServer::start_sentinel(&format!(
        "sentinel monitor tickets 127.0.0.1 {} 1\nsentinel failover-timeout tickets 5000\n",
        master.port()
    ));
    // By default it looks around every ten seconds, and demotes the old master after eight.
    assert_eq!(
        sentinel.send("SENTINEL DEBUG info-period 100 publish-period 100"),
        "+OK"
    );

    let through = RedisOptions {
        sentinel: Some(SentinelOptions {
            nodes: vec![SecretString::from(sentinel.url())],
            master_name: "tickets".into(),
        }),
        ..options(&master)
    };
    let broker: Arc<dyn Broker> = Arc::new(RedisBroker::connect(through).await.unwrap());
    let lane = lane("a@main");
    broker.push(&lane, &bells([1])).await.unwrap();
    assert_eq!(master.send("LLEN tb-test:lane:a@main"), ":1");

    // Sentinel refuses or gives up until it has heard enough of the replica, so it is asked until the replica is promoted.
    let promoted = || {
        let info = replica.try_send("INFO replication").unwrap_or_default();
        let promoted = info.contains("role:master");
        if !promoted {
            sentinel.send("SENTINEL FAILOVER tickets");
        }
        promoted
    };
    eventually("the replica is promoted", promoted).await;
    let followed = timeout(PATIENCE, async {
        while replica.try_send("LLEN tb-test:lane:a@main").ok().as_deref() != Some(":2") {
            // Until the old master is demoted it still takes bells: they are lost, and rung again from SQL.
            broker.push(&lane, &bells([2])).await.ok();
        }
    });
    followed.await.expect("pushes reach the new master");
    let popped = broker.pop(&[lane], 10, PATIENCE).await.unwrap();
    assert!(popped.len() >= 2, "{popped:?}");
}
