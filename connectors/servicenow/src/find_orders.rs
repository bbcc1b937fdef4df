//! Finding an order again by the token it carries, after an answer was lost (wire contract 3.8 and 12.4).

use crate::catalog::Catalog;
use crate::changes::untrustworthy;
use crate::error::Error;
use crate::kinds::UntrustworthyReason;
use crate::list::ListRequest;
use crate::meta::Reply;
use crate::query::Query;
use crate::record::Record;

/// More orders than this with one token would be a fault of their own.
const MAX_FOUND: u32 = 50;

/// An order that carries the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundOrder {
    pub request_sys_id: String,
    pub request_number: Option<String>,
    /// The `sc_req_item`; `None` when the order was found by its instructions.
    pub item_sys_id: Option<String>,
}

impl Catalog {
    /// Orders in which the variable has exactly this value, found through `sc_item_option_mtom`. An empty result is
    /// no proof: the account may lack read access to the variables.
    pub async fn find_orders_by_variable(
        &self,
        variable: &str,
        token: &str,
    ) -> Result<Reply<Vec<FoundOrder>>, Error> {
        let query = Query::new()
            .eq("sc_item_option.item_option_new.name", variable)?
            .eq("sc_item_option.value", token)?;
        let fields = [
            "request_item",
            "request_item.request",
            "request_item.request.number",
            "sc_item_option.item_option_new.name",
            "sc_item_option.value",
        ];
        self.found("sc_item_option_mtom", query, fields, |row| {
            Some(FoundOrder {
                request_sys_id: filled(row, "request_item.request")?,
                request_number: filled(row, "request_item.request.number"),
                item_sys_id: filled(row, "request_item"),
            })
        })
        .await
    }

    /// Requests whose `special_instructions` contain the token.
    pub async fn find_orders_by_instructions(
        &self,
        token: &str,
    ) -> Result<Reply<Vec<FoundOrder>>, Error> {
        let query = Query::new().like("special_instructions", token)?;
        let fields = ["sys_id", "number", "special_instructions"];
        self.found("sc_request", query, fields, |row| {
            Some(FoundOrder {
                request_sys_id: filled(row, "sys_id")?,
                request_number: filled(row, "number"),
                item_sys_id: None,
            })
        })
        .await
    }

    async fn found<const N: usize>(
        &self,
        table: &str,
        query: Query,
        fields: [&str; N],
        read: fn(&Record) -> Option<FoundOrder>,
    ) -> Result<Reply<Vec<FoundOrder>>, Error> {
        let list = ListRequest::new(query.clone(), fields).limit(MAX_FOUND);
        let reply = self.client().table(table).list(&list).await?;
        let doubt = |reason| untrustworthy(&reply.meta, reason);
        if reply
            .value
            .total
            .is_some_and(|total| total > u64::from(MAX_FOUND))
        {
            return Err(doubt(UntrustworthyReason::TooManyRows));
        }
        let mut orders: Vec<FoundOrder> = Vec::new();
        for row in &reply.value.rows {
            query
                .verify(row)
                .map_err(|mismatch| doubt(mismatch.into()))?;
            let order = read(row).ok_or_else(|| {
                doubt(UntrustworthyReason::MissingColumn {
                    field: "request".to_owned(),
                })
            })?;
            if !orders.contains(&order) {
                orders.push(order);
            }
        }
        Ok(Reply {
            value: orders,
            meta: reply.meta,
        })
    }
}

fn filled(row: &Record, field: &str) -> Option<String> {
    row.get(field)
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
}
