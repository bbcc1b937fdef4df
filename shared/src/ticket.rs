//! A ticket: the record in ServiceNow that stands for a request.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::state_map::{Decided, Observed};

/// How the ticket is made in ServiceNow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TicketKind {
    /// A row of this table, by the Table API (wire contract 2).
    Table(String),
    /// An order of this catalog item, by `order_now` (wire contract 4.2); the ticket is the requested item.
    CatalogItem(String),
}

impl TicketKind {
    /// The table in which the ticket is read and updated.
    pub fn table(&self) -> &str {
        match self {
            Self::Table(table) => table,
            Self::CatalogItem(_) => "sc_req_item",
        }
    }
}

/// What is known of a ticket. Written at intake, before any call, with the id we chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ticket {
    /// The request it stands for; one ticket per request.
    pub request_id: Uuid,
    /// Name of the connection (one ServiceNow instance).
    pub connection: String,
    /// Table or catalog item.
    pub kind: TicketKind,
    /// For the Table API: the id we send. After creation: the id the instance uses. `None` for an order not yet found.
    pub sys_id: Option<String>,
    /// Our key in the record's `correlation_id`.
    pub correlation_id: String,
    /// Whether ServiceNow is known to hold it.
    pub exists: bool,
    /// `INC0010001`; known once it exists.
    pub number: Option<String>,
    /// Number and id of the `sc_request` for catalog orders.
    pub order_number: Option<String>,
    /// sys_id of the `sc_request` for catalog orders.
    pub order_sys_id: Option<String>,
    /// Raw `state` value last read or written.
    pub state: Option<String>,
    /// Raw `approval` value last read.
    pub approval: Option<String>,
    /// Catalog `stage`, shown as text, never decided on (wire contract 3.4).
    pub stage: Option<String>,
    /// `close_code` last read.
    pub close_code: Option<String>,
    /// `close_notes` last read.
    pub close_notes: Option<String>,
    /// Display name of `assigned_to`.
    pub assigned_to: Option<String>,
    /// Display name of `assignment_group`.
    pub assignment_group: Option<String>,
    /// `sys_mod_count` last seen: with `sys_updated_on` it tells a change from an echo (T12).
    pub mod_count: Option<i64>,
    /// `sys_updated_on` last seen, raw.
    pub remote_updated_on: Option<String>,
    /// Request version whose state was last written to the ticket.
    pub written_version: Option<i64>,
    /// When a create that may have reached the instance was last sent; set before the call on paths without a client id.
    pub maybe_sent_at: Option<DateTime<Utc>>,
    /// When it was last read.
    pub checked_at: Option<DateTime<Utc>>,
    /// When the bridge stopped looking because of the route's give-up age.
    pub given_up_at: Option<DateTime<Utc>>,
    /// What the map of the route said of these values when it was last asked.
    pub decided: Option<Decided>,
}

impl Ticket {
    /// The values that decide where its request stands.
    pub fn observed(&self) -> Observed<'_> {
        Observed {
            state: self.state.as_deref().unwrap_or_default(),
            approval: self.approval.as_deref().unwrap_or_default(),
            close_code: self.close_code.as_deref().unwrap_or_default(),
        }
    }
}

/// The `sys_id` we send for a request: 32 lower hex digits, the same whenever it is asked for.
///
/// First 16 bytes of SHA-256 over `bridge:<bridge name>:<request id>:<table>` (wire contract 12.1).
pub fn chosen_sys_id(bridge: &str, request_id: Uuid, table: &str) -> String {
    let digest = Sha256::digest(format!("bridge:{bridge}:{request_id}:{table}"));
    digest
        .iter()
        .take(16)
        .fold(String::with_capacity(32), |mut hex, byte| {
            use std::fmt::Write as _;
            write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_id_is_stable_and_looks_like_a_sys_id() {
        let id = Uuid::from_u128(7);
        let first = chosen_sys_id("TicketBridge", id, "incident");
        assert_eq!(first, chosen_sys_id("TicketBridge", id, "incident"));
        assert_eq!(first.len(), 32);
        assert!(
            first
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        );
        assert_ne!(first, chosen_sys_id("TicketBridge", id, "sc_task"));
        assert_ne!(first, chosen_sys_id("Another", id, "incident"));
    }
}
