//! The configuration of each process: the defaults, but for what a run of minutes cannot wait for.

use simulator::Simulator;

/// The reference that an order carries in its variables.
pub(super) const REFERENCE: &str = "bridge_ref";

const ROUTES: &str = r#"
[[routes]]
name = "access"
category = "access"
connection = "main"
table = "incident"
[routes.person]
field = "caller_id"
[routes.fields]
short_description = "{{ item }} for {{ requested_for }}"

[[routes]]
name = "folder"
category = "folder"
connection = "main"
table = "sc_task"
[routes.fields]
short_description = "{{ item }} for {{ requested_for }}"

[[routes]]
name = "catalog"
category = "catalog"
connection = "main"
catalog_item = "CATALOG_ITEM"
[routes.person]
field = "requested_for"
[routes.fields]
access_role = "{{ item }}"
justification = "Covers accounts payable."
REFERENCE = "{{ correlation_id }}"

[[routes]]
name = "badge"
category = "badge"
connection = "main"
table = "incident"
mastery = "source"
[routes.fields]
short_description = "{{ item }} for {{ requested_for }}"
"#;

/// Where a process reaches the others.
pub(super) struct Addresses<'a> {
    pub(super) listen: &'a str,
    pub(super) database: &'a str,
    pub(super) redis: &'a str,
    pub(super) servicenow: &'a str,
    pub(super) callbacks: &'a str,
}

/// Lease, heart-beat, margins, windows and budgets are the defaults. Polls, reconciliation and the schedule of callbacks are closer
/// together, because their defaults are longer than a short run.
pub(super) fn toml(to: &Addresses<'_>, simulator: &Simulator) -> Option<String> {
    let item = simulator.row("sc_cat_item", "name=Application access")?;
    let routes = ROUTES
        .replace("CATALOG_ITEM", &item["sys_id"])
        .replace("REFERENCE", REFERENCE);
    Some(format!(
        r#"
[server]
listen = "{}"
[database]
url = "{}"
[queue]
kind = "redis"
[redis]
url = "redis://{}/0"
[callbacks]
schedule_seconds = [1, 2, 5, 10, 15, 20, 30, 30, 60, 60, 60]
[telemetry]
format = "json"
filter = "info"
[connections.main]
base_url = "http://{}"
auth = "client_credentials"
client_id = "ticketbridge-demo"
client_secret = "ticketbridge-demo-secret"
poll_seconds = 5
reconcile_minutes = 2
[sources.idm]
callback_url = "{}"
callback_secret = "whsec_ZmljdGlvbmFsLXNlY3JldC1mb3ItdGVzdHM="
allow_http = true
{routes}"#,
        to.listen, to.database, to.redis, to.servicenow, to.callbacks
    ))
}
