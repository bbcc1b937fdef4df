//! Data policies: fields that must be filled in some states (wire contract 3.2, 3.6).

use super::{Act, Fields, World};
use crate::refusal::Refusal;

/// A table, the states its policy covers, and the fields they need.
const POLICIES: &[(&str, &[&str], &[&str])] = &[
    ("incident", &["6", "7"], &["close_code", "close_notes"]),
    ("change_request", &["3"], &["close_code", "close_notes"]),
];

impl World {
    pub(super) fn check_policy(
        &self,
        act: &Act<'_>,
        class: &str,
        fields: &Fields,
    ) -> Result<(), Refusal> {
        if !act.knobs.data_policy || act.actor.system {
            return Ok(());
        }
        let policies = POLICIES
            .iter()
            .filter(|(table, states, _)| *table == class && states.contains(&fields.get("state")));
        let missing = policies
            .flat_map(|(_, _, needed)| *needed)
            .filter(|column| fields.get(column).is_empty());
        let labels: Vec<String> = missing
            .map(|column| self.dictionary.label(class, column).to_owned())
            .collect();
        if labels.is_empty() {
            Ok(())
        } else {
            Err(Refusal::DataPolicy(labels))
        }
    }
}
