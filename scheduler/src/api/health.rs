use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
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
    checks: Vec<Check>,
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
/// stored safely and their tickets are made later, so callers need not be turned away.
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
    let (database, migrations, broker) = tokio::join!(
        check("database", database),
        check("migrations", migrations),
        check(BROKER, broker)
    );
    let checks = vec![database, migrations, broker];
    let ready = checks.iter().all(|check| check.ok || check.name == BROKER);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Readiness { ready, checks }))
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
