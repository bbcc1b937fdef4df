//! Playing the people of the fulfilment teams over HTTP.

use serde::Deserialize;
use serde_json::json;

use super::{bad, body};
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::sim::Sim;
use crate::world::agent::AgentAction;

/// `{"as":"nina.agent","ticket":"INC0010001","action":"resolve","notes":"Done."}`
#[derive(Deserialize)]
struct Order {
    /// User name of the acting person.
    #[serde(rename = "as", default = "nina")]
    agent: String,
    /// Number or sys_id.
    ticket: String,
    #[serde(flatten)]
    action: AgentAction,
}

fn nina() -> String {
    "nina.agent".to_owned()
}

/// Does one action and gives the ticket back as it then is.
pub(super) fn act(sim: &Sim, call: &Call) -> Result<Answer, Answer> {
    let order: Order = body(call)?;
    let done = sim.act_as(Some(&order.agent), |world, act| {
        world.agent(act, &order.ticket, &order.action)?;
        Ok(world
            .ticket(&order.ticket)
            .and_then(|(table, id)| world.fields(&table, &id).cloned()))
    });
    match done {
        Ok(fields) => Ok(Answer::json(200, &json!({"ticket": fields}))),
        Err(refusal) => Err(bad(&format!("refused: {refusal:?}"))),
    }
}
