//! From a body that may be an answer to its `result` (wire contract 2.9).

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::answer::Answer;
use crate::classify::garbage;
use crate::error::Error;
use crate::kinds::GarbageKind;
use crate::meta::Reply;
use crate::refused::ApiError;

/// The `result` of an answer that passed [`crate::classify::check`].
pub(crate) fn result<T: DeserializeOwned>(answer: &Answer) -> Result<Reply<T>, Error> {
    let body: Value = serde_json::from_slice(&answer.body).map_err(|error| {
        let place = format!(
            "the body is not JSON after {} bytes ({error})",
            answer.body.len()
        );
        garbage(answer, GarbageKind::Cut, &place)
    })?;
    if body.get("error").is_some_and(|error| !error.is_null()) {
        return Err(error_in_success(answer, &body));
    }
    let Value::Object(mut body) = body else {
        return Err(wrong_shape(answer, "the body is not an object"));
    };
    let result = body
        .remove("result")
        .filter(|result| !result.is_null())
        .ok_or_else(|| wrong_shape(answer, "the body has no `result`"))?;
    let value = serde_json::from_value(result)
        // The words of the decoder would quote the value, which may be personal data.
        .map_err(|_unfit| {
            wrong_shape(answer, "`result` has another form than this call asks for")
        })?;
    Ok(Reply {
        value,
        meta: answer.meta.clone(),
    })
}

pub(crate) fn wrong_shape(answer: &Answer, message: &str) -> Error {
    garbage(answer, GarbageKind::WrongShape, message)
}

/// The quota ended the transaction while the rows were being written (E16).
fn error_in_success(answer: &Answer, body: &Value) -> Error {
    let error = ApiError::from_json(body).unwrap_or_default();
    Error::Garbage {
        kind: GarbageKind::ErrorIn200,
        failure: answer.failure(&error.message, error.detail.as_deref()),
    }
}
