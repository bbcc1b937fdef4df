//! The token inside an order, and the search for it (wire contract 12.4).

use servicenow_client::{Fields, FoundOrder};

use super::super::super::case::Case;
use crate::effects::Subject;
use crate::outcome::Ran;
use crate::run::Run;

/// The standing field of an order that is searched in another way than variables.
const INSTRUCTIONS: &str = "special_instructions";

/// A variable that holds our key.
pub(super) struct Token {
    variable: String,
    value: String,
    key: String,
}

/// An order that carries the token.
pub(super) struct Found {
    pub(super) sys_id: String,
    pub(super) number: Option<String>,
    /// All their numbers, when the token is there more than once.
    pub(super) doubles: Option<String>,
}

/// The variable of the route that carries the key, if there is one.
pub(super) fn of(variables: &Fields, correlation_id: &str) -> Option<Token> {
    let (variable, value) = variables
        .iter()
        .find(|(_, value)| value.contains(correlation_id))?;
    Some(Token {
        variable: variable.to_owned(),
        value: value.to_owned(),
        key: correlation_id.to_owned(),
    })
}

/// The order that carries the token; the oldest, when several do.
pub(super) async fn search(run: &Run<'_>, case: &Case<'_>, token: &Token) -> Ran<Option<Found>> {
    let catalog = case.seat.client.catalog();
    let reply = if token.variable == INSTRUCTIONS {
        run.read(catalog.find_orders_by_instructions(&token.key))
            .await
    } else {
        run.read(catalog.find_orders_by_variable(&token.variable, &token.value))
            .await
    };
    let mut orders = reply
        .map_err(|error| case.ended(run, &error, Subject::default()))?
        .value;
    // Numbers are handed out in order.
    orders.sort_by(|one, other| one.request_number.cmp(&other.request_number));
    orders.dedup_by(|one, other| one.request_sys_id == other.request_sys_id);
    let doubles = (orders.len() > 1).then(|| numbers(&orders));
    Ok(orders.into_iter().next().map(|order| Found {
        sys_id: order.request_sys_id,
        number: order.request_number,
        doubles,
    }))
}

fn numbers(orders: &[FoundOrder]) -> String {
    let numbers = orders
        .iter()
        .map(|it| it.request_number.as_deref().unwrap_or(&it.request_sys_id));
    numbers.collect::<Vec<_>>().join(", ")
}
