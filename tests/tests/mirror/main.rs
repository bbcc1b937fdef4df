//! Tickets and requests follow each other, in both masteries (T7, T9, T10, T11, T12, T15, T18, T20, T23).

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

mod conflicts;
mod cost;
mod drift;
mod echo;
mod late;
mod mended_map;
mod note_faults;
mod notes;
mod overlap;
mod paging;
mod reading;
mod reconcile;
mod trust;
mod writing;
