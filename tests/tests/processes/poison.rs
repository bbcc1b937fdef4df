//! A job that kills every worker that runs it. What kills is the test: from outside, that is all one can see of such a job.

use chrono::TimeDelta;
use shared::clock::{Clock as _, SystemClock};
use shared::job::{JobState, POISON};
use tests::binary::Running;
use tests::redis_server::RedisServer;

use crate::{Installation, holds, until};

/// A run that lasts this long is in its handler.
const IN_THE_MIDDLE: TimeDelta = TimeDelta::seconds(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_kills_its_worker_is_given_up_and_its_neighbours_are_not() {
    let redis = RedisServer::start();
    let it = Installation::new(&redis.url()).await;
    let scheduler = it.scheduler();
    let mut workers = vec![it.worker(), it.worker()];
    it.ask(&scheduler, "R-0", "access").await;
    it.until_each_has_its_ticket(&scheduler, 1).await;
    // Long enough that a run can be killed in its middle.
    it.simulator.set_knobs(|knobs| knobs.latency_ms = 4_000);
    let poison = it.ask(&scheduler, "R-poison", "folder").await;
    for number in 1..6 {
        it.ask(&scheduler, &format!("R-{number}"), "access").await;
    }
    let mut kills = 0;
    while let Some(holder) = claimed_or_dead(&it, &poison, &workers).await {
        kills += 1;
        workers.remove(holder).kill();
        workers.push(it.home.start("worker"));
        // Neighbours of the next run.
        let neighbour = format!("R-after-{kills}");
        it.ask(&scheduler, &neighbour, "access").await;
    }
    it.simulator.set_knobs(|knobs| knobs.latency_ms = 0);
    // More than three only where this machine was so slow that a healthy worker was taken for dead meanwhile.
    assert!(kills >= 3, "{kills}");
    let job = it.job(&poison, "create_ticket.v1").await;
    assert_eq!(job.last_error_class.as_deref(), Some("poison"));

    let neighbours = until("every neighbour has its ticket", async || {
        let mut requests = it.requests(&scheduler).await;
        requests.retain(|request| request["id"] != *poison);
        let open = |request: &serde_json::Value| request["ticket"]["number"].is_string();
        requests.iter().all(open).then_some(requests)
    })
    .await;
    assert_eq!(neighbours.len(), 6 + kills);
    let tickets = it.tickets();
    for request in &neighbours {
        assert_eq!(request["attention"], serde_json::Value::Null);
        let id = request["id"].as_str().expect("an id");
        assert_eq!(tickets[id].len(), 1, "{id}");
    }
    assert!(tickets.get(&poison).is_none_or(|rows| rows.len() == 1));
    let requests = it.requests(&scheduler).await;
    let given_up = requests.iter().find(|it| it["id"] == *poison);
    let flag = given_up.expect("it is there")["attention"].to_string();
    assert!(flag.contains("3 workers in a row died"), "{flag}");
    for process in workers.into_iter().chain([scheduler.process]) {
        process.stop().with_code(0);
    }
}

/// Which worker has claimed the job; `None` once it is dead.
async fn claimed_or_dead(it: &Installation, poison: &str, workers: &[Running]) -> Option<usize> {
    until("the job is claimed or dead", async || {
        let job = it.job(poison, "create_ticket.v1").await;
        match job.state {
            JobState::Dead => Some(None),
            JobState::Done => panic!("it was to be killed in its middle"),
            // Its verdict is written without its handler, so it kills nobody any more.
            _ if job.worker_deaths >= POISON => None,
            // A suspect that finds another one beside it is claimed for a moment and put off: its worker runs the other one.
            _ if SystemClock.now() - job.updated_at < IN_THE_MIDDLE => None,
            _ => Some(Some(workers.iter().position(|worker| holds(worker, &job))?)),
        }
    })
    .await
}
