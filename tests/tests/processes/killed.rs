//! A worker that dies in the middle of its work.

use simulator::CallFilter;
use tests::redis_server::RedisServer;

use crate::{Installation, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_in_the_middle_loses_and_doubles_nothing() {
    let redis = RedisServer::start();
    let it = Installation::new(&redis.url()).await;
    // Long enough that calls are under way at any moment.
    it.simulator.set_knobs(|knobs| knobs.latency_ms = 150);
    let scheduler = it.scheduler();
    let (victim, survivor) = (it.worker(), it.worker());
    // Once the bridge knows that a table honours its ids, it need not wait out a create that may still be under way.
    it.ask(&scheduler, "R-0", "access").await;
    it.ask(&scheduler, "R-1", "folder").await;
    it.until_each_has_its_ticket(&scheduler, 2).await;
    for number in 2..30 {
        let category = ["access", "folder"][number % 2];
        it.ask(&scheduler, &format!("R-{number}"), category).await;
    }
    until("some tickets were asked for", async || {
        let creates = it.simulator.count(&CallFilter::kind("table.create"));
        (creates >= 12).then_some(())
    })
    .await;
    let open = it.tickets().len();
    victim.kill();
    assert!(open < 30, "it was killed in the middle: {open} tickets");

    let requests = it.until_each_has_its_ticket(&scheduler, 30).await;
    it.assert_one_ticket_each(&requests);
    assert!(survivor.is_running());
    survivor.stop().with_code(0);
    scheduler.process.stop().with_code(0);
}
