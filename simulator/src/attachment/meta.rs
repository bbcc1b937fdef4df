//! Metadata as the API shows it: every value is text.

use serde_json::{Map, Value, json};

use crate::http::routes::Api;
use crate::world::Fields;

const COLUMNS: &[&str] = &[
    "sys_id",
    "file_name",
    "content_type",
    "size_bytes",
    "size_compressed",
    "compressed",
    "table_name",
    "table_sys_id",
    "hash",
    "image_width",
    "image_height",
    "average_image_color",
    "state",
    "chunk_size_bytes",
    "encryption_context",
    "sys_created_on",
    "sys_created_by",
    "sys_updated_on",
    "sys_updated_by",
    "sys_mod_count",
    "sys_tags",
];

pub(super) fn of(api: &Api<'_>, row: &Fields) -> Value {
    let mut shown: Map<String, Value> = COLUMNS
        .iter()
        .map(|column| ((*column).to_owned(), json!(row.get(column))))
        .collect();
    let link = format!(
        "{}/api/now/attachment/{}/file",
        api.sim.base_url,
        row.sys_id()
    );
    shown.insert("download_link".to_owned(), json!(link));
    for (name, by) in [
        ("created_by_name", "sys_created_by"),
        ("updated_by_name", "sys_updated_by"),
    ] {
        let user = api.world.find("sys_user", "user_name", row.get(by));
        let shown_name = user.map_or(row.get(by), |user| user.get("name"));
        shown.insert(name.to_owned(), json!(shown_name));
    }
    Value::Object(shown)
}
