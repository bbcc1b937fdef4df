use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{Request, StatusCode};
use axum::response::{AppendHeaders, IntoResponse};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;
use shared::operator::Role;
use shared::store::operators;
use utoipa::ToSchema;

use super::caller::{Operating, address};
use super::cookie::{self, SessionSecret};
use super::login::log_in;
use crate::Scheduler;
use crate::api::documented_problems::{OfLoggingIn, OfOperating};
use crate::api::fields::{Text, unfit};
use crate::api::json::read_json;
use crate::api::problem::{FieldError, Problem};

/// Longest body of a log-in, in bytes.
const LONGEST: usize = 4096;

/// A name and a password.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is for the document; the body is read by hand")]
pub(crate) struct Login {
    #[schema(example = "vera")]
    name: String,
    #[schema(example = "a plainly fictional sentence")]
    password: String,
}

/// Who calls, and what they may do.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    /// Name of the operator.
    pub(crate) operator: String,
    /// `viewer`, `operator` or `admin`.
    #[schema(value_type = String, example = "operator")]
    pub(crate) role: Role,
    /// Name of the environment.
    pub(crate) environment: String,
    /// To be sent as `X-CSRF-Token` with each change; empty for a token.
    pub(crate) csrf: String,
    /// When the session ends, whatever is done.
    pub(crate) expires_at: DateTime<Utc>,
}

impl SessionView {
    pub(crate) fn of(scheduler: &Scheduler, operating: &Operating) -> Self {
        Self {
            operator: operating.name.clone(),
            role: operating.role,
            environment: scheduler.settings.environment.clone(),
            csrf: operating.csrf(),
            expires_at: operating.expires_at,
        }
    }
}

/// Log in
///
/// Opens a session and sets its cookie. Names and addresses whose log-ins were refused five times wait five minutes.
#[utoipa::path(
    post,
    path = "/v1/ops/session",
    tag = "operators",
    request_body = Login,
    responses((status = 204, description = "Logged in", headers(("Set-Cookie" = String, description = "The session"))), OfLoggingIn),
)]
pub(crate) async fn create_session(
    State(scheduler): State<Arc<Scheduler>>,
    request: Request<Body>,
) -> Result<impl IntoResponse, Problem> {
    let (parts, body) = request.into_parts();
    let address = address(&parts, scheduler.settings.console.trusted_proxies);
    let body = read_json(Request::from_parts(parts, body), LONGEST).await?;
    let mut errors = Vec::new();
    let name = text(&body, "name", 100, &mut errors);
    let password = text(&body, "password", 256, &mut errors);
    if !errors.is_empty() {
        return Err(Problem::of_fields(errors));
    }
    let secret = log_in(&scheduler, &name, SecretString::from(password), &address).await?;
    let cookie = secret.set(scheduler.is_secure());
    Ok((
        StatusCode::NO_CONTENT,
        AppendHeaders([(SET_COOKIE, cookie)]),
    ))
}

/// Who am I
///
/// The operator of the session or token, what they may do, and what a change with a session must bring along.
#[utoipa::path(
    get,
    path = "/v1/ops/session",
    tag = "operators",
    responses((status = 200, description = "The session or token of this call", body = SessionView), OfOperating),
    security(("operator" = []), ("session" = [])),
)]
pub(crate) async fn show_session(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
) -> Json<SessionView> {
    Json(SessionView::of(&scheduler, &operating))
}

/// Log out
///
/// Ends the session, also for whoever has copied its cookie.
#[utoipa::path(
    delete,
    path = "/v1/ops/session",
    tag = "operators",
    responses((status = 204, description = "The session has ended"), OfOperating),
    security(("session" = [])),
)]
pub(crate) async fn end_session(
    State(scheduler): State<Arc<Scheduler>>,
    operating: Operating,
) -> Result<impl IntoResponse, Problem> {
    if let Some(secret) = &operating.session {
        operators::close(scheduler.store.conn(), &SessionSecret::hash(secret)).await?;
    }
    let cookie = cookie::remove(scheduler.is_secure());
    Ok((
        StatusCode::NO_CONTENT,
        AppendHeaders([(SET_COOKIE, cookie)]),
    ))
}

fn text(body: &Value, name: &str, longest: usize, errors: &mut Vec<FieldError>) -> String {
    let Some(text) = body[name].as_str() else {
        errors.push(FieldError::new(
            format!("/{name}"),
            "is missing or no text",
            "send a text",
        ));
        return String::new();
    };
    if let Some((problem, fix)) = unfit(text, longest, Text::Line) {
        errors.push(FieldError::new(format!("/{name}"), problem, fix));
    }
    text.to_owned()
}
