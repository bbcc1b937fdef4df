//! Compares, request by request, what the source was promised with what is true: in the tables of the instance, in what the
//! source has heard, and in the audit trail.

use serde_json::Value;
use shared::request::{Request, RequestState};
use shared::route::Mastery;
use shared::state_map::{Mapped, Observed};
use shared::store::audit::{self, AuditRow};
use shared::store::{requests, tickets};
use shared::ticket::Ticket;
use simulator::RowMap;

use super::play::Asked;
use super::stage::TABLES;
use super::world::World;
use crate::receiver::Delivery;

/// Somebody closed the ticket, and the instance does not let it be opened again.
const REFUSED: &str = "Ticket not updated: the instance refuses";

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A ticket, a comment or a callback never came.
    Lost(String),
    /// A ticket too many.
    Duplicate(String),
    /// Bridge, instance and source do not tell the same story.
    WrongState(String),
    /// A comment stands in a journal twice.
    JournalDouble(String),
    /// Jobs go on and on.
    Restless,
    /// The run itself came to no end.
    Broken(String),
}

/// What is wrong.
pub async fn judge(world: &World<'_>, asked: &[Asked], orders_before: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut ordered = 0;
    for it in asked {
        let conn = world.ground.store.conn();
        let request = requests::find(conn, it.id)
            .await
            .expect("the database is there");
        let Some(request) = request else {
            findings.push(Finding::Lost(format!(
                "request {} of {}",
                it.id, it.category
            )));
            continue;
        };
        let ticket = tickets::of_request(conn, it.id).await;
        let ticket = ticket
            .expect("the database is there")
            .expect("a request has a ticket");
        let trail = audit::of_request(conn, it.id)
            .await
            .expect("the database is there");
        let case = Case {
            world,
            asked: it,
            rows: rows(world, it),
            request,
            ticket,
        };
        ordered += usize::from(it.category == "order" && case.ticket.exists);
        case.ticket(&mut findings);
        case.state(&mut findings);
        case.journal(&mut findings);
        case.callback(&mut findings);
        case.audit(&trail, &mut findings);
    }
    let orders = world.stage.main.rows("sc_request", "").len() - orders_before;
    if orders > ordered {
        findings.push(Finding::Duplicate(format!(
            "{orders} orders for {ordered} tickets"
        )));
    }
    findings
}

fn rows(world: &World<'_>, asked: &Asked) -> Vec<RowMap> {
    let key = format!("correlation_id={}", asked.id);
    TABLES
        .iter()
        .flat_map(|table| world.stage.main.rows(table, &key))
        .collect()
}

struct Case<'a> {
    world: &'a World<'a>,
    asked: &'a Asked,
    rows: Vec<RowMap>,
    request: Request,
    ticket: Ticket,
}

impl Case<'_> {
    fn told(&self, what: &str) -> String {
        let Request {
            id,
            state,
            reason,
            attention,
            ..
        } = &self.request;
        let row = self.rows.first().map(|row| row.get("state"));
        format!(
            "{what}: {} {id} is {state} ({reason:?}, {attention:?}), the source moved it to {:?}, the ticket shows {row:?}",
            self.asked.category, self.asked.moved
        )
    }

    /// One ticket, which the bridge knows; none only where the request ended before anything was sent.
    fn ticket(&self, findings: &mut Vec<Finding>) {
        match (self.rows.len(), self.ticket.exists) {
            (1, true) => {}
            (0, false) if self.request.state.is_final() && self.asked.moved.is_some() => {}
            (0 | 1, _) => findings.push(Finding::Lost(self.told("no ticket that both know"))),
            (count, _) => findings.push(Finding::Duplicate(self.told(&format!("{count} tickets")))),
        }
        let known = self.rows.first().and_then(|row| row.get("sys_id"));
        if self.rows.len() == 1 && known != self.ticket.sys_id.as_ref() {
            findings.push(Finding::WrongState(self.told("another ticket is linked")));
        }
    }

    fn state(&self, findings: &mut Vec<Finding>) {
        let [row] = self.rows.as_slice() else { return };
        let column = |name: &str| row.get(name).map(String::as_str).unwrap_or_default();
        let route = self.world.ground.routes.by_name(&self.request.route);
        let route = route.expect("the route is there");
        let shown = route.states.read(&Observed {
            state: column("state"),
            approval: column("approval"),
            close_code: column("close_code"),
        });
        let flagged = |words: &[&str]| {
            let text = self.request.attention.as_deref().unwrap_or_default();
            words.iter().any(|word| text.starts_with(word))
        };
        let state = self.request.state;
        // A stock table has one way to be closed without being done.
        let refused = |state| matches!(state, RequestState::Denied | RequestState::Cancelled);
        let same = match shown {
            Mapped::To(shown) => shown == state || (refused(shown) && refused(state)),
            Mapped::Unmapped { .. } => flagged(&["Unmapped value:"]),
        };
        let (agreed, said) = match route.mastery {
            Mastery::Servicenow => (
                same || flagged(&["Conflict:", "Reopened:"]),
                self.asked.moved,
            ),
            // Before the source has said anything, work on the ticket contradicts nobody.
            Mastery::Source => (
                same || flagged(&["Conflict:", REFUSED]) || self.asked.moved.is_none(),
                self.asked.moved.or(Some(RequestState::Open)),
            ),
        };
        let meddled = state.is_final() && self.asked.meddled;
        if !(agreed || meddled) {
            findings.push(Finding::WrongState(
                self.told("the ticket says something else"),
            ));
        }
        if said.is_some_and(|said| said != state) {
            findings.push(Finding::WrongState(
                self.told("the source has said something else"),
            ));
        }
        if self.request.attention.is_some()
            && !flagged(&[
                "Conflict:",
                "Reopened:",
                REFUSED,
                "The ticket has been open for",
            ])
        {
            findings.push(Finding::WrongState(self.told("it is flagged")));
        }
    }

    /// Every comment once, in the journal of the ticket.
    fn journal(&self, findings: &mut Vec<Finding>) {
        if self.rows.is_empty() {
            return;
        }
        for comment in &self.asked.comments {
            let found = self
                .world
                .stage
                .main
                .rows("sys_journal_field", &format!("valueLIKE{comment}"));
            match found.len() {
                1 => {}
                0 => findings.push(Finding::Lost(self.told(comment))),
                _ => findings.push(Finding::JournalDouble(self.told(comment))),
            }
        }
    }

    /// The newest version was heard.
    fn callback(&self, findings: &mut Vec<Finding>) {
        let heard = self.world.stage.receiver.heard();
        let id = self.request.id.to_string();
        let newest = heard
            .iter()
            .map(Delivery::json)
            .filter(|event| event["data"]["id"] == id.as_str())
            .max_by_key(|event| event["data"]["version"].as_i64());
        let version = |event: &Value| event["data"]["version"].as_i64();
        if newest.as_ref().and_then(version) != Some(self.request.version) {
            let heard = newest.map(|event| event["data"].clone());
            findings.push(Finding::Lost(
                self.told(&format!("callback, last heard {heard:?}")),
            ));
        }
    }

    /// The states of the trail follow each other without a gap, up to the present one.
    fn audit(&self, trail: &[AuditRow], findings: &mut Vec<Finding>) {
        let mut at: Option<&str> = None;
        for entry in trail {
            if entry.action == "ticket.conflict" && entry.detail.is_null() {
                continue;
            }
            if entry.from.as_deref() != at && entry.from.is_some() {
                findings.push(Finding::WrongState(
                    self.told(&format!("a gap in the trail at {entry:?}")),
                ));
            }
            at = entry.to.as_deref().or(at);
        }
        if at != Some(self.request.state.as_str()) {
            findings.push(Finding::WrongState(
                self.told(&format!("the trail ends at {at:?}")),
            ));
        }
    }
}
