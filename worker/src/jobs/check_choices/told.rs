//! What people hear of a reading: a line in the log, and an entry of the audit trail when something new does not fit.

use shared::choices;
use shared::route::Route;
use shared::store::audit::Actor;
use shared::store::choice_lists::Reading;

use crate::effects::Noted;

/// So many are named; the page of the route has all of them.
const NAMED: usize = 5;

/// What breaks, by route.
fn breaking(reading: &Reading, routes: &[&Route]) -> Vec<String> {
    let of_route = |route: &&Route| {
        let name = route.name.clone();
        let findings = choices::compare(&route.states, &reading.lists).into_iter();
        findings
            .filter(|it| it.difference.breaks())
            .map(move |it| format!("route {name}: {it}"))
    };
    routes.iter().flat_map(of_route).collect()
}

/// An entry when the reading shows what the one before it had not.
pub(super) fn new_findings(
    reading: &Reading,
    before: Option<&Reading>,
    routes: &[&Route],
) -> Option<Noted> {
    let known = before.map(|it| breaking(it, routes)).unwrap_or_default();
    let found = breaking(reading, routes);
    let new: Vec<&str> = found
        .iter()
        .filter(|it| !known.contains(it))
        .map(String::as_str)
        .collect();
    if new.is_empty() {
        return None;
    }
    let named = new.iter().take(NAMED).copied().collect::<Vec<_>>();
    Some(Noted {
        actor: Actor::System("worker"),
        action: "choices.drifted",
        subject_kind: "table",
        subject_id: format!("{}/{}", reading.connection, reading.table),
        from: None,
        to: None,
        reason: format!("{} new: {}", new.len(), named.join("; ")),
    })
}

pub(super) fn log(reading: &Reading, routes: &[&Route]) {
    let (connection, table) = (&reading.connection, &reading.table);
    if let Some(problem) = &reading.problem {
        // No warning: it is so for most accounts, and each night the same.
        tracing::info!(
            connection,
            table,
            problem,
            "the choice lists could not be compared with the state maps"
        );
        return;
    }
    let found = breaking(reading, routes);
    if found.is_empty() {
        tracing::info!(connection, table, "the choice lists fit the state maps");
    } else {
        let first = found.first();
        let count = found.len();
        tracing::warn!(
            connection,
            table,
            count,
            first,
            "a state map does not fit the choice lists of the instance"
        );
    }
}
