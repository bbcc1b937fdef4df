use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Request;
use shared::operator::Role;
use shared::store::circuits::{self, Circuit};
use shared::store::{StoreError, jobs};
use utoipa::ToSchema;

use super::caller::Operating;
use super::connection_view::ConnectionDetail;
use super::connections::{detail, found};
use super::routes::reason;
use crate::Scheduler;
use crate::api::documented_problems::OfActing;
use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;

/// Try a connection again now
///
/// Ends the wait of its open circuits, of the whole connection and of single tables. One job goes first; when it gets through, the circuit
/// closes and the others follow; when it does not, the circuit is open again, for longer. Parked jobs are due now, and of those that were
/// turned away the first thousand. A silence that the instance has asked for (429) is kept all the same.
#[utoipa::path(
    post,
    path = "/v1/ops/connections/{name}/circuit/close",
    tag = "operators",
    params(("name" = String, Path, description = "The name of the connection", example = "main")),
    request_body(content = TryBody),
    responses((status = 200, description = "The connection, as it is now", body = ConnectionDetail), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn close_circuit(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(name): Path<String>,
    request: Request<Body>,
) -> Result<Json<ConnectionDetail>, Problem> {
    let reason = reason(&scheduler, request).await?;
    try_again(&scheduler, &operating, &name, &reason).await?;
    Ok(Json(detail(&scheduler, &name).await?))
}

/// Why.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is for the document; the body is read by hand")]
pub(crate) struct TryBody {
    #[schema(example = "the account is unlocked again")]
    reason: String,
}

/// Ends the wait of the open circuits of a connection.
pub(crate) async fn try_again(
    scheduler: &Scheduler,
    operating: &Operating,
    name: &str,
    reason: &str,
) -> Result<(), Problem> {
    operating.may(Role::Operator)?;
    found(scheduler, name)?;
    let (now, actor) = (scheduler.now(), operating.actor());
    let tx = scheduler.store.begin().await?;
    let open: Vec<Circuit> = circuits::all(&tx)
        .await?
        .into_iter()
        .filter(|it| it.of() == name)
        .collect();
    let classes: Vec<String> = open.iter().map(|it| it.class.clone()).collect();
    // Jobs before circuits, as the end of a run writes them.
    jobs::hasten(&tx, name, &classes, now).await?;
    let mut ended = 0;
    for circuit in &open {
        if circuits::end_wait(&tx, circuit, &actor, reason, now).await? {
            ended += 1;
        }
    }
    if ended == 0 {
        tx.rollback().await.map_err(StoreError::from)?;
        return Err(stale(name, &open));
    }
    tx.commit().await.map_err(StoreError::from)?;
    scheduler.relay_nudge.notify_one();
    Ok(())
}

fn stale(name: &str, open: &[Circuit]) -> Problem {
    let detail = match open.first() {
        None => format!(
            "Nothing holds {name} back: it got through meanwhile, or this page is old. Nothing was changed."
        ),
        Some(circuit) => format!(
            "The wait of {} has been over since {}: a job tries it now, or is about to. Nothing was changed.",
            circuit.connection,
            circuit.until.to_rfc3339()
        ),
    };
    Problem::new(Kind::StaleAction, detail)
}
