//! Properties over random inputs, and state machines against models that fit on a page.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::sync::LazyLock;

use tests::databases::{Flavour, Template, TestDatabase};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

mod brokers;
mod circuits;
mod corpus;
mod cursor;
mod life;
mod queries;
mod scaling;

/// The runtime of all cases.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
});

/// A migrated SQLite database of one case.
async fn database() -> TestDatabase {
    static TEMPLATE: OnceCell<Template> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| Template::make(Flavour::Sqlite, async |_| {}))
        .await
        .copy()
        .await
}
