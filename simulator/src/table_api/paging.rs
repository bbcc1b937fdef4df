//! `sysparm_offset`, `X-Total-Count` and `Link` (wire contract 2.5).

use url::form_urlencoded::Serializer;

use super::params::Params;
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;

/// # Errors
/// 400 for a negative offset; one that is no number counts as 0.
pub(super) fn offset(params: &Params) -> Result<usize, Refusal> {
    match params
        .get("sysparm_offset")
        .map(|text| text.parse::<i64>().unwrap_or(0))
    {
        None => Ok(0),
        Some(offset) => usize::try_from(offset).map_err(|_| Refusal::BadRequest {
            message: "Invalid offset".to_owned(),
            detail: format!("sysparm_offset must not be negative: {offset}"),
        }),
    }
}

/// Adds total and links to a list.
pub(super) fn mark(
    api: &Api<'_>,
    params: &Params,
    offset: usize,
    total: usize,
    answer: Answer,
) -> Answer {
    let count = !params.is_true("sysparm_no_count");
    let answer = if count {
        answer.with("X-Total-Count", &total.to_string())
    } else {
        answer
    };
    let limit = params.limit().max(1);
    if params.is_true("sysparm_suppress_pagination_header") || (offset == 0 && total <= limit) {
        return answer;
    }
    let mut pages = vec![("first", 0)];
    if offset > 0 {
        pages.push(("prev", offset.saturating_sub(limit)));
    }
    if offset + limit < total {
        pages.push(("next", offset + limit));
    }
    if count {
        pages.push(("last", total.saturating_sub(1) / limit * limit));
    }
    let link = |(relation, offset): (&str, usize)| {
        format!("<{}>;rel=\"{relation}\"", url(api, params, limit, offset))
    };
    let links: Vec<String> = pages.into_iter().map(link).collect();
    answer.with("Link", &links.join(","))
}

fn url(api: &Api<'_>, params: &Params, limit: usize, offset: usize) -> String {
    let paging = ["sysparm_limit", "sysparm_offset"];
    let kept = params
        .pairs()
        .iter()
        .filter(|(name, _)| !paging.contains(&name.as_str()));
    let query = Serializer::new(String::new())
        .extend_pairs(kept)
        .append_pair("sysparm_limit", &limit.to_string())
        .append_pair("sysparm_offset", &offset.to_string())
        .finish();
    format!("{}{}?{query}", api.sim.base_url, api.call.path)
}
