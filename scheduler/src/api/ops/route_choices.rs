use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::choices::{self, Finding};
use shared::route::Route;
use shared::store::choice_lists::Reading;
use utoipa::ToSchema;

/// A comparison of the choice lists of a table with the map of a route. The lists are as they were last read, the map as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RouteChoices)]
pub(crate) struct ChoicesView {
    /// `agrees`, `drifted` (tickets may stand still or be told wrongly) or `cannot_tell`.
    pub(crate) verdict: &'static str,
    /// When the lists were last read, or that was last tried.
    pub(crate) read_at: DateTime<Utc>,
    /// Why it cannot be told, and what to do.
    pub(crate) problem: Option<String>,
    /// The lists that were compared.
    #[schema(example = json!(["incident.state", "task.approval"]))]
    pub(crate) compared: Vec<String>,
    /// What does not fit, what breaks first.
    pub(crate) findings: Vec<ChoiceFindingView>,
}

/// An entry of the map, or a choice, that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ChoiceFinding)]
pub(crate) struct ChoiceFindingView {
    /// `unread` (a choice that no entry reads), `unwritable` (a value that is written and cannot be chosen), `gone` (an entry that decides
    /// before `states_in` or instead of it, and whose value cannot be chosen) or `idle` (one of `states_in` whose value cannot be chosen;
    /// nothing breaks).
    pub(crate) difference: &'static str,
    #[schema(example = "state")]
    pub(crate) column: &'static str,
    #[schema(example = "9")]
    pub(crate) value: String,
    /// What people read in ServiceNow, where the instance has it.
    pub(crate) label: Option<String>,
    /// In words, with the entry of the map.
    pub(crate) what: String,
    /// What to do.
    pub(crate) fix: &'static str,
}

impl ChoicesView {
    /// `None` while the lists of its table were not read.
    pub(crate) fn of(route: &Route, readings: &[Reading]) -> Option<Self> {
        let reading = readings.iter().find(|it| it.is_of(route))?;
        let mut findings = choices::compare(&route.states, &reading.lists);
        findings.sort_by_key(|it| !it.difference.breaks());
        let verdict = match findings.first() {
            _ if reading.problem.is_some() => "cannot_tell",
            Some(worst) if worst.difference.breaks() => "drifted",
            _ => "agrees",
        };
        let compared = reading.lists.iter();
        Some(Self {
            verdict,
            read_at: reading.read_at,
            problem: reading.problem.clone(),
            compared: compared
                .map(|list| format!("{}.{}", list.table, list.column))
                .collect(),
            findings: findings.iter().map(ChoiceFindingView::of).collect(),
        })
    }
}

impl ChoiceFindingView {
    fn of(finding: &Finding) -> Self {
        Self {
            difference: finding.difference.as_str(),
            column: finding.column,
            value: finding.value.clone(),
            label: finding.label.clone(),
            what: finding.to_string(),
            fix: finding.difference.fix(),
        }
    }
}
