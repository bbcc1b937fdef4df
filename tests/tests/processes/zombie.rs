//! A worker that stands still for longer than its lease, and then goes on as if nothing had happened.

use shared::store::attempts;
use simulator::CallFilter;
use tests::redis_server::RedisServer;

use crate::{Installation, holds, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_stopped_for_longer_than_its_lease_writes_nothing() {
    let redis = RedisServer::start();
    let it = Installation::new(&redis.url()).await;
    let scheduler = it.scheduler();
    let zombie = it.worker();
    it.ask(&scheduler, "R-0", "access").await;
    it.ask(&scheduler, "R-1", "catalog").await;
    it.until_each_has_its_ticket(&scheduler, 2).await;
    // Each job asks who the person is before it writes, so it is stopped with its writes before it.
    it.simulator.set_knobs(|knobs| knobs.latency_ms = 1_000);
    let mut asked = Vec::new();
    for number in 2..10 {
        let category = ["access", "catalog"][number % 2];
        asked.push(it.ask(&scheduler, &format!("R-{number}"), category).await);
    }
    let in_hand = async || {
        let mut held = Vec::new();
        for request in &asked {
            let job = it.job(request, "create_ticket.v1").await;
            held.extend(holds(&zombie, &job).then_some(job));
        }
        held
    };
    until("it has jobs in hand", async || {
        (in_hand().await.len() >= 3).then_some(())
    })
    .await;
    zombie.signal("STOP");
    // Looked at once more, now that it can end none of them.
    let held = in_hand().await;
    assert!(!held.is_empty());
    let heir = it.worker();
    it.simulator.set_knobs(|knobs| knobs.latency_ms = 0);
    let before = it.until_each_has_its_ticket(&scheduler, 10).await;
    it.assert_one_ticket_each(&before);

    let writes = || {
        let call = |method: &str| CallFilter {
            method: Some(method.to_owned()),
            ..CallFilter::default()
        };
        let is_write = |record: &simulator::CallRecord| record.kind != "token";
        let posts = it.simulator.calls(&call("POST"));
        posts.iter().filter(|it| is_write(it)).count()
            + it.simulator.count(&call("PATCH"))
            + it.simulator.count(&call("PUT"))
    };
    let written = writes();
    zombie.signal("CONT");
    zombie.logged("this process was taken for dead");
    zombie.logged("the lease was lost; what this run wanted to write is dropped");
    let identity = held[0].lease_owner.clone().expect("it was held");
    // It ends with code 0 once its last run has ended.
    zombie.stop().with_code(0);
    assert_eq!(
        writes(),
        written,
        "nothing was sent after its lease was lost"
    );
    for job in &held {
        let request = job.request_id.expect("a job about a request");
        let runs = attempts::of_request(it.database.store.conn(), request).await;
        let runs = runs.expect("the database is there");
        assert!(
            runs.iter().all(|run| run.worker != identity),
            "{identity} has no part in {runs:#?}"
        );
    }
    let after = it.requests(&scheduler).await;
    it.assert_one_ticket_each(&after);
    heir.stop().with_code(0);
    scheduler.process.stop().with_code(0);
}
