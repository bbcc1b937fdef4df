//! Signing in and out.

use serde_json::json;
use std::sync::Arc;

use axum::Form;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use axum::{RequestExt as _, http};
use secrecy::SecretString;
use shared::store::operators;
use url::form_urlencoded;

use super::page::{Fields, Page, all_of, frame, html, value};
use crate::Scheduler;
use crate::api::ops::caller::address;
use crate::api::ops::cookie;
use crate::api::ops::login::log_in as try_log_in;
use crate::api::problem::Problem;
use crate::api::problem_kind::Kind;

pub(super) const HOME: &str = "/console";

pub(super) async fn show(
    State(scheduler): State<Arc<Scheduler>>,
    RawQuery(query): RawQuery,
) -> Response {
    form(&scheduler, StatusCode::OK, "", &next(query), None)
}

pub(super) async fn log_in(State(scheduler): State<Arc<Scheduler>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let address = address(&parts, scheduler.settings.console.trusted_proxies);
    // A form of another site would sign somebody in as somebody else.
    if parts
        .headers
        .get("sec-fetch-site")
        .is_some_and(|it| it == "cross-site")
    {
        let problem = Problem::new(
            Kind::StaleForm,
            "This form came from another site. Sign in here.",
        );
        return form(&scheduler, StatusCode::FORBIDDEN, "", HOME, Some(&problem));
    }
    let Ok(Form(fields)) = http::Request::from_parts(parts, body)
        .extract::<Form<Fields>, _>()
        .await
    else {
        let problem = Problem::new(
            Kind::MalformedBody,
            "The form could not be read. Sign in again.",
        );
        return form(
            &scheduler,
            StatusCode::BAD_REQUEST,
            "",
            HOME,
            Some(&problem),
        );
    };
    let (name, next) = (
        value(&fields, "name").unwrap_or_default(),
        own(value(&fields, "next")),
    );
    let password = SecretString::from(value(&fields, "password").unwrap_or_default().to_owned());
    match try_log_in(&scheduler, name, password, &address).await {
        Ok(secret) => with_cookie(secret.set(scheduler.is_secure()), &next),
        Err(problem) => form(
            &scheduler,
            problem.http_status(),
            name,
            &next,
            Some(&problem),
        ),
    }
}

pub(super) async fn log_out(page: Page, Form(fields): Form<Fields>) -> Response {
    if let Err(problem) = page.check(&fields) {
        return page.refuse(&problem, HOME);
    }
    if let Some(secret) = &page.me.session
        && let Err(error) = operators::close(page.scheduler.store.conn(), &secret.hash()).await
    {
        return page.refuse(&error.into(), HOME);
    }
    with_cookie(cookie::remove(page.scheduler.is_secure()), "/console/login")
}

/// The form, with what was wrong with the last one.
pub(super) fn form(
    scheduler: &Scheduler,
    status: StatusCode,
    name: &str,
    next: &str,
    problem: Option<&Problem>,
) -> Response {
    let console = &scheduler.settings.console;
    let context = json!({
        "name": name,
        "next": next,
        "problem": problem,
        "passwords": console.password_login,
        "provider": console.oidc.is_on().then_some(&console.oidc.button),
    });
    html(status, "login.html", &all_of([context, frame(scheduler)]))
}

fn with_cookie(cookie: HeaderValue, next: &str) -> Response {
    (AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(next)).into_response()
}

/// The page that a link to the form asks for.
pub(super) fn next(query: Option<String>) -> String {
    let query = query.unwrap_or_default();
    let next = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "next")
        .map(|(_, value)| value.into_owned());
    own(next.as_deref())
}

/// A page of the console, and nothing else: somebody may have sent the link.
fn own(next: Option<&str>) -> String {
    let is_own = |it: &&str| {
        let rest = it.strip_prefix(HOME);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
            && !it.contains(['\\', '\r', '\n'])
            && !it.starts_with("/console/log")
    };
    next.filter(is_own).unwrap_or(HOME).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        for own_path in ["/console", "/console/jobs?state=dead", "/console?x=1"] {
            assert_eq!(own(Some(own_path)), own_path);
        }
        for other in [
            "https://evil.example/console",
            "//evil.example",
            "/consolex",
            "/console\\..",
            "/console/login",
            "/v1/x",
        ] {
            assert_eq!(own(Some(other)), HOME, "{other}");
        }
        assert_eq!(own(None), HOME);
    }
}
