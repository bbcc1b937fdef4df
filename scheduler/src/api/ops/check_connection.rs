use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use shared::job::{ConnectionCheck, NewJob, Payload};
use shared::operator::Role;
use shared::store::audit::{self, Entry};
use shared::store::{StoreError, connection_checks, jobs};

use super::caller::Operating;
use super::connection_view::ConnectionDetail;
use super::connections::{detail, found};
use crate::Scheduler;
use crate::api::documented_problems::OfActing;
use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;

/// Check a connection
///
/// A worker tries it step by step: name, connection, log-in, account, and for each table whether it can be read and its answers be believed.
/// It only reads, keeps to the budget of the instance, and is made although a circuit is open, which it neither opens nor closes. One at a
/// time a connection. When no worker serves the connection, the check waits for one.
#[utoipa::path(
    post,
    path = "/v1/ops/connections/{name}/check",
    tag = "operators",
    params(("name" = String, Path, description = "The name of the connection", example = "main")),
    responses((status = 200, description = "The connection, with the check", body = ConnectionDetail), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn check_connection(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(name): Path<String>,
) -> Result<Json<ConnectionDetail>, Problem> {
    begin(&scheduler, &operating, &name).await?;
    Ok(Json(detail(&scheduler, &name).await?))
}

/// Stores the check and its job. One that has not ended keeps a second one out.
pub(crate) async fn begin(
    scheduler: &Scheduler,
    operating: &Operating,
    name: &str,
) -> Result<(), Problem> {
    operating.may(Role::Operator)?;
    found(scheduler, name)?;
    let (now, actor) = (scheduler.now(), operating.actor());
    let job = NewJob {
        payload: Payload::CheckConnection(ConnectionCheck {
            connection: name.to_owned(),
        }),
        connection: Some(name.to_owned()),
        request_id: None,
        // Somebody waits for it.
        priority: 1,
        due_at: now,
        dedup_key: Some(ConnectionCheck::key(name)),
        traceparent: shared::telemetry::current_traceparent(),
    };
    let tx = scheduler.store.begin().await?;
    let Some(queued) = jobs::insert_due(&tx, &job, now).await? else {
        // Or the one that runs would be made once more.
        tx.rollback().await.map_err(StoreError::from)?;
        return Err(stale(scheduler, name).await?);
    };
    connection_checks::ask(&tx, queued.id, name, &actor.to_string(), now).await?;
    let entry = Entry {
        actor: &actor,
        action: "connection.check",
        subject_kind: "connection",
        subject_id: name,
        from: None,
        to: None,
        reason: None,
        detail: serde_json::json!({ "check": queued.id }),
    };
    audit::append(&tx, &entry, now).await?;
    tx.commit().await.map_err(StoreError::from)?;
    scheduler.relay_nudge.notify_one();
    Ok(())
}

async fn stale(scheduler: &Scheduler, name: &str) -> Result<Problem, Problem> {
    let newest = connection_checks::of_connection(scheduler.store.conn(), name, 1).await?;
    let since = newest.first().map_or_else(String::new, |check| {
        format!(
            ", asked for at {} by {}",
            check.asked_at.to_rfc3339(),
            check.asked_by
        )
    });
    let detail = format!(
        "A check of {name} is under way{since}. Nothing was changed; wait for what it finds."
    );
    Ok(Problem::new(Kind::StaleAction, detail))
}
