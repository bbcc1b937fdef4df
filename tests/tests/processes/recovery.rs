//! `cargo xtask chaos --mode recovery`, in short.

use tests::chaos::recovery::{self, Arguments};

/// The bound is twice the target, because the tests beside this one want the machine too. What does not depend on it is exact.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_jobs_of_killed_workers_soon_begin_anew() {
    let arguments = Arguments {
        kills: 6,
        seed: 1,
        bound_seconds: 20.0,
    };
    let verdict = recovery::run(&arguments).await;
    let verdict = verdict.expect("it can be measured");
    assert!(verdict.holds, "{}", verdict.table);
}
