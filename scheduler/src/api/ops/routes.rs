use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::Request;
use shared::operator::Role;
use shared::route::Route;
use shared::store::requests::{self, UnmappedRequest};
use shared::store::{StoreError, choice_lists, drift, switches, table_facts};
use utoipa::ToSchema;

use super::caller::Operating;
use super::route_view::{DriftView, RouteDetail, RouteList, RouteView, UnmappedView};
use crate::Scheduler;
use crate::api::documented_problems::{OfActing, OfOperating, OfOperatingOne};
use crate::api::fields::{Fields, Text, shown};
use crate::api::json::read_json;
use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;
use crate::api::query::Params;

/// Of so many flagged requests the audit trail is asked since when they are.
const DATED: usize = 500;

/// See the routes
///
/// Which requests become which tickets, whether new ones are taken in, how many stand still for a value that nobody mapped, and
/// whether each map fits the choice lists of the instance.
#[utoipa::path(
    get,
    path = "/v1/ops/routes",
    tag = "operators",
    responses((status = 200, description = "Every route, in the order of the configuration", body = RouteList), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn list_routes(
    State(scheduler): State<Arc<Scheduler>>,
    _operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Json<RouteList>, Problem> {
    Params::of(query.as_deref()).finish()?;
    Ok(Json(all(&scheduler).await?))
}

/// See a route with its map of states
///
/// What it matches, what it writes, what the values of a ticket mean, which values no map knows, and what was learned of its table.
#[utoipa::path(
    get,
    path = "/v1/ops/routes/{name}",
    tag = "operators",
    params(("name" = String, Path, description = "The name of the route", example = "application-access")),
    responses((status = 200, description = "The route", body = RouteDetail), OfOperatingOne),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn show_route(
    State(scheduler): State<Arc<Scheduler>>,
    _operating: Operating,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<RouteDetail>, Problem> {
    Params::of(query.as_deref()).finish()?;
    Ok(Json(detail(&scheduler, &name).await?))
}

/// Switch a route off
///
/// New requests for it are refused with 409 (`route-disabled`), until somebody switches it on, also after a restart. What was taken in before
/// goes on: its tickets are made, read and written.
#[utoipa::path(
    post,
    path = "/v1/ops/routes/{name}/off",
    tag = "operators",
    params(("name" = String, Path, description = "The name of the route", example = "application-access")),
    request_body(content = SwitchBody),
    responses((status = 200, description = "The route, as it is now", body = RouteDetail), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn switch_route_off(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(name): Path<String>,
    request: Request<Body>,
) -> Result<Json<RouteDetail>, Problem> {
    let reason = reason(&scheduler, request).await?;
    set(&scheduler, &operating, &name, false, &reason).await?;
    Ok(Json(detail(&scheduler, &name).await?))
}

/// Switch a route on
///
/// New requests for it are taken in again. Those that were refused meanwhile were not stored: their sources send them again.
#[utoipa::path(
    post,
    path = "/v1/ops/routes/{name}/on",
    tag = "operators",
    params(("name" = String, Path, description = "The name of the route", example = "application-access")),
    request_body(content = SwitchBody),
    responses((status = 200, description = "The route, as it is now", body = RouteDetail), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn switch_route_on(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(name): Path<String>,
    request: Request<Body>,
) -> Result<Json<RouteDetail>, Problem> {
    let reason = reason(&scheduler, request).await?;
    set(&scheduler, &operating, &name, true, &reason).await?;
    Ok(Json(detail(&scheduler, &name).await?))
}

/// Why.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is for the document; the body is read by hand")]
pub(crate) struct SwitchBody {
    #[schema(example = "the approval group is being set up anew")]
    reason: String,
}

/// The reason of a body; it must be there.
pub(crate) async fn reason(
    scheduler: &Scheduler,
    request: Request<Body>,
) -> Result<String, Problem> {
    let body = read_json(request, scheduler.settings.server.body_limit_bytes).await?;
    let mut fields = Fields::of(&body, "").map_err(|error| Problem::of_fields(vec![error]))?;
    let reason = fields.needed_text("reason", 500, Text::Line);
    match fields.finish() {
        errors if errors.is_empty() => Ok(reason),
        errors => Err(Problem::of_fields(errors)),
    }
}

/// Switches a route. What stands so already is told, with who did it.
pub(crate) async fn set(
    scheduler: &Scheduler,
    operating: &Operating,
    name: &str,
    on: bool,
    reason: &str,
) -> Result<(), Problem> {
    operating.may(Role::Operator)?;
    let route = found(scheduler, name)?;
    if !route.enabled {
        let detail = format!(
            "The route {name} is off by the configuration already. Nothing was changed. Set `enabled = true` in its [[routes]] table and \
             restart the bridge to turn it on."
        );
        return Err(Problem::new(Kind::StaleAction, detail));
    }
    let tx = scheduler.store.begin().await?;
    let (subject, actor) = (switches::of_route(name), operating.actor());
    if !switches::set(&tx, &subject, on, Some(reason), &actor, scheduler.now()).await? {
        let all = switches::get_all(&tx).await?;
        return Err(stale(&RouteView::of(route, &all, &[], &[])));
    }
    tx.commit().await.map_err(StoreError::from)?;
    Ok(())
}

fn stale(route: &RouteView) -> Problem {
    let name = &route.name;
    let detail = match &route.off {
        None => format!(
            "The route {name} is on. Somebody was faster, or this page is old; nothing was changed."
        ),
        Some(off) => format!(
            "The route {name} is off already since {}, by {}{}. Nothing was changed.",
            off.at.to_rfc3339(),
            off.by,
            off.reason
                .as_deref()
                .map(|reason| format!(" ({reason})"))
                .unwrap_or_default()
        ),
    };
    Problem::new(Kind::StaleAction, detail)
}

pub(crate) async fn all(scheduler: &Scheduler) -> Result<RouteList, Problem> {
    let conn = scheduler.store.conn();
    let switches = switches::get_all(conn).await?;
    let flagged = requests::unmapped(conn).await?;
    let readings = choice_lists::all(conn).await?;
    let view = |route| RouteView::of(route, &switches, &flagged, &readings);
    Ok(RouteList {
        items: scheduler.routes.iter().map(view).collect(),
    })
}

pub(crate) async fn detail(scheduler: &Scheduler, name: &str) -> Result<RouteDetail, Problem> {
    let route = found(scheduler, name)?;
    let conn = scheduler.store.conn();
    let switches = switches::get_all(conn).await?;
    let mut flagged = requests::unmapped(conn).await?;
    flagged.retain(|it| it.route == route.name);
    let (connection, table) = (route.connection.as_str(), route.kind.table());
    let facts = table_facts::get(conn, connection, table).await?;
    let settings = scheduler.settings.routes.iter().find(|it| it.name == name);
    let readings = choice_lists::all(conn).await?;
    let view = RouteView::of(route, &switches, &flagged, &readings);
    Ok(RouteDetail {
        unmapped_values: unmapped_values(scheduler, &flagged).await?,
        drift: drift::last_of(conn, connection, table)
            .await?
            .and_then(DriftView::of),
        ..RouteDetail::of(
            route,
            view,
            settings.map(|it| it.fields.clone()).unwrap_or_default(),
            settings.map_or((false, false), |it| {
                (it.states_in.is_some(), it.states_out.is_some())
            }),
            facts.as_ref(),
        )
    })
}

fn found<'a>(scheduler: &'a Scheduler, name: &str) -> Result<&'a Route, Problem> {
    scheduler.routes.by_name(name).ok_or_else(|| {
        let known: Vec<&str> = scheduler.routes.iter().map(|it| it.name.as_str()).collect();
        let detail = format!(
            "There is no route `{}`. There is: {}.",
            shown(name),
            known.join(", ")
        );
        Problem::new(Kind::NotFound, detail)
    })
}

/// One a flag, that of most requests first.
async fn unmapped_values(
    scheduler: &Scheduler,
    flagged: &[UnmappedRequest],
) -> Result<Vec<UnmappedView>, Problem> {
    let dated: Vec<&UnmappedRequest> = flagged.iter().take(DATED).collect();
    let since = requests::flagged_since(scheduler.store.conn(), &dated).await?;
    let mut by_flag = BTreeMap::<&str, Vec<&UnmappedRequest>>::new();
    for request in flagged {
        let of_flag = by_flag.entry(&request.attention).or_default();
        of_flag.push(request);
    }
    let view = |requests: &Vec<&UnmappedRequest>| {
        let since: Vec<_> = requests
            .iter()
            .filter_map(|request| since.get(&request.id).copied())
            .collect();
        UnmappedView::of(requests, &since)
    };
    let mut views: Vec<UnmappedView> = by_flag.values().filter_map(view).collect();
    views.sort_by_key(|it| std::cmp::Reverse(it.count));
    Ok(views)
}
