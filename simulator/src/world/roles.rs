//! Derived role rows: what groups and containing roles give a user (wire contract 3.9).

use std::collections::{BTreeMap, BTreeSet};

use super::{Act, World};

/// A role a user gets through something: the group that grants it and the role it is part of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Source {
    group: String,
    role: String,
}

impl World {
    /// Re-derives everybody's roles after the knob's delay.
    pub(super) fn derive_roles_later(&mut self, act: &Act<'_>) {
        self.later(
            act,
            act.knobs.inherited_roles_ms,
            Box::new(World::derive_roles),
        );
    }

    /// Makes the inherited rows of `sys_user_has_role` what groups and contained roles demand:
    /// missing ones are added, wrong ones deleted, right ones left alone.
    pub(crate) fn derive_roles(&mut self, act: &Act<'_>) {
        let users: Vec<String> = self
            .scan("sys_user", act.now)
            .map(|user| user.fields.sys_id().to_owned())
            .collect();
        for user in users {
            self.derive_roles_of(act, &user);
        }
    }

    fn derive_roles_of(&mut self, act: &Act<'_>, user: &str) {
        let rows = || self.all_with("sys_user_has_role", "user", user);
        let direct: BTreeSet<String> = rows()
            .filter(|row| !row.is_true("inherited"))
            .map(|row| row.get("role").to_owned())
            .collect();
        let mut due = self.inherited(user, &direct);
        let mut stale = Vec::new();
        for row in rows().filter(|row| row.is_true("inherited")) {
            let source = Source {
                group: row.get("granted_by").to_owned(),
                role: row.get("included_in_role").to_owned(),
            };
            if due.get(row.get("role")) == Some(&source) {
                due.remove(row.get("role"));
            } else {
                stale.push(row.sys_id().to_owned());
            }
        }
        if let Some(shelf) = self.shelves.get_mut("sys_user_has_role") {
            for id in stale {
                shelf.take(&id);
            }
        }
        for (role, source) in due {
            let values = [
                ("user", user),
                ("role", &role),
                ("inherited", "true"),
                ("granted_by", &source.group),
                ("included_in_role", &source.role),
                ("inh_count", "1"),
            ];
            // The system's own insert of a row without unique columns has nothing to be refused for.
            if let Err(refusal) = self.make(act, "sys_user_has_role", &values) {
                tracing::warn!(?refusal, role, "an inherited role row was refused");
            }
        }
    }

    fn inherited(&self, user: &str, direct: &BTreeSet<String>) -> BTreeMap<String, Source> {
        let mut found = BTreeMap::new();
        let mut open: Vec<(String, Source)> = Vec::new();
        for membership in self.all_with("sys_user_grmember", "user", user) {
            let group = membership.get("group");
            for grant in self.all_with("sys_group_has_role", "group", group) {
                open.push((
                    grant.get("role").to_owned(),
                    Source {
                        group: group.to_owned(),
                        role: String::new(),
                    },
                ));
            }
        }
        for role in direct {
            self.contained(role, &mut open);
        }
        while let Some((role, source)) = open.pop() {
            if direct.contains(&role) || found.contains_key(&role) {
                continue;
            }
            self.contained(&role, &mut open);
            found.insert(role, source);
        }
        found
    }

    fn contained(&self, role: &str, open: &mut Vec<(String, Source)>) {
        for row in self.all_with("sys_user_role_contains", "role", role) {
            open.push((
                row.get("contains").to_owned(),
                Source {
                    group: String::new(),
                    role: role.to_owned(),
                },
            ));
        }
    }
}
