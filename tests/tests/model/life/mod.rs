//! The life of requests and jobs, step by step against a model: intake and the source's words through the API, the
//! worker's part through the store as `worker::dispatch` uses it (ARCHITECTURE.md, "Delivery" and "Mirroring").

mod reference;
mod system;

use proptest::test_runner::Config;
use proptest_state_machine::prop_state_machine;

use system::{OnPostgres, OnSqlite};

prop_state_machine! {
    #![proptest_config(Config { cases: 12, max_shrink_iters: 400, ..Config::default() })]

    #[test]
    fn requests_and_jobs_keep_to_the_model_on_sqlite(sequential 1..60 => OnSqlite);
}

prop_state_machine! {
    #![proptest_config(Config { cases: 3, max_shrink_iters: 60, ..Config::default() })]

    #[test]
    fn requests_and_jobs_keep_to_the_model_on_postgres(sequential 1..60 => OnPostgres);
}
