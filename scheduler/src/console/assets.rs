//! Styles and scripts, compiled in: nothing is loaded from anywhere else.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// Name, type and content.
const ALL: [(&str, &str, &str); 4] = [
    (
        "console.css",
        CSS,
        include_str!("../../console/assets/console.css"),
    ),
    (
        "console.js",
        SCRIPT,
        include_str!("../../console/assets/console.js"),
    ),
    (
        "htmx.min.js",
        SCRIPT,
        include_str!("../../console/assets/htmx.min.js"),
    ),
    (
        "LICENSES.txt",
        TEXT,
        include_str!("../../console/assets/LICENSES.txt"),
    ),
];

pub(super) async fn serve(Path(name): Path<String>) -> Response {
    match ALL.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, content)) => (
            [
                (CONTENT_TYPE, *kind),
                // Asked for again after an update, a minute later at most.
                (CACHE_CONTROL, "public, max-age=60"),
                (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ],
            *content,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
