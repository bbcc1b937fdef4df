use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::store::audit::{self, AuditFilter, AuditRow};
use utoipa::{IntoParams, ToSchema};

use super::caller::Operating;
use crate::Scheduler;
use crate::api::documented_problems::OfOperating;
use crate::api::problem::Problem;
use crate::api::query::Params;

const USUAL_PAGE: u64 = 100;
const LONGEST_PAGE: u64 = 1_000;

/// Which entries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "it is for the document; the query is read by hand"
)]
pub(crate) struct AuditParams {
    /// Only by this actor, `kind:name`.
    #[param(example = "operator:vera")]
    actor: Option<String>,
    /// Only this action.
    #[param(example = "job.revived")]
    action: Option<String>,
    /// Only about things of this kind.
    #[param(example = "request")]
    subject_kind: Option<String>,
    /// Only about this thing.
    subject_id: Option<String>,
    /// Only from then on.
    after: Option<DateTime<Utc>>,
    /// Only before then.
    before: Option<DateTime<Utc>>,
    /// `next_cursor` of the page before.
    cursor: Option<i64>,
    /// At most so many; 100 when not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
}

/// A page of entries, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    pub(crate) items: Vec<AuditView>,
    /// Where the next page begins; null when there is nothing more to look at.
    pub(crate) next_cursor: Option<i64>,
    /// When a page has looked at as many entries as it may before it was full: up to when it has looked.
    pub(crate) looked_back_to: Option<DateTime<Utc>>,
}

/// Who did what to which thing.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct AuditView {
    /// Counts up; numbers may be missing where a transaction was given up.
    id: i64,
    /// When.
    at: DateTime<Utc>,
    /// Who: `source:idm`, `operator:vera`, `servicenow:nina.agent`, `system:worker`.
    #[schema(example = "operator:vera")]
    actor: String,
    /// What.
    #[schema(example = "job.revived")]
    action: String,
    /// Kind of the thing.
    #[schema(example = "job")]
    subject_kind: String,
    /// Id or name of the thing.
    subject_id: String,
    /// State before.
    from: Option<String>,
    /// State after.
    to: Option<String>,
    /// Why.
    reason: Option<String>,
    /// More: from where, to how many, before and after.
    #[schema(value_type = Object)]
    detail: Value,
}

impl From<AuditRow> for AuditView {
    fn from(row: AuditRow) -> Self {
        Self {
            id: row.id,
            at: row.at,
            actor: row.actor,
            action: row.action,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            from: row.from,
            to: row.to,
            reason: row.reason,
            detail: row.detail,
        }
    }
}

/// The newest seal over the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ChainHead {
    /// Blocks so far; 0 when nothing is sealed yet.
    pub(crate) blocks: i64,
    /// SHA-256 that binds all of them, as hex. Kept elsewhere, it proves later that nobody has sealed everything anew.
    pub(crate) chain: Option<String>,
    /// When it was sealed.
    pub(crate) sealed_at: Option<DateTime<Utc>>,
    /// The last entry in it.
    pub(crate) up_to_entry: Option<i64>,
}

/// See the seal of the audit trail
///
/// `ticketbridge audit verify` proves that the trail is as it was sealed.
#[utoipa::path(
    get,
    path = "/v1/ops/audit/chain",
    tag = "operators",
    responses((status = 200, description = "The newest seal", body = ChainHead), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn show_chain(
    State(scheduler): State<Arc<Scheduler>>,
    _operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Json<ChainHead>, Problem> {
    Params::of(query.as_deref()).finish()?;
    Ok(Json(head(&scheduler).await?))
}

pub(crate) async fn head(scheduler: &Scheduler) -> Result<ChainHead, Problem> {
    let head = audit::head(scheduler.store.conn()).await?;
    Ok(ChainHead {
        blocks: head.as_ref().map_or(0, |it| it.number),
        chain: head.as_ref().map(|it| audit::hex(&it.chain)),
        sealed_at: head.as_ref().map(|it| it.sealed_at),
        up_to_entry: head.as_ref().map(|it| it.last_id),
    })
}

/// Read the audit trail
///
/// Newest first. A page looks at 50,000 entries at most, and says how far back it came.
#[utoipa::path(
    get,
    path = "/v1/ops/audit",
    tag = "operators",
    params(AuditParams),
    responses((status = 200, description = "A page of entries", body = AuditPage), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn list_audit(
    State(scheduler): State<Arc<Scheduler>>,
    _operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Json<AuditPage>, Problem> {
    Ok(Json(page(&scheduler, query.as_deref()).await?))
}

pub(crate) async fn page(scheduler: &Scheduler, query: Option<&str>) -> Result<AuditPage, Problem> {
    let mut params = Params::of(query);
    let filter = filter(&mut params);
    let cursor = params.parsed("cursor", "send next_cursor of the page before, unchanged");
    let limit = params.limit(1..=LONGEST_PAGE, USUAL_PAGE);
    params.finish()?;
    let found = audit::search(scheduler.store.conn(), &filter, cursor, limit).await?;
    Ok(AuditPage {
        items: found.entries.into_iter().map(AuditView::from).collect(),
        next_cursor: found.next,
        looked_back_to: found.looked_back_to,
    })
}

pub(crate) fn filter(params: &mut Params) -> AuditFilter {
    AuditFilter {
        actor: params.text("actor", 200),
        action: params.text("action", 100),
        subject_kind: params.text("subject_kind", 100),
        subject_id: params.text("subject_id", 200),
        after: params.time("after"),
        before: params.time("before"),
    }
}
