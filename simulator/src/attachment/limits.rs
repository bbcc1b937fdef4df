//! What may be attached: size, file name extension and role, as system properties say.

use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::world::World;

const DEFAULT_MEGABYTES: usize = 1024;

/// # Errors
/// 403 without the role of `glide.attachment.role`; 400 for an extension that is not on the list
/// of `glide.attachment.extensions` and for a file above `com.glide.attachment.max_size`.
pub(super) fn check(api: &Api<'_>, file_name: &str, size: usize) -> Result<(), Refusal> {
    let role = property(api.world, "glide.attachment.role").unwrap_or_default();
    let roles = role
        .split(',')
        .map(str::trim)
        .filter(|role| !role.is_empty());
    let roles: Vec<&str> = roles.collect();
    if !roles.is_empty() && !roles.iter().any(|role| api.actor.has(role)) {
        return Err(Refusal::Acl("Insert"));
    }
    let listed = property(api.world, "glide.attachment.extensions").unwrap_or_default();
    let extension = file_name
        .rsplit_once('.')
        .map_or("", |(_, extension)| extension);
    let allowed = |listed: &str| {
        let mut listed = listed
            .split(',')
            .map(|entry| entry.trim().trim_start_matches('.'));
        listed.any(|entry| entry.eq_ignore_ascii_case(extension))
    };
    if !listed.trim().is_empty() && !allowed(listed) {
        return Err(refused("Upload of this file type is not permitted"));
    }
    let megabytes = property(api.world, "com.glide.attachment.max_size")
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(DEFAULT_MEGABYTES);
    if size > megabytes.saturating_mul(1024 * 1024) {
        return Err(refused("The attachment exceeds the maximum size"));
    }
    Ok(())
}

fn property<'w>(world: &'w World, name: &str) -> Option<&'w str> {
    let row = world.find("sys_properties", "name", name)?;
    Some(row.get("value"))
}

pub(super) fn refused(detail: &str) -> Refusal {
    Refusal::BadRequest {
        message: "Invalid attachment".to_owned(),
        detail: detail.to_owned(),
    }
}
