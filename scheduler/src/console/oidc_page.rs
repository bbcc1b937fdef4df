//! Signing in through the identity provider: the way there, and the way back.

use std::sync::Arc;

use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use serde_json::json;

use super::login_page::{form, next};
use super::page::{all_of, frame, html};
use crate::Scheduler;
use crate::api::ops::caller::address;
use crate::oidc;

pub(super) async fn leave(
    State(scheduler): State<Arc<Scheduler>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let next = next(query);
    let address = of(&scheduler, request);
    match oidc::begin(&scheduler, &next, &address).await {
        Ok(departure) => {
            let headers = [(SET_COOKIE, departure.cookie)];
            let to = [(LOCATION, departure.location)];
            (StatusCode::SEE_OTHER, AppendHeaders(headers), to).into_response()
        }
        Err(problem) => form(&scheduler, problem.http_status(), "", &next, Some(&problem)),
    }
}

/// A page, and no redirect: the browser came from another site, and would follow a redirect without the cookie of the session, which is
/// `SameSite=Strict`. From a page of ours it takes the cookie along.
pub(super) async fn come_back(
    State(scheduler): State<Arc<Scheduler>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let address = of(&scheduler, request);
    let query = query.unwrap_or_default();
    let arrival = oidc::finish(&scheduler, &headers, &query, &address).await;
    let mut response = match arrival.session {
        Ok((secret, next)) => {
            let page = all_of([json!({ "next": next }), frame(&scheduler)]);
            let mut response = html(StatusCode::OK, "signed_in.html", &page);
            let cookie = secret.set(scheduler.is_secure());
            response.headers_mut().append(SET_COOKIE, cookie);
            response
        }
        Err(problem) => {
            let status = problem.http_status();
            form(
                &scheduler,
                status,
                "",
                super::login_page::HOME,
                Some(&problem),
            )
        }
    };
    if let Some(cookie) = arrival.cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

fn of(scheduler: &Scheduler, request: Request) -> String {
    let (parts, _) = request.into_parts();
    address(&parts, scheduler.settings.console.trusted_proxies)
}
