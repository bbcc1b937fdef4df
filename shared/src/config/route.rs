use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::route::Mastery;
use crate::ticket::TicketKind;

/// `[[routes]]`: which ticket a category of a source becomes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "category", "connection"]))]
pub struct RouteSettings {
    /// Unique name, shown to operators.
    pub name: String,
    /// Name of a source, or `*` for any.
    pub source: String,
    /// Category of the request.
    pub category: String,
    /// Name of the connection whose instance gets the ticket.
    pub connection: String,
    /// A disabled route refuses requests.
    pub enabled: bool,
    /// A task table; or empty.
    pub table: String,
    /// The sys_id of a catalog item that is ordered instead; or empty.
    pub catalog_item: String,
    /// Who decides.
    pub mastery: Mastery,
    /// An open ticket older than this many days is no longer looked at.
    #[schemars(range(min = 1, max = 3650))]
    pub give_up_days: u64,
    /// Column, or catalog variable, and its template.
    pub fields: BTreeMap<String, String>,
    /// How `requested_for` becomes a `sys_user`.
    pub person: Option<PersonSettings>,
    /// Lengths of columns that are longer or shorter than usual, in characters.
    #[schemars(extend("additionalProperties" = {"type": "integer", "minimum": 1, "maximum": 1_000_000}))]
    pub max_lengths: BTreeMap<String, usize>,
    /// `state` value and the request state it means; replaces the built-in map of the table.
    pub states_in: Option<BTreeMap<String, String>>,
    /// `approval` value and the request state it means; looked at first.
    pub approvals_in: BTreeMap<String, String>,
    /// `close_code` value and the request state it means, where `states_in` says fulfilled.
    pub close_codes_in: BTreeMap<String, String>,
    /// Request state and the columns that are written for it; replaces the built-in map of the table.
    pub states_out: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// Steps for a jump that the instance refuses: `from->to`, and what lies between.
    pub paths_out: BTreeMap<String, Vec<String>>,
}

/// `[routes.person]`: how `requested_for` becomes a `sys_user`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonSettings {
    /// Column that takes the person; for catalog orders it is always the order's `requested_for`.
    #[serde(default)]
    pub field: String,
    /// Columns of `sys_user` that are compared, in this order.
    #[serde(default = "usual_match")]
    #[schemars(length(min = 1))]
    pub r#match: Vec<String>,
}

fn usual_match() -> Vec<String> {
    ["user_name", "email", "employee_number"]
        .map(str::to_owned)
        .into()
}

impl Default for RouteSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            source: "*".to_owned(),
            category: String::new(),
            connection: String::new(),
            enabled: true,
            table: String::new(),
            catalog_item: String::new(),
            mastery: Mastery::Servicenow,
            give_up_days: 90,
            fields: BTreeMap::new(),
            person: None,
            max_lengths: BTreeMap::new(),
            states_in: None,
            approvals_in: BTreeMap::new(),
            close_codes_in: BTreeMap::new(),
            states_out: None,
            paths_out: BTreeMap::new(),
        }
    }
}

impl RouteSettings {
    /// Table or catalog item; `None` when neither or both are given, which [`Settings::load`](super::Settings::load) refuses.
    pub fn ticket_kind(&self) -> Option<TicketKind> {
        match (self.table.as_str(), self.catalog_item.as_str()) {
            (table, "") if !table.is_empty() => Some(TicketKind::Table(table.to_owned())),
            ("", item) if !item.is_empty() => Some(TicketKind::CatalogItem(item.to_owned())),
            _ => None,
        }
    }

    /// `give_up_days` as a duration.
    pub fn give_up_after(&self) -> Duration {
        Duration::from_hours(24 * self.give_up_days)
    }
}
