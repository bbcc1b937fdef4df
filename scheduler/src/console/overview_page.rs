//! What moves, what waits, and why; and what was done.

use axum::extract::RawQuery;
use axum::response::Response;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::chart::charts;
use super::page::{Page, flash};
use crate::api::ops::history::{Range, history};
use crate::api::ops::overview::overview;
use crate::api::problem::Problem;

pub(super) async fn show(page: Page, RawQuery(query): RawQuery) -> Response {
    match context(&page, query.as_deref()).await {
        Ok(context) => page.show("overview.html", "overview", context),
        Err(problem) => page.refuse(&problem, "/console"),
    }
}

async fn context(page: &Page, query: Option<&str>) -> Result<Value, Problem> {
    let range = range(query);
    let history = history(&page.scheduler, range, None).await?;
    let ranges = [
        (Range::Hour, "1 hour"),
        (Range::Day, "24 hours"),
        (Range::Week, "7 days"),
    ];
    let ranges = ranges.map(
        |(it, label)| json!({ "word": it.as_str(), "label": label, "is_chosen": it == range }),
    );
    let points = &history.points;
    let times: Vec<_> = [0, points.len() / 3, points.len() * 2 / 3]
        .iter()
        .filter_map(|place| points.get(*place))
        .map(|point| point.at)
        .chain([history.until])
        .collect();
    Ok(json!({
        "overview": overview(&page.scheduler).await?,
        "charts": charts(&history),
        "ranges": ranges,
        "by_day": range == Range::Week,
        "times": times,
        "flash": flash(query),
    }))
}

/// The range that a link names; anything else is the last hour.
fn range(query: Option<&str>) -> Range {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "range")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(Range::Hour)
}
