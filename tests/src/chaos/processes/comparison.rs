//! Compares, request by request, what was asked with what the bridge, the instance and the receiver of callbacks hold.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;
use shared::request::{Request, RequestState};
use shared::store::requests;
use simulator::RowMap;
use uuid::Uuid;

use super::fulfilment::TABLES;
use super::installation::Installation;
use super::plan::Fate;
use super::traffic::Sent;

/// What one request shows that it should not.
#[derive(Debug, Clone)]
pub(super) struct Difference {
    pub(super) kind: Kind,
    /// The bridge's id, or the source's where there is none.
    pub(super) id: String,
    pub(super) what: String,
}

/// Kinds of difference, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Lost,
    Duplicate,
    WrongState,
    JournalDouble,
    Untold,
}

/// Everything that was looked at.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) requests: usize,
    pub(super) tickets: usize,
    pub(super) entries: usize,
    pub(super) callbacks: usize,
    /// What the bridge wants a human to look at, by request.
    pub(super) flags: Vec<(String, String)>,
    pub(super) differences: Vec<Difference>,
}

/// The other side of every comparison, read once.
struct World {
    requests: HashMap<String, Request>,
    tickets: HashMap<String, Vec<(&'static str, RowMap)>>,
    /// Orders that carry a request's reference.
    orders: HashMap<String, usize>,
    /// Journal entries of a record.
    journal: HashMap<String, Vec<String>>,
    /// The newest version that the receiver has taken, and its state.
    told: HashMap<String, (i64, String)>,
}

/// Compares.
pub(super) async fn compare(it: &Installation, sent: &[Sent]) -> anyhow::Result<Found> {
    let world = World::read(it).await?;
    let mut found = Found {
        requests: sent.len(),
        tickets: world.tickets.values().map(Vec::len).sum(),
        callbacks: it.receiver.heard().len(),
        flags: world.flags(),
        ..Found::default()
    };
    for one in sent {
        Comparison {
            world: &world,
            sent: one,
            found: &mut found,
        }
        .run();
    }
    strangers(&world, sent, &mut found);
    Ok(found)
}

/// Nothing may exist that nobody asked for.
fn strangers(world: &World, sent: &[Sent], found: &mut Found) {
    let asked: HashSet<&str> = sent.iter().filter_map(|it| it.id.as_deref()).collect();
    let all = world.requests.keys().chain(world.tickets.keys());
    let strange: BTreeSet<&String> = all.filter(|id| !asked.contains(id.as_str())).collect();
    for id in strange {
        found.differences.push(Difference {
            kind: Kind::Duplicate,
            id: id.clone(),
            what: "nobody has asked for this, or nobody was told that it was taken".to_owned(),
        });
    }
}

impl World {
    async fn read(it: &Installation) -> anyhow::Result<Self> {
        let mut world = Self {
            requests: HashMap::new(),
            tickets: HashMap::new(),
            orders: HashMap::new(),
            journal: HashMap::new(),
            told: HashMap::new(),
        };
        let (all, mut after) = (requests::Filter::default(), None);
        loop {
            let found = requests::list(it.store.conn(), &all, after, 500).await?;
            let page = found.requests.into_iter().map(|it| (it.id.to_string(), it));
            world.requests.extend(page);
            match found.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        for table in TABLES {
            for row in it.simulator.rows(table, "correlation_display=TicketBridge") {
                let id = row.get("correlation_id").cloned().unwrap_or_default();
                world.tickets.entry(id).or_default().push((table, row));
            }
        }
        for option in it.simulator.rows("sc_item_option", "") {
            let value = option.get("value").cloned().unwrap_or_default();
            if Uuid::parse_str(&value).is_ok() {
                *world.orders.entry(value).or_default() += 1;
            }
        }
        for mut entry in it.simulator.rows("sys_journal_field", "") {
            let (record, text) = (entry.remove("element_id"), entry.remove("value"));
            let entries = world.journal.entry(record.unwrap_or_default()).or_default();
            entries.extend(text);
        }
        for delivery in it.receiver.heard() {
            if delivery.status < 300 {
                world.hear(&delivery.json()["data"]);
            }
        }
        Ok(world)
    }

    fn flags(&self) -> Vec<(String, String)> {
        let flag = |(id, it): (&String, &Request)| Some((id.clone(), it.attention.clone()?));
        self.requests.iter().filter_map(flag).collect()
    }

    fn hear(&mut self, news: &Value) {
        let text = |key: &str| news[key].as_str().unwrap_or_default().to_owned();
        let version = news["version"].as_i64().unwrap_or_default();
        let newest = self.told.entry(text("id")).or_default();
        if version >= newest.0 {
            *newest = (version, text("state"));
        }
    }
}

/// One request.
struct Comparison<'a> {
    world: &'a World,
    sent: &'a Sent,
    found: &'a mut Found,
}

impl Comparison<'_> {
    fn run(mut self) {
        let sent = self.sent;
        for refusal in &sent.refusals {
            self.differs(Kind::Lost, &format!("refused: {refusal}"));
        }
        let Some(id) = sent.id.clone() else {
            return self.differs(Kind::Lost, "never taken");
        };
        let Some(request) = self.world.requests.get(&id) else {
            return self.differs(Kind::Lost, "taken, but not in the database");
        };
        let end = sent.plan.fate.end();
        if request.state != end {
            let reason = request.reason.as_deref().unwrap_or("no reason");
            self.differs(
                Kind::WrongState,
                &format!(
                    "the request is {} ({reason}) and should be {end}",
                    request.state
                ),
            );
        }
        self.told(&id, request);
        self.tickets(&id);
    }

    fn told(&mut self, id: &str, request: &Request) {
        let told = self.world.told.get(id);
        let newest = (request.version, request.state.to_string());
        if told != Some(&newest) {
            self.differs(
                Kind::Untold,
                &format!("{newest:?} was not told, but {told:?}"),
            );
        }
    }

    fn tickets(&mut self, id: &str) {
        let none = Vec::new();
        let tickets = self.world.tickets.get(id).unwrap_or(&none);
        let orders = self.world.orders.get(id).copied().unwrap_or_default();
        if tickets.len() > 1 || orders > 1 {
            self.differs(
                Kind::Duplicate,
                &format!("{} tickets, {orders} orders", tickets.len()),
            );
        }
        let Some((table, ticket)) = tickets.first() else {
            if self.sent.plan.fate != Fate::Withdrawn || orders > 0 {
                self.differs(Kind::Lost, &format!("no ticket, {orders} orders"));
            }
            return;
        };
        let state = ticket.get("state").map_or("", String::as_str);
        if !stands_for(table, state, self.sent.plan.fate.end()) {
            let what = format!("the {table} is in state {state}");
            self.differs(Kind::WrongState, &what);
        }
        self.journal(&ticket["sys_id"]);
    }

    fn journal(&mut self, record: &str) {
        let none = Vec::new();
        let entries = self.world.journal.get(record).unwrap_or(&none);
        for comment in self.sent.plan.comments() {
            let times = entries.iter().filter(|it| it.contains(comment)).count();
            self.found.entries += times;
            match times {
                0 => self.differs(Kind::Lost, &format!("`{comment}` is not in the journal")),
                1 => {}
                _ => self.differs(
                    Kind::JournalDouble,
                    &format!("`{comment}` stands there {times} times"),
                ),
            }
        }
    }

    fn differs(&mut self, kind: Kind, what: &str) {
        let id = self.sent.id.clone();
        self.found.differences.push(Difference {
            kind,
            id: id.unwrap_or_else(|| self.sent.plan.external_id.clone()),
            what: format!(
                "{} ({}, {:?}): {what}",
                self.sent.plan.external_id, self.sent.plan.category, self.sent.plan.fate
            ),
        });
    }
}

/// Whether a closed ticket says what became of its request.
fn stands_for(table: &str, state: &str, end: RequestState) -> bool {
    let wanted: &[&str] = match (table, end) {
        ("incident", RequestState::Fulfilled) => &["6", "7"],
        ("incident", _) => &["8"],
        (_, RequestState::Fulfilled) => &["3"],
        (_, RequestState::Denied) => &["4"],
        _ => &["7"],
    };
    wanted.contains(&state)
}
