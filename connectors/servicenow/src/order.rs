//! Ordering a catalog item (wire contract 4.2). It has no idempotency key: calling it twice makes two orders.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::call::Call;
use crate::catalog::{Catalog, item_path};
use crate::decode::wrong_shape;
use crate::error::Error;
use crate::fields::Fields;
use crate::meta::Reply;
use crate::names::check_id;
use crate::params::Params;
use crate::table::json_bytes;

/// What to order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub quantity: u32,
    /// The sys_id of the person it is for; the calling account when absent.
    pub requested_for: Option<String>,
    /// Variable name → value. Unknown names are ignored by the instance. To find the order again after a lost
    /// answer, one of them should carry a unique token ([`Catalog::find_orders_by_variable`]).
    pub variables: Fields,
}

/// The request (`sc_request`) that an order made. Its items are found with [`Catalog::items_of_request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    pub request_sys_id: String,
    pub request_number: String,
}

#[derive(Deserialize)]
struct Answered {
    request_id: Option<String>,
    sys_id: Option<String>,
    request_number: Option<String>,
    number: Option<String>,
}

impl Catalog {
    /// Orders an item: POST `/items/{id}/order_now`.
    pub async fn order_now(&self, item_id: &str, order: &Order) -> Result<Reply<Ordered>, Error> {
        let mut body = json!({
            "sysparm_quantity": order.quantity.to_string(),
            "variables": order.variables,
        });
        if let Some(person) = &order.requested_for {
            check_id(person)?;
            body["sysparm_requested_for"] = person.as_str().into();
        }
        let path = item_path(item_id, "/order_now")?;
        let call = Call::write(Method::POST, path, Params::default(), json_bytes(&body))?;
        let answer = self.client().answer(&call).await?;
        let reply: Reply<Answered> = self.client().decoded(&answer)?;
        let ordered = ordered(&reply.value)
            .ok_or_else(|| wrong_shape(&answer, "the answer does not name the request"))?;
        Ok(reply.map(|_| ordered))
    }
}

fn ordered(answered: &Answered) -> Option<Ordered> {
    let first = |one: &Option<String>, other: &Option<String>| {
        [one, other]
            .into_iter()
            .flatten()
            .find(|text| !text.is_empty())
            .cloned()
    };
    Some(Ordered {
        request_sys_id: first(&answered.request_id, &answered.sys_id)?,
        request_number: first(&answered.request_number, &answered.number)?,
    })
}
