//! Seeded sequences: a few hundred, and every one that has ever found something. `cargo xtask chaos --mode points` plays thousands.

use tests::chaos::points::{Arguments, plan, play::Play, run, stage::Stage};
use tests::databases::Flavour;

/// Seeds that once failed.
const ONCE_FAILED: [u64; 10] = [2, 49, 70, 134, 272, 1093, 1517, 1716, 1761, 2287];

#[tokio::test]
async fn seeds_that_once_failed() {
    let stage = Stage::build(Flavour::Sqlite).await;
    for seed in ONCE_FAILED {
        let played = Play::run(&stage, &plan::of_seed(seed)).await;
        assert_eq!(played.findings, [], "seed {seed}");
    }
}

#[test]
fn three_hundred_seeds_lose_and_double_nothing() {
    let arguments = Arguments {
        runs: 300,
        seed: 1,
        threads: 2,
    };
    let verdict = run(&arguments).expect("the runs are played");
    assert!(verdict.holds, "{}", verdict.table);
}
