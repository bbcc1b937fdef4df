//! Who acts: a user with roles and a time zone, or the instance itself.

use std::collections::BTreeSet;

use chrono_tz::Tz;

use super::World;
use crate::knobs::Knobs;

/// The account a call runs as.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) id: String,
    pub(crate) user_name: String,
    pub(crate) name: String,
    pub(crate) zone: Tz,
    /// `sys_user.date_format` in ServiceNow's letters; empty = the system's.
    pub(crate) date_format: String,
    pub(crate) roles: BTreeSet<String>,
    /// The instance itself: no ACL holds it back.
    pub(crate) system: bool,
}

impl Actor {
    /// The instance's own user.
    pub(crate) fn system() -> Self {
        Self {
            id: String::new(),
            user_name: "system".to_owned(),
            name: "System".to_owned(),
            zone: Tz::UTC,
            date_format: String::new(),
            roles: BTreeSet::new(),
            system: true,
        }
    }

    /// An account by user name, with the roles its `sys_user_has_role` rows give it.
    pub(crate) fn by_user_name(world: &World, knobs: &Knobs, user_name: &str) -> Option<Self> {
        let id = world
            .find("sys_user", "user_name", user_name)?
            .sys_id()
            .to_owned();
        Self::by_id(world, knobs, &id)
    }

    /// An account by its sys_id.
    pub(crate) fn by_id(world: &World, knobs: &Knobs, id: &str) -> Option<Self> {
        let user = world.fields("sys_user", id)?;
        let roles = world.all_with("sys_user_has_role", "user", id);
        let roles = roles.filter_map(|row| world.fields("sys_user_role", row.get("role")));
        Some(Self {
            id: id.to_owned(),
            user_name: user.get("user_name").to_owned(),
            name: user.get("name").to_owned(),
            zone: zone_of(knobs, user.get("user_name"), user.get("time_zone")),
            date_format: user.get("date_format").to_owned(),
            roles: roles.map(|role| role.get("name").to_owned()).collect(),
            system: false,
        })
    }

    pub(crate) fn is_admin(&self) -> bool {
        self.system || self.roles.contains("admin")
    }

    /// Whether the account holds `role`; admins hold every role.
    pub(crate) fn has(&self, role: &str) -> bool {
        self.is_admin() || self.roles.contains(role)
    }
}

fn zone_of(knobs: &Knobs, user_name: &str, own: &str) -> Tz {
    let forced = knobs.user_time_zone.get(user_name).map(String::as_str);
    let name = forced.or_else(|| Some(own).filter(|zone| !zone.is_empty()));
    name.unwrap_or(&knobs.system_time_zone)
        .parse()
        .unwrap_or(Tz::UTC)
}
