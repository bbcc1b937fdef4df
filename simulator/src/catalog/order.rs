//! `order_now`, and the body it shares with `add_to_cart` (wire contract 4.2).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::place::{self, Line, Order};
use super::{bad, items, questions};
use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::world::{Act, World};

/// What a client sends to order an item.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    sysparm_quantity: Value,
    sysparm_requested_for: Option<String>,
    sysparm_also_request_for: Option<String>,
    special_instructions: Option<String>,
    variables: BTreeMap<String, Value>,
}

/// A type of variable that names the people an item is for.
const REQUESTED_FOR: &str = "31";
/// Most people one call may order for.
const MOST_PEOPLE: usize = 50;

/// Places an order of one item; every call is a new order.
pub(super) fn answer(api: &mut Api<'_>, item: &str) -> Result<Answer, Refusal> {
    let wish = Wish::read(&api.call.body)?;
    let engine = api.actor.as_engine();
    let act = Act {
        actor: &engine,
        ..api.act()
    };
    let line = wish.line(api.world, &api.act(), item)?;
    let order = Order {
        requested_for: line.people.first().cloned().unwrap_or_default(),
        special_instructions: wish.special_instructions.unwrap_or_default(),
        delivery_address: String::new(),
        lines: vec![line],
    };
    let placed = place::place(api.world, &act, &order)?;
    let result = json!({
        "sys_id": placed.sys_id, "number": placed.number, "request_number": placed.number,
        "request_id": placed.sys_id, "parent_id": null, "parent_table": "task", "table": "sc_request",
    });
    Ok(Answer::result(200, &result))
}

impl Wish {
    /// # Errors
    /// 400 (E11) for what is no such object.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body)
            .map_err(|_| Refusal::BadBody("The payload is not valid JSON.".to_owned()))
    }

    /// The wish as an order line, checked.
    ///
    /// # Errors
    /// The documented causes of 400; nothing is ordered then.
    pub(super) fn line(&self, world: &World, act: &Act<'_>, item: &str) -> Result<Line, Refusal> {
        if !items::can_order(world, act, item) {
            return Err(bad("Security constraints prevent ordering of Item"));
        }
        let quantity = self
            .quantity()
            .ok_or_else(|| bad("Invalid quantity value"))?;
        let answers = self.answers();
        if questions::misses_mandatory(world, item, &answers) {
            return Err(bad("Mandatory Variables are required"));
        }
        Ok(Line {
            item: item.to_owned(),
            quantity,
            people: self.people(world, act, item)?,
            answers,
        })
    }

    /// A whole number from 1 on, as text or as a number.
    fn quantity(&self) -> Option<u32> {
        let quantity = match &self.sysparm_quantity {
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number
                .as_u64()
                .and_then(|number| u32::try_from(number).ok()),
            _ => None,
        };
        quantity.filter(|quantity| *quantity > 0)
    }

    fn answers(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let pairs = self.variables.iter();
        pairs
            .map(|(name, value)| (name.clone(), text(value)))
            .collect()
    }

    /// Whom the item is for: the caller, somebody else, or several people, all or nobody.
    fn people(&self, world: &World, act: &Act<'_>, item: &str) -> Result<Vec<String>, Refusal> {
        let first = self.sysparm_requested_for.as_deref().map(str::trim);
        let first = first.filter(|id| !id.is_empty()).unwrap_or(&act.actor.id);
        let others = self.sysparm_also_request_for.as_deref().unwrap_or_default();
        let others: Vec<&str> = others
            .split(',')
            .map(str::trim)
            .filter(|id| !id.is_empty())
            .collect();
        let for_many = questions::of(world, item)
            .iter()
            .any(|question| question.get("type") == REQUESTED_FOR);
        if !others.is_empty() && (!for_many || others.len() > MOST_PEOPLE) {
            return Err(bad("Invalid value for sysparm_also_request_for"));
        }
        let mut people: Vec<String> = Vec::new();
        for id in std::iter::once(first).chain(others) {
            if !world
                .fields("sys_user", id)
                .is_some_and(|user| user.is_true("active"))
            {
                return Err(bad("Invalid requested for user"));
            }
            if !people.iter().any(|known| known == id) {
                people.push(id.to_owned());
            }
        }
        Ok(people)
    }
}
