//! What all pages share: who looks, how a page is sent, and what is shown instead when something is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use shared::operator::Role;
use shared::store::alerts;
use url::form_urlencoded;

use super::render::render;
use crate::Scheduler;
use crate::api::health::{DegradedView, degraded};
use crate::api::ops::caller::Operating;
use crate::api::ops::session::SessionView;
use crate::api::problem::{FieldError, Problem};
use crate::api::problem_kind::Kind;

/// Only what this server sends itself; nothing inline, nothing in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Somebody who looks at a page.
pub(super) struct Page {
    pub(super) scheduler: Arc<Scheduler>,
    pub(super) me: Operating,
    /// How many alerts fire, for the head of every page.
    firing: u64,
    /// The connections that nobody calls for now.
    degraded: Vec<DegradedView>,
}

/// The fields of a form, in their order.
pub(super) type Fields = Vec<(String, String)>;

/// A word at the top of a page about what was done.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Flash {
    tone: &'static str,
    title: &'static str,
    text: &'static str,
}

impl Page {
    /// A page.
    pub(super) fn show(&self, template: &str, here: &str, context: Value) -> Response {
        self.send(StatusCode::OK, template, here, context)
    }

    /// A page that says why something was refused. `back` is where one goes on.
    pub(super) fn refuse(&self, problem: &Problem, back: &str) -> Response {
        let context = json!({ "problem": problem, "back": back, "flash": null });
        self.send(problem.http_status(), "error.html", "", context)
    }

    /// A page with a status of its own.
    pub(super) fn send(
        &self,
        status: StatusCode,
        template: &str,
        here: &str,
        context: Value,
    ) -> Response {
        let me = SessionView::of(&self.scheduler, &self.me);
        let frame = frame(&self.scheduler);
        let about = json!({
            "me": me,
            "may_act": self.me.role >= Role::Operator,
            "may_administer": self.me.role >= Role::Admin,
            "here": here,
            "firing": self.firing,
            "degraded": self.degraded,
        });
        html(status, template, &all_of([context, about, frame]))
    }

    /// Refuses a form of another session.
    pub(super) fn check(&self, fields: &Fields) -> Result<(), Problem> {
        self.me.check_csrf(value(fields, "csrf"))
    }
}

/// A field of a form.
pub(super) fn value<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(found, _)| found == name);
    found
        .map(|(_, value)| value.as_str())
        .filter(|it| !it.is_empty())
}

/// The reason that was typed into a form, on one line.
pub(super) fn reason(typed: &str) -> Result<String, Problem> {
    let reason = typed.trim().replace(['\r', '\n'], " ");
    let error = match reason.chars().count() {
        0 => FieldError::new("/reason", "is empty", "say in a few words why"),
        1..=500 => return Ok(reason),
        length => {
            let problem = format!("has {length} characters; at most 500 are taken");
            FieldError::new("/reason", problem, "shorten it")
        }
    };
    Err(Problem::of_fields(vec![error]))
}

/// What every page is made with, also those that nobody has to log in for.
pub(super) fn frame(scheduler: &Scheduler) -> Value {
    let environment = &scheduler.settings.environment;
    let (tone, env_tone) = match environment.as_str() {
        "production" => (" topbar--production", " env--production"),
        "test" => (" topbar--test", " env--test"),
        _ => ("", ""),
    };
    json!({
        "now": scheduler.now(),
        "environment": environment,
        "tone": tone,
        "env_tone": env_tone,
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// The fields of all of these; of two with one name the first.
pub(super) fn all_of<const N: usize>(objects: [Value; N]) -> Value {
    let mut all = Map::new();
    for object in objects.into_iter().rev() {
        if let Value::Object(fields) = object {
            all.extend(fields);
        }
    }
    Value::Object(all)
}

/// Sends a page with all that keeps others from using it.
pub(super) fn html(status: StatusCode, template: &str, context: &Value) -> Response {
    let page = match render(template, context) {
        Ok(page) => page,
        Err(error) => {
            tracing::error!(%error, template, "a page cannot be made; this is a defect");
            return Problem::internal().into_response();
        }
    };
    let mut response = (status, Html(page)).into_response();
    let headers = response.headers_mut();
    let all = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
        // What one operator saw is not for the next one at the same browser.
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in all {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The flash that a redirect has asked for.
pub(super) fn flash(query: Option<&str>) -> Option<Flash> {
    let pairs: BTreeMap<_, _> = form_urlencoded::parse(query?.as_bytes()).collect();
    let (tone, title, text) = match pairs.get("flash")?.as_ref() {
        "paused" => (
            "ok",
            "Paused.",
            "What runs comes to its end; nothing more is claimed until somebody resumes.",
        ),
        "resumed" => ("ok", "Resumed.", "What waits is claimed again."),
        "set" => (
            "ok",
            "Set.",
            "Workers take it up within seconds; what runs already comes to its end.",
        ),
        "asked" => (
            "ok",
            "Its turn has come.",
            "It runs within a second or two, when no run of it is under way.",
        ),
        "stilled" => (
            "ok",
            "Paused.",
            "Nothing is read until somebody resumes it.",
        ),
        "silenced" => (
            "ok",
            "Silenced.",
            "It is looked at all the same; nobody is told that it holds until the silence ends.",
        ),
        "unsilenced" => (
            "ok",
            "The silence has ended.",
            "What still holds is told with the next look.",
        ),
        "switched-off" => (
            "ok",
            "Switched off.",
            "New requests are refused until somebody switches it on.",
        ),
        "switched-on" => ("ok", "Switched on.", "New requests are taken in again."),
        "check" => (
            "ok",
            "A check was asked for.",
            "A worker makes it; what it finds is shown here when it has ended.",
        ),
        "retrying" => (
            "ok",
            "The wait is over.",
            "One job tries now; when it gets through, the others follow.",
        ),
        "draining" => (
            "ok",
            "The worker drains.",
            "It ends when the jobs that it runs have ended.",
        ),
        "begun" => (
            "ok",
            "It has begun.",
            "It goes on when you leave this page, and when this process ends.",
        ),
        "stopped" => ("ok", "Stopped.", "What was done stays done."),
        "nothing" => (
            "warn",
            "No job was ticked.",
            "Tick some, or choose all that match the filter.",
        ),
        _ => return None,
    };
    Some(Flash { tone, title, text })
}

impl FromRequestParts<Arc<Scheduler>> for Page {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        scheduler: &Arc<Scheduler>,
    ) -> Result<Self, Response> {
        let found = async {
            let me = Operating::find(parts, scheduler).await?;
            let firing = alerts::count_firing(scheduler.store.conn()).await?;
            let degraded = degraded(scheduler).await?;
            Ok(Self {
                scheduler: Arc::clone(scheduler),
                me,
                firing,
                degraded,
            })
        };
        let found: Result<Self, Problem> = found.await;
        found.map_err(|problem| turned_away(parts, scheduler, &problem))
    }
}

/// Nobody is logged in, or not any more.
fn turned_away(parts: &Parts, scheduler: &Scheduler, problem: &Problem) -> Response {
    let is_about_login = matches!(
        problem.kind,
        Kind::SessionEnded | Kind::TokenMissing | Kind::TokenRefused
    );
    // A part of a page that is asked for by script: the script says so, a form would end up inside the page.
    if parts.headers.contains_key("hx-request") || !is_about_login {
        return problem.clone().into_response();
    }
    let path = parts
        .uri
        .path_and_query()
        .map_or("/console", |it| it.as_str());
    if parts.method == Method::GET {
        let next: String = form_urlencoded::byte_serialize(path.as_bytes()).collect();
        return Redirect::to(&format!("/console/login?next={next}")).into_response();
    }
    let ended = Problem::new(
        Kind::SessionEnded,
        "Your session has ended in the middle of this, so nothing was changed. Sign in, then go back in your browser: what you typed is \
         still there.",
    );
    super::login_page::form(
        scheduler,
        StatusCode::UNAUTHORIZED,
        "",
        "/console",
        Some(&ended),
    )
}
