//! Creating tickets: one for each request, whatever the instance answers (T1, T2, T6, T16, T20, T21, T22, T23, T25).

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

/// Makes two tests of a function over a running bridge: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use tests::databases::Flavour;
            use tests::running::Running;

            #[tokio::test]
            async fn sqlite() {
                super::$name(&Running::start(Flavour::Sqlite).await).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$name(&Running::start(Flavour::Postgres).await).await;
            }
        }
    )+};
}

mod budget;
mod checks;
mod choices;
mod create;
mod credentials;
mod holds;
mod leases;
mod lost_answers;
mod lost_claims;
mod orders;
mod parked;
mod people;
mod poison;
mod refusals;
mod retention;
