//! The fictional side of the demo: who asks for what. Everything follows from a seed.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

const ITEMS: [(&str, &[&str]); 4] = [
    (
        "application-access",
        &[
            "Ledger: read access",
            "Ledger: month-end role",
            "Harbour CRM: editor",
            "Atlas maps: viewer",
        ],
    ),
    (
        "shared-folder",
        &[
            "Folder Blueprints: write",
            "Folder Payroll archive: read",
            "Folder Site plans: read",
        ],
    ),
    (
        "catalog-access",
        &[
            "Orchard analytics: analyst",
            "Lantern wiki: space owner",
            "Orchard analytics: viewer",
        ],
    ),
    (
        "contractor-badge",
        &[
            "Badge for the north gate",
            "Badge for the archive",
            "Badge for the workshop",
        ],
    ),
];

const WHY: [&str; 5] = [
    "Needed for the month-end closing.",
    "Takes over from a colleague on leave.",
    "New in the team.",
    "Audit asked for a second reader.",
    "Project Lighthouse, phase two.",
];

/// What the identity side does with a request after it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Waits for ServiceNow.
    Wait,
    /// Withdraws it a little later.
    Withdraw,
    /// Approves and fulfils it itself: the route's master is the source.
    Drive,
}

/// Makes requests, one after another.
pub(super) struct Cast {
    random: StdRng,
    people: Vec<String>,
    run: String,
    count: u32,
}

impl Cast {
    /// `people` are user names known to the simulated instance; `run` keeps the ids of one demo apart from another's.
    pub(super) fn new(seed: u64, people: Vec<String>, run: String) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            people,
            run,
            count: 0,
        }
    }

    /// The next request, and what becomes of it on the identity side.
    pub(super) fn next(&mut self) -> (Value, Plan) {
        self.count += 1;
        let (category, items) = *ITEMS
            .choose(&mut self.random)
            .expect("there are categories");
        let person = |cast: &mut Self| {
            cast.people
                .choose(&mut cast.random)
                .expect("there are people")
                .clone()
        };
        let (requester, requested_for) = (person(self), person(self));
        let item = *items
            .choose(&mut self.random)
            .expect("each category has items");
        let request = json!({
            "external_id": format!("DEMO-{}-{:05}", self.run, self.count),
            "category": category,
            "item": item,
            "requester": requester,
            "requested_for": requested_for,
            "justification": WHY.choose(&mut self.random),
            "priority": self.random.random_range(2..=4),
            "attributes": { "cost_centre": format!("CC-{}", self.random.random_range(100..400)) },
        });
        let plan = match category {
            "contractor-badge" => Plan::Drive,
            _ if self.random.random_ratio(1, 12) => Plan::Withdraw,
            _ => Plan::Wait,
        };
        (request, plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_tells_the_same_story() {
        let people = || vec!["sam.sample".to_owned(), "fern.example".to_owned()];
        let mut one = Cast::new(7, people(), "a".into());
        let mut two = Cast::new(7, people(), "a".into());
        for _ in 0..50 {
            assert_eq!(one.next(), two.next());
        }
    }

    #[test]
    fn every_plan_and_category_appears_in_fifty_requests() {
        let mut cast = Cast::new(7, vec!["sam.sample".to_owned()], "a".into());
        let story: Vec<_> = (0..50).map(|_| cast.next()).collect();
        for plan in [Plan::Wait, Plan::Withdraw, Plan::Drive] {
            assert!(story.iter().any(|(_, it)| *it == plan), "{plan:?}");
        }
        for (category, _) in ITEMS {
            assert!(
                story
                    .iter()
                    .any(|(request, _)| request["category"] == category),
                "{category}"
            );
        }
    }
}
