//! The two ways in: the bytes as the body, or a form.

use super::limits::refused;
use super::multipart;
use super::store::{Upload, store};
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::table_api::params::Params;

/// `POST /attachment/file?table_name&table_sys_id&file_name`, the body being the file.
pub(super) fn raw(api: &mut Api<'_>) -> Result<Answer, Refusal> {
    let params = Params::of(api.call);
    let parameter = |name: &str| params.get(name).unwrap_or_default().to_owned();
    let content_type = api.call.header("content-type").unwrap_or_default();
    let upload = Upload {
        table: parameter("table_name"),
        record: parameter("table_sys_id"),
        file_name: parameter("file_name"),
        content_type: content_type.to_owned(),
        encryption_context: parameter("encryption_context"),
        bytes: &api.call.body,
    };
    store(api, &upload)
}

/// `POST /attachment/upload`: fields that come after the file are not read.
pub(super) fn form(api: &mut Api<'_>) -> Result<Answer, Refusal> {
    let content_type = api.call.header("content-type").unwrap_or_default();
    if api.call.media_type("content-type").as_deref() != Some("multipart/form-data") {
        return Err(Refusal::UnsupportedMediaType);
    }
    let parts = multipart::parts(content_type, &api.call.body)
        .ok_or_else(|| refused("The multipart form cannot be read"))?;
    let mut fields = std::collections::BTreeMap::new();
    for part in parts {
        let Some(file_name) = part.file_name else {
            let text = String::from_utf8_lossy(part.body).into_owned();
            fields.insert(part.name, text);
            continue;
        };
        let mut field = |name: &str| fields.remove(name).unwrap_or_default();
        let upload = Upload {
            table: field("table_name"),
            record: field("table_sys_id"),
            file_name,
            content_type: part
                .content_type
                .unwrap_or_else(|| "application/octet-stream".to_owned()),
            encryption_context: field("encryption_context"),
            bytes: part.body,
        };
        return store(api, &upload);
    }
    Err(refused("The form holds no file"))
}
