//! What `cargo xtask chaos` does, as a test with a fixed seed. `.config/nextest.toml` gives it the time that it takes.

use tests::chaos::processes;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_minutes_of_faults_lose_nothing_and_double_nothing() {
    let arguments = processes::Arguments {
        minutes: 5,
        seed: 2,
        rate: 60,
        patience_minutes: 10,
    };
    let verdict = processes::run(&arguments)
        .await
        .expect("the installation starts and can be read");
    assert!(verdict.holds, "\n{}", verdict.table);
}
