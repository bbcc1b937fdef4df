//! Persons, groups and memberships as xMatters shows them (wire contract 14.5).

use serde_json::{Value, json};

use crate::world::time::parse_stamp;
use crate::world::{Fields, World};

/// A sys_id in the form of a UUID; what is no sys_id stays as it is.
pub(super) fn uuid(sys_id: &str) -> String {
    if sys_id.len() != 32 || !sys_id.is_ascii() {
        return sys_id.to_owned();
    }
    let parts = [
        &sys_id[..8],
        &sys_id[8..12],
        &sys_id[12..16],
        &sys_id[16..20],
        &sys_id[20..],
    ];
    parts.join("-").to_lowercase()
}

pub(super) fn person(world: &World, user: &Fields, embeds: &[String]) -> Value {
    let mut person = json!({
        "id": uuid(user.sys_id()), "targetName": user.get("user_name"), "recipientType": "PERSON",
        "externallyOwned": false, "links": {"self": format!("/api/xm/1/people/{}", uuid(user.sys_id()))},
        "firstName": user.get("first_name"), "lastName": user.get("last_name"), "language": "en",
        "timezone": if user.get("time_zone").is_empty() { "US/Pacific" } else { user.get("time_zone") },
        "webLogin": user.get("user_name"), "licenseType": "FULL_USER",
        "status": if user.is_true("active") { "ACTIVE" } else { "INACTIVE" },
        "whenCreated": instant(user.get("sys_created_on")), "whenUpdated": instant(user.get("sys_updated_on")),
    });
    if let (Value::Object(person), true) =
        (&mut person, embeds.iter().any(|embed| embed == "roles"))
    {
        let roles = world.all_with("sys_user_has_role", "user", user.sys_id());
        let roles: Vec<Value> = roles
            .filter_map(|row| world.fields("sys_user_role", row.get("role")))
            .map(role)
            .collect();
        let links =
            json!({"self": format!("/api/xm/1/people/{}?embed=roles", uuid(user.sys_id()))});
        let page =
            json!({"count": roles.len(), "total": roles.len(), "data": roles, "links": links});
        person.insert("roles".to_owned(), page);
    }
    person
}

pub(super) fn role(role: &Fields) -> Value {
    json!({"id": uuid(role.sys_id()), "name": role.get("name")})
}

pub(super) fn group(group: &Fields) -> Value {
    json!({
        "id": uuid(group.sys_id()), "targetName": group.get("name"), "recipientType": "GROUP", "groupType": "ON_CALL",
        "status": if group.is_true("active") { "ACTIVE" } else { "INACTIVE" }, "description": group.get("description"),
        "externallyOwned": false, "created": instant(group.get("sys_created_on")),
        "links": {"self": format!("/api/xm/1/groups/{}", uuid(group.sys_id()))},
    })
}

pub(super) fn membership(group: &Fields, user: &Fields) -> Value {
    json!({
        "group": {"id": uuid(group.sys_id()), "targetName": group.get("name"), "recipientType": "GROUP",
            "groupType": "ON_CALL", "links": {"self": format!("/api/xm/1/groups/{}", uuid(group.sys_id()))}},
        "member": {"id": uuid(user.sys_id()), "targetName": user.get("user_name"), "recipientType": "PERSON",
            "firstName": user.get("first_name"), "lastName": user.get("last_name"),
            "links": {"self": format!("/api/xm/1/people/{}", uuid(user.sys_id()))}},
    })
}

fn instant(stamp: &str) -> Option<String> {
    parse_stamp(stamp).map(|at| at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}
