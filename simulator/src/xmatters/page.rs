//! Lists with `offset` and `limit` (wire contract 14.3).

use serde_json::{Value, json};

use super::{find, missing, shape};
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::table_api::params::Params;
use crate::world::Fields;

const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1000;

/// What `embed` names.
pub(super) fn embeds(api: &Api<'_>) -> Vec<String> {
    let params = Params::of(api.call);
    let embeds = params.get("embed").unwrap_or_default().split(',');
    embeds.map(str::to_owned).collect()
}

pub(super) fn people(api: &Api<'_>) -> Answer {
    let params = Params::of(api.call);
    let embeds = embeds(api);
    let mut users = api.world.dump("sys_user");
    users.retain(|user| {
        let is = |parameter: &str, value: &str| {
            params.get(parameter).is_none_or(|wanted| wanted == value)
        };
        let status = if user.is_true("active") {
            "ACTIVE"
        } else {
            "INACTIVE"
        };
        is("targetName", user.get("user_name"))
            && is("firstName", user.get("first_name"))
            && is("lastName", user.get("last_name"))
            && is("status", status)
    });
    users.sort_by_key(|user| user.get("user_name").to_owned());
    page(api, "/people", &users, |user| {
        shape::person(api.world, user, &embeds)
    })
}

pub(super) fn groups(api: &Api<'_>) -> Answer {
    let mut groups = api.world.dump("sys_user_group");
    groups.sort_by_key(|group| (group.get("name").to_owned(), group.sys_id().to_owned()));
    page(api, "/groups", &groups, shape::group)
}

pub(super) fn roles(api: &Api<'_>) -> Answer {
    let mut roles = api.world.dump("sys_user_role");
    roles.sort_by_key(|role| role.get("name").to_owned());
    page(api, "/roles", &roles, shape::role)
}

pub(super) fn members(api: &Api<'_>, id: &str) -> Answer {
    let Some(group) = find(api.world, "sys_user_group", "name", id) else {
        return missing("group", id);
    };
    let rows = api
        .world
        .all_with("sys_user_grmember", "group", group.sys_id());
    let mut users: Vec<&Fields> = rows
        .filter_map(|row| api.world.fields("sys_user", row.get("user")))
        .collect();
    users.sort_by_key(|user| user.get("user_name").to_owned());
    let path = format!("/groups/{}/members", shape::uuid(group.sys_id()));
    page(api, &path, &users, |user| shape::membership(group, user))
}

fn page(api: &Api<'_>, path: &str, rows: &[&Fields], shown: impl Fn(&Fields) -> Value) -> Answer {
    let params = Params::of(api.call);
    let number = |name: &str| params.get(name).and_then(|text| text.parse::<usize>().ok());
    let offset = number("offset").unwrap_or(0);
    let limit = number("limit").unwrap_or(DEFAULT_LIMIT).clamp(1, MOST);
    let data: Vec<Value> = rows
        .iter()
        .skip(offset)
        .take(limit)
        .map(|row| shown(row))
        .collect();
    let link = |offset: usize| format!("/api/xm/1{path}?offset={offset}&limit={limit}");
    let mut links = json!({"self": link(offset)});
    if let Value::Object(links) = &mut links {
        if offset + limit < rows.len() {
            links.insert("next".to_owned(), json!(link(offset + limit)));
        }
        if offset > 0 {
            links.insert(
                "previous".to_owned(),
                json!(link(offset.saturating_sub(limit))),
            );
        }
    }
    Answer::json(
        200,
        &json!({"count": data.len(), "total": rows.len(), "data": data, "links": links}),
    )
}
