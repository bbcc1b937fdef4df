use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::sync::Notify;

use super::*;

const DRAIN: Duration = Duration::from_secs(25);

fn until_stopped(process: &Process) -> impl Future<Output = anyhow::Result<()>> + Send + 'static {
    let stop = process.stop_token();
    async move {
        stop.cancelled().await;
        Ok(())
    }
}

fn message(result: anyhow::Result<()>) -> String {
    format!("{:#}", result.unwrap_err())
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_stops_every_task_and_is_no_error() {
    let mut process = Process::new();
    process.supervise("relay", until_stopped(&process));
    process.supervise("sweeper", until_stopped(&process));
    let stop = process.stop_token();
    process
        .run(tokio::time::sleep(Duration::from_secs(3)), DRAIN)
        .await
        .unwrap();
    assert!(stop.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn cancelling_the_stop_token_is_a_regular_stop() {
    let mut process = Process::new();
    process.supervise("relay", until_stopped(&process));
    process.stop_token().cancel();
    process.run(std::future::pending(), DRAIN).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_ends_before_the_stop_ends_the_process_and_is_named() {
    let mut process = Process::new();
    process.supervise("sweeper", until_stopped(&process));
    process.supervise("relay", async { Ok(()) });
    let stop = process.stop_token();
    let error = message(process.run(std::future::pending(), DRAIN).await);
    assert_eq!(error, "`relay` ended although nobody asked it to");
    assert!(stop.is_cancelled(), "the others are stopped as well");
}

#[tokio::test(start_paused = true)]
async fn an_error_keeps_its_source_and_a_panic_its_message() {
    let mut process = Process::new();
    process.supervise("relay", async {
        Err(anyhow!("disk full").context("cannot write"))
    });
    let error = message(process.run(std::future::pending(), DRAIN).await);
    assert_eq!(error, "`relay` failed: cannot write: disk full");

    let mut process = Process::new();
    process.supervise("cadence", async { panic!("index {} out of bounds", 7) });
    let error = message(process.run(std::future::pending(), DRAIN).await);
    assert_eq!(error, "`cadence` panicked: index 7 out of bounds");
}

#[tokio::test(start_paused = true)]
async fn an_error_while_stopping_is_told() {
    let mut process = Process::new();
    let stop = process.stop_token();
    process.supervise("worker", async move {
        stop.cancelled().await;
        Err(anyhow!("leases could not be handed back"))
    });
    let error = message(process.run(std::future::ready(()), DRAIN).await);
    assert_eq!(
        error,
        "`worker` failed while it stopped: leases could not be handed back"
    );
}

#[tokio::test(start_paused = true)]
async fn the_drain_is_waited_for_and_no_longer() {
    let mut process = Process::new();
    let stop = process.stop_token();
    process.supervise("worker", async move {
        stop.cancelled().await;
        tokio::time::sleep(Duration::from_secs(24)).await;
        Ok(())
    });
    process.run(std::future::ready(()), DRAIN).await.unwrap();

    let mut process = Process::new();
    process.supervise("relay", until_stopped(&process));
    process.supervise("worker", std::future::pending());
    process.tracker().spawn(std::future::pending::<()>());
    let started = Instant::now();
    let error = message(process.run(std::future::ready(()), DRAIN).await);
    assert_eq!(started.elapsed(), DRAIN);
    assert_eq!(
        error,
        "still running 25 s after the stop: `worker`, 1 tasks that were spawned by others"
    );
}

#[tokio::test(start_paused = true)]
async fn tasks_of_tasks_are_waited_for() {
    let process = Process::new();
    let done = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&done);
    process.tracker().spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        counted.fetch_add(1, Ordering::SeqCst);
    });
    process.run(std::future::ready(()), DRAIN).await.unwrap();
    assert_eq!(done.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn every_ticks_at_once_at_each_interval_and_at_each_nudge() {
    let (nudge, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let started = Instant::now();
    let mut seen = Vec::new();
    let nudger = async {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        nudge.notify_one();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        stop.cancel();
    };
    let ticks = every(
        Duration::from_secs(1),
        Arc::clone(&nudge),
        stop.clone(),
        || {
            seen.push(started.elapsed().as_millis());
            async { Ok(()) }
        },
    );
    let (result, ()) = tokio::join!(ticks, nudger);
    result.unwrap();
    assert_eq!(seen, [0, 1000, 1200, 2200]);
}

#[tokio::test(start_paused = true)]
async fn every_survives_errors_and_a_nudge_during_a_tick_is_not_lost() {
    let (nudge, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let started = Instant::now();
    let mut seen = Vec::new();
    every(
        Duration::from_mins(1),
        Arc::clone(&nudge),
        stop.clone(),
        || {
            seen.push(started.elapsed().as_secs());
            match seen.len() {
                1 => nudge.notify_one(),
                3 => stop.cancel(),
                _ => {}
            }
            async { Err(anyhow!("database gone")) }
        },
    )
    .await
    .unwrap();
    assert_eq!(seen, [0, 0, 60]);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_tick_names_its_task() {
    let mut process = Process::new();
    let (nudge, stop) = (Arc::new(Notify::new()), process.stop_token());
    process.supervise(
        "sweeper",
        every(Duration::from_secs(1), nudge, stop, || async {
            panic!("odd row")
        }),
    );
    let error = message(process.run(std::future::pending(), DRAIN).await);
    assert_eq!(error, "`sweeper` panicked: odd row");
}

#[test]
fn identities_are_unique_and_say_who_they_are() {
    let (one, two) = (identity("worker"), identity("worker"));
    assert_ne!(one, two);
    let pid = std::process::id();
    assert!(
        one.starts_with(&format!("{}-worker-{pid}-", host())),
        "{one}"
    );
    assert!(
        one.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
        "{one}"
    );
}
