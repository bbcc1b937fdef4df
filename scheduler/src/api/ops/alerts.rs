use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::Request;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::alert::AlertName;
use shared::operator::Role;
use shared::store::alerts::messages;
use shared::store::alerts::{self, Silence};
use shared::store::{StoreError, new_id};
use utoipa::ToSchema;

use super::alert_view::{AlertList, AlertView, DestinationView, MessageView, known_names};
use super::caller::Operating;
use crate::Scheduler;
use crate::alerts::{Letter, send, test_body};
use crate::api::documented_problems::{OfActing, OfOperating};
use crate::api::fields::{Fields, Text, shown};
use crate::api::json::read_json;
use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;
use crate::api::query::Params;

/// So many messages are shown.
const SHOWN: u64 = 50;
/// A silence ends at the latest after this time: what is kept quiet for longer is a rule to be switched off.
const LONGEST: TimeDelta = TimeDelta::days(30);

/// What a destination answered to a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct AlertTest {
    pub(crate) destination: String,
    /// Whether it took the message.
    pub(crate) sent: bool,
    /// What it answered, or why it did not.
    #[schema(example = "204 No Content")]
    pub(crate) answer: String,
}

/// See the alerts
///
/// Where each stands and since when, who is told, and what became of the newest messages.
#[utoipa::path(
    get,
    path = "/v1/ops/alerts",
    tag = "operators",
    responses((status = 200, description = "Every alert", body = AlertList), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn list_alerts(
    State(scheduler): State<Arc<Scheduler>>,
    _operating: Operating,
    RawQuery(query): RawQuery,
) -> Result<Json<AlertList>, Problem> {
    Params::of(query.as_deref()).finish()?;
    Ok(Json(all(&scheduler).await?))
}

/// Silence an alert
///
/// It is looked at all the same, and nobody is told that it holds until the silence ends. For 30 days at most.
#[utoipa::path(
    post,
    path = "/v1/ops/alerts/{name}/silence",
    tag = "operators",
    params(("name" = String, Path, description = "The name of the alert", example = "dead_jobs")),
    request_body = SilenceBody,
    responses((status = 200, description = "Every alert, as it is now", body = AlertList), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn silence_alert(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(name): Path<String>,
    request: Request<Body>,
) -> Result<Json<AlertList>, Problem> {
    operating.may(Role::Operator)?;
    let body = read_json(request, scheduler.settings.server.body_limit_bytes).await?;
    silence(&scheduler, &operating, &name, &body).await?;
    Ok(Json(all(&scheduler).await?))
}

/// End a silence
///
/// What still holds is told with the next look.
#[utoipa::path(
    post,
    path = "/v1/ops/alerts/{name}/resume",
    tag = "operators",
    params(("name" = String, Path, description = "The name of the alert", example = "dead_jobs")),
    responses((status = 200, description = "Every alert, as it is now", body = AlertList), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn resume_alert(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(name): Path<String>,
) -> Result<Json<AlertList>, Problem> {
    resume(&scheduler, &operating, &name).await?;
    Ok(Json(all(&scheduler).await?))
}

/// Try a destination
///
/// Sends a message that says that it is a test, and tells what was answered.
#[utoipa::path(
    post,
    path = "/v1/ops/alerts/destinations/{name}/test",
    tag = "operators",
    params(("name" = String, Path, description = "The name of the destination", example = "oncall")),
    responses((status = 200, description = "What was answered", body = AlertTest), OfActing),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn test_destination(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
    Path(name): Path<String>,
) -> Result<Json<AlertTest>, Problem> {
    Ok(Json(test(&scheduler, &operating, &name).await?))
}

/// Until when, and why.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is for the document; the body is read by hand")]
pub(crate) struct SilenceBody {
    /// RFC 3339.
    #[schema(example = "2030-01-31T12:00:00Z")]
    until: String,
    #[schema(example = "the instance is being upgraded")]
    reason: String,
}

pub(crate) async fn all(scheduler: &Scheduler) -> Result<AlertList, Problem> {
    let (conn, settings) = (scheduler.store.conn(), &scheduler.settings.alerts);
    let newest = messages::newest(conn, SHOWN).await?;
    let history: Vec<MessageView> = newest.into_iter().map(MessageView::from).collect();
    let mut items: Vec<AlertView> = alerts::all(conn)
        .await?
        .into_iter()
        .map(|alert| AlertView::of(scheduler, alert, &history))
        .collect();
    items.sort_by_key(AlertView::rank);
    let known = messages::known(conn).await?;
    let destinations = settings.destinations.iter();
    Ok(AlertList {
        is_on: settings.is_on(),
        items,
        destinations: destinations
            .map(|(name, destination)| DestinationView::of(name, destination, &known))
            .collect(),
        history,
    })
}

/// Keeps it quiet as the body says.
pub(crate) async fn silence(
    scheduler: &Scheduler,
    operating: &Operating,
    name: &str,
    body: &Value,
) -> Result<(), Problem> {
    operating.may(Role::Operator)?;
    let (name, now) = (known(name)?, scheduler.now());
    let silence = Silence {
        by: operating.actor().to_string(),
        ..read(body, now)?
    };
    let tx = scheduler.store.begin().await?;
    alerts::ensure(&tx, now).await?;
    if !alerts::silence(&tx, name, &silence, &operating.actor(), now).await? {
        let all = alerts::all(&tx).await?;
        let found = all.into_iter().find(|it| it.name == name);
        let detail = match found.and_then(|it| it.silence) {
            Some(silence) => format!(
                "{name} is silenced already, by {} until {}. Nothing was changed; resume it first to silence it anew.",
                silence.by,
                silence.until.to_rfc3339()
            ),
            None => format!("{name} has changed in this moment. Nothing was changed; look again."),
        };
        return Err(Problem::new(Kind::StaleAction, detail));
    }
    tx.commit().await.map_err(StoreError::from)?;
    Ok(())
}

/// Ends a silence.
pub(crate) async fn resume(
    scheduler: &Scheduler,
    operating: &Operating,
    name: &str,
) -> Result<(), Problem> {
    operating.may(Role::Operator)?;
    let name = known(name)?;
    let tx = scheduler.store.begin().await?;
    if !alerts::resume(&tx, name, &operating.actor(), scheduler.now()).await? {
        let detail = format!(
            "{name} is not silenced. Its silence has ended, somebody was faster, or this page is old; nothing was changed."
        );
        return Err(Problem::new(Kind::StaleAction, detail));
    }
    tx.commit().await.map_err(StoreError::from)?;
    Ok(())
}

/// Sends a test.
pub(crate) async fn test(
    scheduler: &Scheduler,
    operating: &Operating,
    name: &str,
) -> Result<AlertTest, Problem> {
    operating.may(Role::Operator)?;
    let settings = &scheduler.settings;
    let Some(destination) = settings.alerts.destinations.get(name) else {
        let names: Vec<&str> = settings
            .alerts
            .destinations
            .keys()
            .map(String::as_str)
            .collect();
        let there_is = match names.as_slice() {
            [] => "There is none yet: add a table [alerts.destinations.NAME] to the configuration"
                .to_owned(),
            names => format!("There is: {}", names.join(", ")),
        };
        let detail = format!("There is no destination `{}`. {there_is}.", shown(name));
        return Err(Problem::new(Kind::NotFound, detail));
    };
    let now = scheduler.now();
    let (subject, body) = test_body(settings, &operating.name, now);
    let letter = Letter {
        id: format!("msg_{}", new_id(now).simple()),
        subject: &subject,
        body: &body,
    };
    let (sent, answer) = match send(scheduler, destination, &letter).await {
        Ok(answer) => (true, answer),
        Err(why) => (false, why),
    };
    let (conn, actor) = (scheduler.store.conn(), operating.actor());
    alerts::tested(conn, name, sent, &answer, &actor, scheduler.now()).await?;
    Ok(AlertTest {
        destination: name.to_owned(),
        sent,
        answer,
    })
}

fn known(name: &str) -> Result<AlertName, Problem> {
    name.parse().map_err(|_| {
        let detail = format!(
            "There is no alert `{}`. There is: {}.",
            shown(name),
            known_names()
        );
        Problem::new(Kind::NotFound, detail)
    })
}

fn read(body: &Value, now: DateTime<Utc>) -> Result<Silence, Problem> {
    let mut fields = Fields::of(body, "").map_err(|error| Problem::of_fields(vec![error]))?;
    if !fields.has("until") {
        let fix = "say until when, such as 2030-01-31T12:00:00Z";
        fields.missing::<()>("until", fix);
    }
    let until = fields.time("until");
    let reason = fields.needed_text("reason", 500, Text::Line);
    if until.is_some_and(|until| until <= now) {
        fields.problem("until", "is past", "name a time to come");
    } else if until.is_some_and(|until| until > now + LONGEST) {
        let fix =
            "name a time within 30 days; to be rid of an alert, set enabled = false in its rule";
        fields.problem("until", "is more than 30 days away", fix);
    }
    match fields.finish() {
        errors if errors.is_empty() => Ok(Silence {
            until: until.unwrap_or(now),
            by: String::new(),
            reason,
        }),
        errors => Err(Problem::of_fields(errors)),
    }
}
