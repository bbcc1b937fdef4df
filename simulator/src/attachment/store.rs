//! Putting a file in place.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::limits::{self, refused};
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::world::access::Verb;
use crate::world::{Act, Input, Seen, World};

/// A file on its way in.
pub(super) struct Upload<'b> {
    pub(super) table: String,
    pub(super) record: String,
    pub(super) file_name: String,
    pub(super) content_type: String,
    pub(super) encryption_context: String,
    pub(super) bytes: &'b [u8],
}

/// How long the scan of a new file takes.
const SCAN_MS: u64 = 300;

/// Stores the file; the same file twice is two attachments.
///
/// # Errors
/// 400 for an incomplete or forbidden upload, 404 when the record is not there, 403 when the
/// caller may not write it.
pub(super) fn store(api: &mut Api<'_>, upload: &Upload<'_>) -> Result<Answer, Refusal> {
    for (name, value) in [
        ("table_name", &upload.table),
        ("table_sys_id", &upload.record),
        ("file_name", &upload.file_name),
        ("Content-Type", &upload.content_type),
    ] {
        if value.is_empty() {
            return Err(refused(&format!("Missing required parameter: {name}")));
        }
    }
    check_parent(api.world, &api.act(), upload)?;
    limits::check(api, &upload.file_name, upload.bytes.len())?;
    let mut hash = String::new();
    for byte in Sha256::digest(upload.bytes) {
        // Writing to a String cannot fail.
        let _infallible = write!(hash, "{byte:02x}");
    }
    let size = upload.bytes.len().to_string();
    let values = [
        ("table_name", &upload.table),
        ("table_sys_id", &upload.record),
        ("file_name", &upload.file_name),
        ("content_type", &upload.content_type),
        ("encryption_context", &upload.encryption_context),
        ("hash", &hash),
        ("size_bytes", &size),
        ("size_compressed", &size),
    ];
    let given = values
        .into_iter()
        .chain([("compressed", &"false".to_owned())])
        .map(|(column, value)| (column.to_owned(), value.clone()))
        .collect();
    let engine = api.actor.as_engine();
    let act = Act {
        actor: &engine,
        ..api.act()
    };
    let id = api
        .world
        .insert(&act, "sys_attachment", &given, Input::Raw)?
        .sys_id;
    api.world.files.insert(id.clone(), upload.bytes.to_vec());
    scan_later(api.world, &act, &id);
    let row = api
        .world
        .fields("sys_attachment", &id)
        .ok_or(Refusal::NoRecord)?;
    let version = api
        .version
        .map_or(String::new(), |version| format!("/v{version}"));
    let location = format!("{}/api/now{version}/attachment/{id}/file", api.sim.base_url);
    Ok(Answer::result(201, &super::meta::of(api, row)).with("Location", &location))
}

fn check_parent(world: &World, act: &Act<'_>, upload: &Upload<'_>) -> Result<(), Refusal> {
    if world.dictionary.table(&upload.table).is_none() {
        return Err(Refusal::InvalidTable(upload.table.clone()));
    }
    let parent = world.row(&upload.table, &upload.record);
    let parent = parent.ok_or(Refusal::NoRecord)?;
    let seen = Seen {
        class: &parent.class,
        fields: &parent.fields,
    };
    if !world.sees_row(act, seen) {
        return Err(Refusal::NoRecord);
    }
    if world.may(act, Verb::Write, &parent.class, &parent.fields) {
        Ok(())
    } else {
        Err(Refusal::Acl("Insert"))
    }
}

/// A new file is `pending` until it has been scanned.
fn scan_later(world: &mut World, act: &Act<'_>, id: &str) {
    let id = id.to_owned();
    let scan = move |world: &mut World, act: &Act<'_>| {
        if world.fields("sys_attachment", &id).is_none() {
            return;
        }
        if let Err(refusal) = world.change(act, "sys_attachment", &id, &[("state", "available")]) {
            tracing::debug!(?refusal, attachment = %id, "a scan could not be noted");
        }
    };
    world.later(act, SCAN_MS, Box::new(scan));
}
