use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use serde::Serialize;
use serde_json::Value;
use shared::request::{Asked, RequestState};
use utoipa::ToSchema;
use uuid::Uuid;

use super::accept::{Taken, count};
use super::accept_batch::accept_batch;
use super::auth::Caller;
use super::documented_problems::OfBatch;
use super::fields::{Fields, kind_of};
use super::json::read_json;
use super::new_request::NewRequest;
use super::problem::{FieldError, Problem};
use super::query::Params;
use super::request_view::StateWord;
use crate::Scheduler;

/// Several requests at once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// The requests; at most `server.batch_limit_items` of them.
    #[schema(min_items = 1)]
    items: Vec<NewRequest>,
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchResult {
    /// Items that are stored now.
    accepted: usize,
    /// Items that are not.
    refused: usize,
    /// One for each item, in the order they were sent.
    items: Vec<BatchItem>,
}

/// What became of one item.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchItem {
    /// Its place in the batch, from 0.
    index: usize,
    /// What a call with this item alone would have been answered with.
    #[schema(example = 202)]
    status: u16,
    /// The bridge's id of the request.
    id: Option<Uuid>,
    /// Where the request stands.
    #[schema(value_type = Option<StateWord>)]
    state: Option<RequestState>,
    /// Address of the request.
    #[schema(format = "uri")]
    location: Option<String>,
    /// Why it was refused.
    problem: Option<Problem>,
}

/// Ask for access in bulk
///
/// Each item stands for itself: what fits is stored, what does not is refused with its own problem; pointers name the place
/// in the whole body (`/items/3/priority`). Sending a batch again is safe, by the natural key of each item.
#[utoipa::path(
    post,
    path = "/v1/requests:batch",
    tag = "requests",
    request_body = Batch,
    responses((status = 200, description = "What became of each item", body = BatchResult), OfBatch),
    security(("token" = [])),
)]
pub(crate) async fn create_batch(
    State(scheduler): State<Arc<Scheduler>>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Json<BatchResult>, Problem> {
    Params::of(request.uri().query()).finish()?;
    let body = read_json(request, scheduler.settings.server.batch_limit_bytes).await?;
    let items = items(&body, scheduler.settings.server.batch_limit_items)
        .map_err(|error| Problem::of_fields(vec![error]))?;
    let read = items
        .iter()
        .enumerate()
        .map(|(index, item)| read_item(&caller, index, item))
        .collect();
    let done = accept_batch(&scheduler, &caller.source, read).await?;
    let items: Vec<BatchItem> = done
        .into_iter()
        .enumerate()
        .map(|(index, result)| {
            count(&caller.source, &result);
            item(&scheduler, index, result)
        })
        .collect();
    let accepted = items.iter().filter(|item| item.problem.is_none()).count();
    Ok(Json(BatchResult {
        accepted,
        refused: items.len() - accepted,
        items,
    }))
}

pub(super) fn items(body: &Value, most: usize) -> Result<&Vec<Value>, FieldError> {
    let mut fields = Fields::of(body, "")?;
    let found = fields.value("items");
    if let Some(error) = fields.finish().into_iter().next() {
        return Err(error);
    }
    let fix = format!("send {{\"items\": [ … ]}} with 1 to {most} requests");
    let error = |problem: String| FieldError::new("/items", problem, fix.clone());
    match found {
        None => Err(error("is missing".to_owned())),
        Some(Value::Array(items)) if items.is_empty() => Err(error("is empty".to_owned())),
        Some(Value::Array(items)) if items.len() > most => Err(error(format!(
            "has {} items; at most {most} are taken",
            items.len()
        ))),
        Some(Value::Array(items)) => Ok(items),
        Some(other) => Err(error(format!("is {}; an array is needed", kind_of(other)))),
    }
}

fn read_item(caller: &Caller, index: usize, item: &Value) -> Result<Asked, Problem> {
    let new = NewRequest::read(item, &format!("/items/{index}")).map_err(Problem::of_fields)?;
    caller.check_source(new.source.as_deref())?;
    Ok(new.into_asked())
}

fn item(scheduler: &Scheduler, index: usize, result: Result<Taken, Problem>) -> BatchItem {
    match result {
        Ok(Taken { request, .. }) => BatchItem {
            index,
            status: 202,
            id: Some(request.id),
            state: Some(request.state),
            location: Some(scheduler.location(request.id)),
            problem: None,
        },
        Err(problem) => BatchItem {
            index,
            status: problem.status,
            id: None,
            state: None,
            location: None,
            problem: Some(problem),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_frame_of_a_batch_is_checked_first() {
        assert_eq!(items(&json!({"items": [1, 2]}), 2).map(Vec::len), Ok(2));
        let bad = [
            json!([]),
            json!({}),
            json!({"items": {}}),
            json!({"items": []}),
            json!({"items": [1, 2, 3]}),
            json!({"item": [1], "items": [1]}),
        ];
        let errors: Vec<_> = bad.iter().map(|body| items(body, 2).unwrap_err()).collect();
        insta::assert_json_snapshot!(errors);
    }
}
