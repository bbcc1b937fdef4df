//! Callbacks, as an identity system with the reference implementation of Standard Webhooks sees them.

use simulator::AgentAction;
use standardwebhooks::Webhook;
use tests::receiver::Receiver;
use tests::redis_server::RedisServer;

use crate::{Installation, until};

const SECRET: &str = "whsec_ZmljdGlvbmFsLXNlY3JldC1mb3ItdGVzdHM=";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_are_signed_so_that_others_can_verify_them_and_are_sent_until_heard() {
    let redis = RedisServer::start();
    let receiver = Receiver::start().await;
    receiver.plan(503, &[]);
    let it = Installation::with(&redis.url(), |toml| {
        let source = format!(
            "[sources.idm]\ncallback_url = \"{}\"\ncallback_secret = \"{SECRET}\"\nallow_http = true\n",
            receiver.url()
        );
        toml.replace("[sources.idm]\n", &source)
    })
    .await;
    let (scheduler, worker) = (it.scheduler(), it.worker());
    let id = it.ask(&scheduler, "R-1", "access").await;
    let requests = it.until_each_has_its_ticket(&scheduler, 1).await;
    let number = requests[0]["ticket"]["number"].as_str().unwrap();
    let resolve = AgentAction::Resolve {
        code: None,
        notes: Some("Access is set up.".to_owned()),
    };
    it.simulator
        .agent("nina.agent", number, &resolve)
        .expect("the agent may do that");
    let heard = until("the end was heard", async || {
        let heard = receiver.heard();
        let last = heard.last()?.json();
        last.to_string().contains("fulfilled").then_some(heard)
    })
    .await;

    assert!(heard.len() >= 2, "the first one was refused");
    let verifier = Webhook::new(SECRET).expect("a secret");
    for delivery in &heard {
        verifier
            .verify(&delivery.body, &delivery.headers)
            .expect("the signature fits");
        assert!(
            delivery.json().to_string().contains(&id),
            "{}",
            delivery.json()
        );
    }
    let mut altered = heard[0].body.clone();
    altered.push(b' ');
    verifier
        .verify(&altered, &heard[0].headers)
        .expect_err("another body does not fit");
    worker.stop().with_code(0);
    scheduler.process.stop().with_code(0);
}
