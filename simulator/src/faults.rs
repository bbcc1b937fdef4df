//! Which knobs hold for which call: the board's own, changed by the faults that match.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::knobs::Knobs;

/// Knobs that hold for some calls only. Every condition left out matches all calls.
///
/// `{"table":"incident","method":"POST","times":1,"set":{"post_commits_then_500":1.0}}` makes
/// the next POST of an incident commit and answer 500.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    pub table: Option<String>,
    /// User name the call claims to be made by.
    pub user: Option<String>,
    pub method: Option<String>,
    /// Start of the path.
    pub path: Option<String>,
    /// How many matching calls pass untouched first.
    pub skip: u32,
    /// How many calls it strikes; none = all.
    pub times: Option<u32>,
    /// The knobs it changes, as in the knobs' JSON.
    pub set: Map<String, Value>,
}

/// The features of a call that faults look at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traits<'a> {
    pub(crate) table: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
}

/// A change of the knobs that cannot be made: an unknown name or a value of the wrong shape.
#[derive(Debug, thiserror::Error)]
#[error("these knobs do not fit: {0}")]
pub struct BadKnobs(#[from] serde_json::Error);

/// The global knobs and the faults laid over them.
#[derive(Debug, Default)]
pub(crate) struct KnobBoard {
    global: Arc<Knobs>,
    faults: Vec<Fault>,
}

impl KnobBoard {
    pub(crate) fn new(knobs: Knobs) -> Self {
        Self {
            global: Arc::new(knobs),
            faults: Vec::new(),
        }
    }

    pub(crate) fn global(&self) -> Arc<Knobs> {
        Arc::clone(&self.global)
    }

    pub(crate) fn set(&mut self, knobs: Knobs) {
        self.global = Arc::new(knobs);
    }

    /// Changes some knobs by name, all or none.
    pub(crate) fn merge(&mut self, change: &Map<String, Value>) -> Result<(), BadKnobs> {
        self.global = Arc::new(merged(&self.global, change)?);
        Ok(())
    }

    pub(crate) fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Adds a fault after checking that its knobs exist.
    pub(crate) fn add(&mut self, fault: Fault) -> Result<(), BadKnobs> {
        merged(&self.global, &fault.set)?;
        self.faults.push(fault);
        Ok(())
    }

    pub(crate) fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// The knobs for one call; counts down the faults that strike it.
    pub(crate) fn strike(&mut self, call: &Traits<'_>) -> Arc<Knobs> {
        let mut knobs = self.global();
        for fault in &mut self.faults {
            if !fault.matches(call) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if let Some(times) = &mut fault.times {
                *times = times.saturating_sub(1);
            }
            if let Ok(changed) = merged(&knobs, &fault.set) {
                knobs = Arc::new(changed);
            }
        }
        self.faults.retain(|fault| fault.times != Some(0));
        knobs
    }

    /// Counts the global hibernation down by one call and gives back what it was.
    pub(crate) fn hibernation(&mut self, knobs: &Knobs) -> Option<Sleep> {
        let asleep = knobs.hibernate?;
        let (stage, left) = match (asleep.html, asleep.bad_gateway) {
            (0, 0) => return None,
            (0, gateway) => (Sleep::BadGateway, (0, gateway - 1)),
            (html, gateway) => (Sleep::Html, (html - 1, gateway)),
        };
        if self.global.hibernate == knobs.hibernate {
            let rest = (left != (0, 0)).then_some(crate::knobs::Hibernate {
                html: left.0,
                bad_gateway: left.1,
            });
            Arc::make_mut(&mut self.global).hibernate = rest;
        }
        Some(stage)
    }
}

/// What a sleeping instance answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sleep {
    Html,
    BadGateway,
}

impl Fault {
    fn matches(&self, call: &Traits<'_>) -> bool {
        let table = self.table.is_none() || self.table.as_deref() == call.table;
        let user = self.user.is_none() || self.user.as_deref() == call.user;
        let method = self
            .method
            .as_deref()
            .is_none_or(|method| method.eq_ignore_ascii_case(call.method));
        let path = self
            .path
            .as_deref()
            .is_none_or(|path| call.path.starts_with(path));
        table && user && method && path
    }
}

fn merged(knobs: &Knobs, change: &Map<String, Value>) -> Result<Knobs, BadKnobs> {
    let mut all = serde_json::to_value(knobs)?;
    if let Value::Object(map) = &mut all {
        map.extend(
            change
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
    }
    Ok(serde_json::from_value(all)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: impl serde::Serialize) -> Map<String, Value> {
        serde_json::to_value(value)
            .unwrap()
            .as_object()
            .cloned()
            .unwrap()
    }

    #[test]
    fn a_fault_skips_strikes_and_expires() {
        let mut board = KnobBoard::default();
        let set = map(json!({"latency_ms": 7}));
        let fault = Fault {
            table: Some("incident".into()),
            skip: 1,
            times: Some(1),
            set,
            ..Fault::default()
        };
        board.add(fault).unwrap();
        let call = Traits {
            table: Some("incident"),
            method: "GET",
            ..Traits::default()
        };
        let other = Traits {
            table: Some("problem"),
            method: "GET",
            ..Traits::default()
        };
        let seen: Vec<u64> = [&call, &other, &call, &call]
            .map(|call| board.strike(call).latency_ms)
            .into();
        assert_eq!(seen, [0, 0, 7, 0]);
        assert!(board.faults().is_empty());
    }

    #[test]
    fn an_unknown_knob_changes_nothing() {
        let mut board = KnobBoard::default();
        let refused = board.merge(&map(json!({"latency_ms": 7, "latencyy": 1})));
        assert!(refused.unwrap_err().to_string().contains("latencyy"));
        assert_eq!(board.global().latency_ms, 0);
    }

    #[test]
    fn hibernation_counts_pages_then_gateways_then_wakes() {
        let mut board = KnobBoard::default();
        board
            .merge(&map(json!({"hibernate": {"html": 1, "bad_gateway": 1}})))
            .unwrap();
        let next = |board: &mut KnobBoard| {
            let knobs = board.global();
            board.hibernation(&knobs)
        };
        assert_eq!(next(&mut board), Some(Sleep::Html));
        assert_eq!(next(&mut board), Some(Sleep::BadGateway));
        assert_eq!(next(&mut board), None);
    }
}
