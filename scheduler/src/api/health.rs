use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::degraded::Degraded;
use shared::store::{StoreError, circuits};
use utoipa::ToSchema;

use crate::Scheduler;

/// A check that takes longer has failed: whoever asks wants to know now.
const PATIENCE: Duration = Duration::from_secs(3);

/// The check that does not decide.
const BROKER: &str = "broker";

/// That the process lives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    ready: bool,
    /// `ready`, `degraded` or `unready`. Degraded is ready: requests are taken in, and some tickets wait.
    #[schema(example = "ready")]
    status: &'static str,
    checks: Vec<Check>,
    /// The connections that nobody calls for now; empty while the database does not say.
    degraded: Vec<DegradedView>,
}

/// A connection, or a table of it, that nobody calls for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Degraded)]
pub(crate) struct DegradedView {
    /// Name of the connection, or `connection/table`.
    #[schema(example = "main")]
    pub(crate) connection: String,
    /// In words.
    #[schema(example = "throttled until 2026-03-02 09:00:08 UTC")]
    pub(crate) status: String,
    /// Until when; a moment that has passed when a job tries it now.
    pub(crate) until: DateTime<Utc>,
    /// Why, in words.
    pub(crate) reason: String,
    /// Whether somebody has to mend something; otherwise it passes by itself.
    pub(crate) wants_a_hand: bool,
}

/// One thing that is needed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    /// `database`, `migrations` or `broker`.
    #[schema(example = "database")]
    name: &'static str,
    ok: bool,
    /// What is wrong, and what to do.
    problem: Option<String>,
}

/// Does the process live?
///
/// Says nothing of what it depends on: a process is not restarted because the database is gone.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operation",
    responses((status = 200, description = "It does", body = Health)),
)]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Can requests be taken in?
///
/// Looks at the database and its migrations. The broker is looked at as well, but does not decide: without it requests are
/// stored safely and their tickets are made later, so callers need not be turned away. For the same reason a connection that is held back, or
/// whose budget is used up, makes the answer `degraded`, with until when, and 200 all the same.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    responses(
        (status = 200, description = "They can", body = Readiness),
        (status = 503, description = "They cannot, and why", body = Readiness),
    ),
)]
pub(crate) async fn readyz(
    State(scheduler): State<Arc<Scheduler>>,
) -> (StatusCode, Json<Readiness>) {
    let database = async {
        scheduler
            .store
            .ping()
            .await
            .map_err(|error| error.to_string())
    };
    let migrations = async {
        scheduler
            .store
            .ensure_migrated()
            .await
            .map_err(|error| error.to_string())
    };
    let broker = async {
        scheduler
            .broker
            .health()
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let held = async { tokio::time::timeout(PATIENCE, degraded(&scheduler)).await };
    let (database, migrations, broker, held) = tokio::join!(
        check("database", database),
        check("migrations", migrations),
        check(BROKER, broker),
        held
    );
    // What fails here fails in the checks, too, and is told there.
    let degraded = held.ok().and_then(Result::ok).unwrap_or_default();
    let checks = vec![database, migrations, broker];
    let ready = checks.iter().all(|check| check.ok || check.name == BROKER);
    let (code, status) = match (ready, degraded.is_empty()) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unready"),
        (true, false) => (StatusCode::OK, "degraded"),
        (true, true) => (StatusCode::OK, "ready"),
    };
    let readiness = Readiness {
        ready,
        status,
        checks,
        degraded,
    };
    (code, Json(readiness))
}

/// The connections that nobody calls for now.
pub(crate) async fn degraded(scheduler: &Scheduler) -> Result<Vec<DegradedView>, StoreError> {
    let open = circuits::all(scheduler.store.conn()).await?;
    let all = shared::degraded::degraded(&open, &scheduler.standings(), scheduler.now());
    Ok(all.into_iter().map(DegradedView::from).collect())
}

impl From<Degraded> for DegradedView {
    fn from(it: Degraded) -> Self {
        Self {
            connection: it.connection,
            status: it.status,
            until: it.until,
            reason: it.reason,
            wants_a_hand: it.wants_a_hand,
        }
    }
}

async fn check(name: &'static str, checked: impl Future<Output = Result<(), String>>) -> Check {
    let late = format!("no answer within {} s", PATIENCE.as_secs());
    let result = tokio::time::timeout(PATIENCE, checked)
        .await
        .unwrap_or(Err(late));
    Check {
        name,
        ok: result.is_ok(),
        problem: result.err(),
    }
}
