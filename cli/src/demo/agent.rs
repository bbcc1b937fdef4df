//! The fulfilment team: works each ticket to an end that follows from the seed.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use shared::process::Process;
use simulator::{AgentAction, RowMap};
use tokio_util::sync::CancellationToken;

use super::stage::{Stage, TABLES};

/// People of the simulated instance who work tickets.
const AGENTS: [&str; 2] = ["nina.agent", "tomas.agent"];
/// One step for each ticket that waits, this often.
const BEAT: Duration = Duration::from_millis(300);

/// Starts the agent as a task of the process.
pub(super) fn start(stage: &Arc<Stage>, seed: u64, process: &mut Process) {
    process.supervise("agent", run(Arc::clone(stage), seed, process.stop_token()));
}

async fn run(stage: Arc<Stage>, seed: u64, stop: CancellationToken) -> anyhow::Result<()> {
    let mut beat = tokio::time::interval(BEAT);
    let mut taken = HashMap::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = beat.tick() => {}
        }
        for table in TABLES {
            for ticket in stage.simulator.rows(
                table,
                &format!("active=true^correlation_display={}", stage.bridge_name),
            ) {
                work(&stage, seed, table, &ticket, &mut taken);
            }
        }
    }
}

/// Does the next step on one ticket. A step the instance refuses is left, as a person would: the ticket has moved on.
fn work(
    stage: &Stage,
    seed: u64,
    table: &str,
    ticket: &RowMap,
    taken: &mut HashMap<String, usize>,
) {
    let text = |column: &str| ticket.get(column).map_or("", String::as_str);
    // A badge is the identity side's own business: its route lets the source decide.
    if text("short_description").starts_with("Badge") {
        return;
    }
    let number = text("number");
    let luck = luck(seed, number);
    let steps = script(luck, table);
    let step = taken.entry(number.to_owned()).or_insert(0);
    if let Some(action) = steps.get(*step) {
        let agent = AGENTS[usize::from(luck) % AGENTS.len()];
        if let Err(refusal) = stage.simulator.agent(agent, number, action) {
            tracing::debug!(%refusal, number, "the agent leaves a ticket alone");
        }
        *step += 1;
    }
}

fn luck(seed: u64, number: &str) -> u8 {
    let mut hasher = DefaultHasher::new();
    (seed, number).hash(&mut hasher);
    u8::try_from(hasher.finish() % 20).unwrap_or_default()
}

fn script(luck: u8, table: &str) -> Vec<AgentAction> {
    let agent = AGENTS[usize::from(luck) % AGENTS.len()];
    let assign = AgentAction::Assign {
        to: Some(agent.to_owned()),
        group: None,
    };
    let resolve = AgentAction::Resolve {
        code: None,
        notes: Some("Access is set up.".to_owned()),
    };
    match luck {
        0..=10 => vec![assign, resolve],
        11..=12 => {
            let comment = AgentAction::Comment {
                text: "Which cost centre pays for it?".to_owned(),
            };
            vec![assign, comment, resolve]
        }
        13..=14 => {
            let hold = AgentAction::Hold {
                reason: Some("4".to_owned()),
                comment: Some("Waiting for a licence.".to_owned()),
            };
            vec![assign, hold, AgentAction::Resume, resolve]
        }
        15..=16 => vec![AgentAction::Reject {
            comment: Some("The data owner says no.".to_owned()),
        }],
        17 => vec![AgentAction::Cancel {
            notes: Some("Asked for twice.".to_owned()),
        }],
        // It cannot be done: incidents say so with their resolution code.
        _ if table == "incident" => {
            let code = Some("No resolution provided".to_owned());
            vec![
                assign,
                AgentAction::Resolve {
                    code,
                    notes: Some("The application is being retired.".to_owned()),
                },
            ]
        }
        _ => vec![
            assign,
            AgentAction::Cancel {
                notes: Some("The application is being retired.".to_owned()),
            },
        ],
    }
}
