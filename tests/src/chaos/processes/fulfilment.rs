//! The people who work on tickets in the simulated instance, step by step, as the plan of each request says.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use simulator::{AgentAction, RowMap};
use tokio::time::{MissedTickBehavior, interval};

use super::agent::Agent;
use super::installation::Installation;
use super::plan::Fate;

/// Tables in which the routes make tickets.
pub(super) const TABLES: [&str; 3] = ["incident", "sc_task", "sc_req_item"];
/// One step for each ticket that waits, this often.
const BEAT: Duration = Duration::from_secs(2);

/// Starts the work.
pub(super) fn start(it: &Arc<Installation>) -> Agent {
    let it = Arc::clone(it);
    Agent::start(|stop| async move {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut steps = HashMap::new();
        while stop.run_until_cancelled(beat.tick()).await.is_some() {
            round(&it, &mut steps);
        }
    })
}

fn round(it: &Installation, steps: &mut HashMap<String, usize>) {
    for table in TABLES {
        let query = "active=true^correlation_display=TicketBridge";
        for ticket in it.simulator.rows(table, query) {
            work(it, &ticket, steps);
        }
    }
}

/// The next step on one ticket. One that the instance refuses is tried again in the next round.
fn work(it: &Installation, ticket: &RowMap, steps: &mut HashMap<String, usize>) {
    let text = |column: &str| ticket.get(column).map_or("", String::as_str);
    let (id, number) = (text("correlation_id"), text("number"));
    let Some(fate) = it.fate_of(id) else {
        return;
    };
    let step = steps.entry(number.to_owned()).or_default();
    if let Some(action) = actions(fate).get(*step)
        && it.simulator.agent("nina.agent", number, action).is_ok()
    {
        *step += 1;
    }
}

fn actions(fate: Fate) -> Vec<AgentAction> {
    let assign = AgentAction::Assign {
        to: Some("nina.agent".to_owned()),
        group: None,
    };
    let resolve = AgentAction::Resolve {
        code: None,
        notes: Some("Access is set up.".to_owned()),
    };
    match fate {
        Fate::Resolved => vec![assign, resolve],
        Fate::Discussed => {
            let text = "Which cost centre pays for it?".to_owned();
            vec![assign, AgentAction::Comment { text }, resolve]
        }
        Fate::Held => {
            let hold = AgentAction::Hold {
                reason: Some("4".to_owned()),
                comment: Some("Waiting for a licence.".to_owned()),
            };
            vec![assign, hold, AgentAction::Resume, resolve]
        }
        Fate::Rejected => vec![AgentAction::Reject {
            comment: Some("The data owner says no.".to_owned()),
        }],
        Fate::Withdrawn | Fate::Done | Fate::Denied => Vec::new(),
    }
}
