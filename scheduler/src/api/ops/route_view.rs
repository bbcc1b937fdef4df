use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::drift::Verdict;
use shared::route::{Mastery, Route};
use shared::state_map::Unmapped;
use shared::store::choice_lists::Reading;
use shared::store::drift::Report;
use shared::store::requests::UnmappedRequest;
use shared::store::switches::{self, Switch};
use shared::store::table_facts::Facts;
use shared::ticket::TicketKind;
use utoipa::ToSchema;
use uuid::Uuid;

use super::route_choices::ChoicesView;

/// Every route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RouteList {
    pub(crate) items: Vec<RouteView>,
}

/// Which requests become which tickets, and whether new ones are taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Route)]
pub(crate) struct RouteView {
    #[schema(example = "application-access")]
    pub(crate) name: String,
    /// Whether new requests are taken in.
    pub(crate) on: bool,
    /// Who switched it off; null when it is on, or off by the configuration.
    pub(crate) off: Option<OffView>,
    /// Whether the configuration says `enabled = false`; no switch turns it on then.
    pub(crate) off_by_configuration: bool,
    /// The source whose requests it takes; `*` for any.
    pub(crate) source: String,
    /// The category that it takes.
    pub(crate) category: String,
    pub(crate) connection: String,
    /// The table its tickets lie in.
    pub(crate) table: String,
    /// The catalog item that is ordered; null when a row of the table is made.
    pub(crate) catalog_item: Option<String>,
    /// Who decides: `servicenow` or `source`.
    pub(crate) mastery: &'static str,
    /// Requests that stand still because their ticket shows a value that the map does not know, of the newest 2,000 flagged ones.
    pub(crate) unmapped: u64,
    /// Whether its map fits the choice lists of the instance; null while nobody has compared them.
    pub(crate) choices: Option<ChoicesView>,
}

/// Who switched it off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RouteOff)]
pub(crate) struct OffView {
    pub(crate) by: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) reason: Option<String>,
}

/// A route with its map of states and what was seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RouteDetail {
    #[serde(flatten)]
    pub(crate) route: RouteView,
    /// Days after which an open ticket is no longer looked at.
    pub(crate) give_up_days: u64,
    /// Column, or catalog variable, and the template that fills it.
    pub(crate) fields: BTreeMap<String, String>,
    /// The column that takes the person; null when none does.
    pub(crate) person_field: Option<String>,
    /// The columns of `sys_user` that are compared to find the person, in this order.
    pub(crate) person_match: Vec<String>,
    /// What the values of a ticket mean. `approval` is looked at first; `close_code` where `state` says fulfilled.
    pub(crate) meanings: Vec<MeaningView>,
    /// Whether `states_in` of the configuration replaces the built-in map of the table.
    pub(crate) meanings_configured: bool,
    /// What is written to a ticket for each state of its request.
    pub(crate) written: Vec<WrittenView>,
    /// Whether `states_out` of the configuration replaces the built-in map of the table.
    pub(crate) written_configured: bool,
    /// Jumps of `state` that are taken step by step when the instance refuses them.
    pub(crate) detours: Vec<DetourView>,
    /// Values that no map knows, with the requests that stand still for them.
    pub(crate) unmapped_values: Vec<UnmappedView>,
    /// Whether a create keeps the `sys_id` that the bridge chooses; null while nobody has tried.
    pub(crate) honours_sys_id: Option<bool>,
    /// When dates in queries were last found to be read as UTC.
    pub(crate) zone_ok_at: Option<DateTime<Utc>>,
    /// The last comparison of the tickets of the table with the instance's own count.
    pub(crate) drift: Option<DriftView>,
}

/// What a value of a ticket means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Meaning)]
pub(crate) struct MeaningView {
    #[schema(example = "state")]
    pub(crate) column: &'static str,
    #[schema(example = "6")]
    pub(crate) value: String,
    /// State of the request.
    #[schema(example = "fulfilled")]
    pub(crate) state: &'static str,
}

/// What is written for a state of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Written)]
pub(crate) struct WrittenView {
    /// State of the request.
    pub(crate) state: &'static str,
    /// What is written into `state`; null when a template says it.
    pub(crate) value: Option<String>,
    /// Every column that is written.
    pub(crate) columns: Vec<String>,
}

/// A jump of `state` that is taken step by step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Detour)]
pub(crate) struct DetourView {
    pub(crate) from: String,
    pub(crate) to: String,
    /// What lies between.
    pub(crate) through: Vec<String>,
}

/// A value that no map knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UnmappedValue)]
pub(crate) struct UnmappedView {
    /// The column; null when the flag was cut because the value is very long.
    pub(crate) field: Option<String>,
    pub(crate) value: String,
    /// Requests that stand still for it.
    pub(crate) count: u64,
    /// When the first of them was flagged, of the newest 500; null when its audit entries are no longer kept.
    pub(crate) first_seen_at: Option<DateTime<Utc>>,
    /// When the last of them was flagged.
    pub(crate) last_seen_at: Option<DateTime<Utc>>,
    /// The newest of them.
    pub(crate) example: Uuid,
}

/// A comparison of a table with the instance's own count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RouteDrift)]
pub(crate) struct DriftView {
    /// `clean`, `drifted`, `partial` or `untrusted`.
    pub(crate) verdict: &'static str,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) reason: Option<String>,
    /// Tickets and rows that were compared.
    pub(crate) checked: i64,
    /// Changes that had been missed, and are read now.
    pub(crate) repaired: i64,
    /// Tickets that somebody has to look at.
    pub(crate) flagged: i64,
    /// What could not be settled.
    pub(crate) failed: i64,
}

impl RouteView {
    pub(crate) fn of(
        route: &Route,
        all: &[Switch],
        flagged: &[UnmappedRequest],
        readings: &[Reading],
    ) -> Self {
        let subject = switches::of_route(&route.name);
        let switch = all.iter().find(|it| it.subject == subject && !it.on);
        let off = switch.map(|switch| OffView {
            by: switch.by.clone(),
            at: switch.at,
            reason: switch.reason.clone(),
        });
        Self {
            name: route.name.clone(),
            on: route.enabled && off.is_none(),
            off,
            off_by_configuration: !route.enabled,
            source: route.source.clone(),
            category: route.category.clone(),
            connection: route.connection.clone(),
            table: route.kind.table().to_owned(),
            catalog_item: match &route.kind {
                TicketKind::Table(_) => None,
                TicketKind::CatalogItem(item) => Some(item.clone()),
            },
            mastery: Mastery::as_str(route.mastery),
            unmapped: flagged.iter().filter(|it| it.route == route.name).count() as u64,
            choices: ChoicesView::of(route, readings),
        }
    }
}

impl RouteDetail {
    /// `fields` as the configuration has them.
    pub(crate) fn of(
        route: &Route,
        view: RouteView,
        fields: BTreeMap<String, String>,
        configured: (bool, bool),
        facts: Option<&Facts>,
    ) -> Self {
        let states = &route.states;
        let person = route.person.as_ref();
        Self {
            route: view,
            give_up_days: route.give_up_after.as_secs() / 86_400,
            fields,
            person_field: person.map(|it| it.field.clone()),
            person_match: person.map(|it| it.match_on.clone()).unwrap_or_default(),
            meanings: states
                .meanings()
                .map(|(column, value, state)| MeaningView {
                    column,
                    value: value.to_owned(),
                    state: state.as_str(),
                })
                .collect(),
            meanings_configured: configured.0,
            written: states
                .written()
                .map(|(state, columns)| WrittenView {
                    state: state.as_str(),
                    value: states.value_out(state).map(str::to_owned),
                    columns: columns.into_iter().map(str::to_owned).collect(),
                })
                .collect(),
            written_configured: configured.1,
            detours: states
                .detours()
                .map(|(from, to, through)| DetourView {
                    from: from.to_owned(),
                    to: to.to_owned(),
                    through: through.to_vec(),
                })
                .collect(),
            unmapped_values: Vec::new(),
            honours_sys_id: facts.and_then(|it| it.honours_sys_id),
            zone_ok_at: facts.and_then(|it| it.zone_ok_at),
            drift: None,
        }
    }
}

impl UnmappedView {
    /// Of the requests with one flag, newest first; `since` is when each was flagged, as far as that is known.
    pub(crate) fn of(flagged: &[&UnmappedRequest], since: &[DateTime<Utc>]) -> Option<Self> {
        let newest = flagged.first()?;
        let read = Unmapped::read(&newest.attention);
        Some(Self {
            field: read.map(|it| it.field.to_owned()),
            value: read.map_or_else(|| newest.attention.clone(), |it| it.value.to_owned()),
            count: flagged.len() as u64,
            first_seen_at: since.iter().min().copied(),
            last_seen_at: since.iter().max().copied(),
            example: newest.id,
        })
    }
}

impl DriftView {
    /// `None` while the comparison has come to no verdict.
    pub(crate) fn of(report: Report) -> Option<Self> {
        Some(Self {
            verdict: report.verdict.map(Verdict::as_str)?,
            started_at: report.started_at,
            reason: report.reason,
            checked: report.tally.checked,
            repaired: report.tally.repaired,
            flagged: report.tally.flagged,
            failed: report.tally.failed,
        })
    }
}
