//! From the bytes of a body to what the API makes of it, without a server: for the fuzz targets (`tests::fuzz`).

use serde_json::Value;
use shared::request::Asked;

use super::create_batch;
use super::json::parse;
use super::new_request::NewRequest;
use super::problem::Problem;
use super::status_change::StatusChange;

/// The body of `POST /v1/requests`: what is asked for, or the problem document.
pub fn request(body: &[u8]) -> Result<Asked, Value> {
    let json = parse(body).map_err(|problem| document(&problem))?;
    asked(&json, "")
}

/// The body of `POST /v1/requests:batch` with at most `most` items: each for itself, or the problem of the whole.
pub fn batch(body: &[u8], most: usize) -> Result<Vec<Result<Asked, Value>>, Value> {
    let json = parse(body).map_err(|problem| document(&problem))?;
    let items = create_batch::items(&json, most)
        .map_err(|error| document(&Problem::of_fields(vec![error])))?;
    let read = items.iter().enumerate();
    Ok(read
        .map(|(index, item)| asked(item, &format!("/items/{index}")))
        .collect())
}

/// The body of `POST /v1/requests/{id}/status`, as it was understood, or the problem document.
pub fn status_change(body: &[u8]) -> Result<Value, Value> {
    let json = parse(body).map_err(|problem| document(&problem))?;
    let change =
        StatusChange::read(&json).map_err(|errors| document(&Problem::of_fields(errors)))?;
    Ok(serde_json::json!(change))
}

fn asked(json: &Value, at: &str) -> Result<Asked, Value> {
    NewRequest::read(json, at)
        .map(NewRequest::into_asked)
        .map_err(|errors| document(&Problem::of_fields(errors)))
}

fn document(problem: &Problem) -> Value {
    serde_json::json!(problem)
}
