//! What happens to a request, fixed by the seed before it is sent: so its end is known, and anything else is wrong.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use shared::request::RequestState;

/// Routes, by what the source calls them.
const CATEGORIES: [&str; 4] = ["access", "folder", "catalog", "badge"];
/// People of the simulated instance for whom something is asked.
const PEOPLE: [&str; 4] = ["nina.agent", "tomas.agent", "fern.example", "otto.sample"];

/// A request from its first call to its end.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) external_id: String,
    pub(super) category: &'static str,
    pub(super) fate: Fate,
    /// What the source does after the request was taken, in order.
    pub(super) sayings: Vec<Saying>,
    person: &'static str,
}

/// How a request ends, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Somebody in ServiceNow does it.
    Resolved,
    /// The same after a question in the journal.
    Discussed,
    /// The same after a pause.
    Held,
    /// Somebody in ServiceNow says no.
    Rejected,
    /// The source wants it no longer.
    Withdrawn,
    /// The source did it.
    Done,
    /// The source says no.
    Denied,
}

/// A call about a request that was taken.
#[derive(Debug, Clone)]
pub(super) struct Saying {
    /// Seconds after the one before.
    pub(super) after: u64,
    pub(super) body: Value,
    /// Whether the source waits for the ticket first: who ends a request before it has one, gets none.
    pub(super) with_ticket: bool,
    /// The text that must stand in the journal once.
    pub(super) comment: Option<String>,
}

impl Plan {
    pub(super) fn of(seed: u64, number: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let category = CATEGORIES[dice.random_range(0..CATEGORIES.len())];
        let fate = fate(category, dice.random_range(0..10));
        let external_id = format!("C-{seed}-{number}");
        let mut sayings: Vec<Saying> = (0..dice.random_range(0..=2))
            .map(|n| remark(&external_id, n, &mut dice))
            .collect();
        sayings.extend(fate.sayings(&mut dice));
        Self {
            external_id,
            category,
            fate,
            sayings,
            person: PEOPLE[dice.random_range(0..PEOPLE.len())],
        }
    }

    /// The body of the request.
    pub(super) fn body(&self) -> Value {
        json!({
            "external_id": self.external_id,
            "category": self.category,
            "item": format!("{} {}", self.category, self.external_id),
            "requester": "dana.manager",
            "requested_for": self.person,
        })
    }

    /// Texts that must stand in the journal of its ticket.
    pub(super) fn comments(&self) -> impl Iterator<Item = &str> {
        self.sayings.iter().filter_map(|it| it.comment.as_deref())
    }
}

impl Fate {
    pub(super) fn end(self) -> RequestState {
        match self {
            Self::Resolved | Self::Discussed | Self::Held | Self::Done => RequestState::Fulfilled,
            Self::Rejected | Self::Denied => RequestState::Denied,
            Self::Withdrawn => RequestState::Cancelled,
        }
    }

    /// What the source does to bring it about.
    fn sayings(self, dice: &mut StdRng) -> Vec<Saying> {
        let states: &[&str] = match self {
            Self::Resolved | Self::Discussed | Self::Held | Self::Rejected => &[],
            Self::Withdrawn => &["withdrawn"],
            Self::Done if dice.random_range(0..3) == 0 => &["on_hold", "in_progress", "fulfilled"],
            Self::Done => &["approved", "fulfilled"],
            Self::Denied => &["approved", "denied"],
        };
        let saying = |state: &&str| Saying {
            after: dice.random_range(0..20),
            body: json!({"status": state, "reason": format!("It is {state}.")}),
            with_ticket: ["fulfilled", "denied"].contains(state),
            comment: None,
        };
        states.iter().map(saying).collect()
    }
}

fn fate(category: &str, luck: u32) -> Fate {
    match (category, luck) {
        (_, 0) => Fate::Withdrawn,
        ("badge", 1..=2) => Fate::Denied,
        ("badge", _) => Fate::Done,
        (_, 1..=2) => Fate::Rejected,
        (_, 3..=4) => Fate::Discussed,
        (_, 5) => Fate::Held,
        _ => Fate::Resolved,
    }
}

fn remark(external_id: &str, number: u32, dice: &mut StdRng) -> Saying {
    let text = format!("Remark {number} on {external_id}.");
    Saying {
        after: dice.random_range(0..15),
        body: json!({"status": "comment", "comment": text, "visible": dice.random::<bool>()}),
        with_ticket: false,
        comment: Some(text),
    }
}
