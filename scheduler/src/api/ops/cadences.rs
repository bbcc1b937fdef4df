use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::operator::Role;
use shared::store::StoreError;
use shared::store::audit::{self, Entry};
use shared::store::cadences::{self, Cadence};
use utoipa::ToSchema;

use super::caller::Operating;
use crate::Scheduler;
use crate::api::documented_problems::{OfActing, OfOperating};
use crate::api::fields::shown;
use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;
use crate::api::query::Params;

/// Every cadence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct CadenceList {
    pub(crate) items: Vec<CadenceView>,
}

/// What runs every so often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Cadence)]
pub(crate) struct CadenceView {
    #[schema(example = "changes:main:incident")]
    pub(crate) name: String,
    /// `changes` (what changed), `reconcile` (every open ticket by its id), `drift` (a comparison with the instance's own count) or
    /// `choices` (a comparison of choice lists with the state maps).
    pub(crate) kind: String,
    pub(crate) connection: String,
    pub(crate) table: String,
    /// How often, in seconds.
    pub(crate) every_seconds: u64,
    /// When it runs next.
    pub(crate) next_at: DateTime<Utc>,
    /// When a run last began.
    pub(crate) last_started_at: Option<DateTime<Utc>>,
    /// When a run last ended well.
    pub(crate) last_finished_at: Option<DateTime<Utc>>,
    /// Whether an operator has stopped it.
    pub(crate) paused: bool,
}

impl From<Cadence> for CadenceView {
    fn from(it: Cadence) -> Self {
        Self {
            name: it.name,
            kind: it.kind,
            connection: it.connection,
            table: it.table,
            every_seconds: it.every.as_secs(),
            next_at: it.next_at,
            last_started_at: it.last_started_at,
            last_finished_at: it.last_finished_at,
            paused: it.paused,
        }
    }
}

/// What is done with a cadence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Run,
    Pause,
    Resume,
}

/// See the cadences
///
/// What is read how often, when it last ran and when it runs next.
#[utoipa::path(
    get,
    path = "/v1/ops/cadences",
    tag = "operators",
    responses((status = 200, description = "Every cadence", body = CadenceList), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn list_cadences(
    State(scheduler): State<Arc<Scheduler>>,
    _operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Json<CadenceList>, Problem> {
    Params::of(query.as_deref()).finish()?;
    Ok(Json(all(&scheduler).await?))
}

/// Run a cadence now
///
/// Its turn comes at once; a run that is under way keeps a second one out.
#[utoipa::path(
    post,
    path = "/v1/ops/cadences/{name}/run",
    tag = "operators",
    params(("name" = String, Path, description = "The name of the cadence", example = "changes:main:incident")),
    responses((status = 200, description = "Every cadence, as it is now", body = CadenceList), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn run_cadence(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(name): Path<String>,
) -> Result<Json<CadenceList>, Problem> {
    act(&scheduler, &operating, &name, Deed::Run).await?;
    Ok(Json(all(&scheduler).await?))
}

/// Pause a cadence
///
/// It does not run until it is resumed; a run that is under way comes to its end.
#[utoipa::path(
    post,
    path = "/v1/ops/cadences/{name}/pause",
    tag = "operators",
    params(("name" = String, Path, description = "The name of the cadence", example = "changes:main:incident")),
    responses((status = 200, description = "Every cadence, as it is now", body = CadenceList), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn pause_cadence(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(name): Path<String>,
) -> Result<Json<CadenceList>, Problem> {
    act(&scheduler, &operating, &name, Deed::Pause).await?;
    Ok(Json(all(&scheduler).await?))
}

/// Resume a cadence
///
/// It runs when its turn comes, at once when that has passed. What has changed meanwhile is read from where it stopped.
#[utoipa::path(
    post,
    path = "/v1/ops/cadences/{name}/resume",
    tag = "operators",
    params(("name" = String, Path, description = "The name of the cadence", example = "changes:main:incident")),
    responses((status = 200, description = "Every cadence, as it is now", body = CadenceList), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn resume_cadence(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(name): Path<String>,
) -> Result<Json<CadenceList>, Problem> {
    act(&scheduler, &operating, &name, Deed::Resume).await?;
    Ok(Json(all(&scheduler).await?))
}

pub(crate) async fn all(scheduler: &Scheduler) -> Result<CadenceList, Problem> {
    let all = cadences::list(scheduler.store.conn()).await?;
    Ok(CadenceList {
        items: all.into_iter().map(CadenceView::from).collect(),
    })
}

/// Does it, with an audit entry.
pub(crate) async fn act(
    scheduler: &Scheduler,
    operating: &Operating,
    name: &str,
    deed: Deed,
) -> Result<(), Problem> {
    operating.may(Role::Operator)?;
    let now = scheduler.now();
    let tx = scheduler.store.begin().await?;
    let all = cadences::list(&tx).await?;
    let Some(found) = all.iter().find(|it| it.name == name) else {
        let known: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
        let detail = format!(
            "There is no cadence `{}`. There is: {}.",
            shown(name),
            known.join(", ")
        );
        return Err(Problem::new(Kind::NotFound, detail));
    };
    let (done, action) = match deed {
        Deed::Run => (cadences::run_now(&tx, name, now).await?, "cadence.run"),
        Deed::Pause if !found.paused => (
            cadences::set_paused(&tx, name, true).await?,
            "cadence.paused",
        ),
        Deed::Resume if found.paused => (
            cadences::set_paused(&tx, name, false).await?,
            "cadence.resumed",
        ),
        Deed::Pause | Deed::Resume => (false, ""),
    };
    if !done {
        let state = if found.paused {
            "is paused"
        } else {
            "is not paused"
        };
        let detail = format!(
            "The cadence {name} {state}. Somebody was faster, or this page is old; nothing was changed."
        );
        return Err(Problem::new(Kind::StaleAction, detail));
    }
    let entry = Entry {
        actor: &operating.actor(),
        action,
        subject_kind: "cadence",
        subject_id: name,
        from: None,
        to: None,
        reason: None,
        detail: Value::Null,
    };
    audit::append(&tx, &entry, now).await?;
    tx.commit().await.map_err(StoreError::from)?;
    Ok(())
}
