use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use shared::config::Settings;
use shared::job::{JobKind, lane_name};

/// What the relay last saw of the lanes, so that intake knows at once whether a new job may ring right after its commit
/// or must wait in SQL for the relay.
#[derive(Debug)]
pub(crate) struct Lanes {
    window: u64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Bells waiting in each lane: counted by the relay, and by intake since then.
    depth: HashMap<String, u64>,
    /// Connections whose circuit is open.
    held: HashSet<String>,
    /// Rounds since something moved.
    still: u32,
}

/// Rounds without a move after which the relay waits for its interval: with its pause between them, half a second.
const STILL_ROUNDS: u32 = 12;

impl Lanes {
    pub(crate) fn new(window: u64) -> Self {
        Self {
            window,
            seen: Mutex::default(),
        }
    }

    /// Whether one more bell may be pushed into a lane; takes the place when it may.
    pub(crate) fn admit(&self, lane: &str, connection: Option<&str>) -> bool {
        let mut seen = self.seen();
        if connection.is_some_and(|name| seen.held.contains(name)) {
            return false;
        }
        let depth = seen.depth.entry(lane.to_owned()).or_default();
        let room = *depth < self.window;
        *depth += u64::from(room);
        room
    }

    /// Bells that still fit into a lane of this depth.
    pub(crate) fn room(&self, depth: u64) -> u64 {
        self.window.saturating_sub(depth)
    }

    /// Whether a lane is shallower than the relay last saw it.
    pub(crate) fn has_fallen(&self, lane: &str, depth: u64) -> bool {
        self.seen()
            .depth
            .get(lane)
            .is_some_and(|seen| depth < *seen)
    }

    /// Whether the relay looks again at once after a round in which more was due than fits: after one that moved something, and
    /// for a few after that. Where nobody takes bells, it comes to rest.
    pub(crate) fn looks_again(&self, moved: bool) -> bool {
        let mut seen = self.seen();
        seen.still = if moved { 0 } else { seen.still + 1 };
        seen.still < STILL_ROUNDS
    }

    /// What the relay has just seen. Lanes it did not look at hold nothing that is due or rung.
    pub(crate) fn note(&self, depth: HashMap<String, u64>, held: HashSet<String>) {
        let mut seen = self.seen();
        (seen.depth, seen.held) = (depth, held);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Each change is a single assignment, so a panic elsewhere leaves nothing half done.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lanes of the configuration, whether anything waits in them or not, each with one kind of its queue.
pub(crate) fn configured(settings: &Settings) -> BTreeMap<String, JobKind> {
    let connections: Vec<&String> = settings.connections.keys().collect();
    JobKind::QUEUES
        .into_iter()
        .flat_map(|kind| match kind {
            JobKind::DeliverCallback => vec![(lane_name(kind, None), kind)],
            kind => connections
                .iter()
                .map(|connection| (lane_name(kind, Some(connection)), kind))
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_takes_bells_up_to_its_window() {
        let lanes = Lanes::new(2);
        assert!(lanes.admit("a", None) && lanes.admit("a", None));
        assert!(!lanes.admit("a", None));
        assert!(lanes.admit("b", None), "lanes are counted apart");
        lanes.note(HashMap::from([("a".to_owned(), 1)]), HashSet::new());
        assert!(lanes.admit("a", None));
        assert!(!lanes.admit("a", None));
    }

    #[test]
    fn the_relay_looks_again_while_something_moves_and_then_comes_to_rest() {
        let lanes = Lanes::new(2);
        assert!(lanes.looks_again(true));
        let mut rounds = 1;
        while lanes.looks_again(false) {
            rounds += 1;
        }
        assert_eq!(rounds, STILL_ROUNDS);
        assert!(!lanes.looks_again(false), "nobody takes bells");
        assert!(lanes.looks_again(true) && lanes.looks_again(false));
    }

    #[test]
    fn a_lane_from_which_bells_were_taken_has_fallen() {
        let lanes = Lanes::new(2);
        assert!(!lanes.has_fallen("a", 0), "nobody has looked at it before");
        lanes.note(HashMap::from([("a".to_owned(), 2)]), HashSet::new());
        assert!(!lanes.has_fallen("a", 2));
        assert!(lanes.has_fallen("a", 1));
    }

    #[test]
    fn a_held_connection_takes_none() {
        let lanes = Lanes::new(2);
        lanes.note(HashMap::new(), HashSet::from(["main".to_owned()]));
        assert!(!lanes.admit("create-ticket@main", Some("main")));
        assert!(lanes.admit("callback", None));
    }
}
