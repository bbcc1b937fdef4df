//! The Service Catalog API: what an item asks for (wire contract 4.1). Real booleans, numbers and nulls come here.

use serde_json::Value;

use crate::call::Call;
use crate::client::Client;
use crate::decode::wrong_shape;
use crate::error::Error;
use crate::list::ListRequest;
use crate::meta::Reply;
use crate::names::check_id;
use crate::params::Params;
use crate::query::Query;
use crate::query_error::QueryError;
use crate::record::Record;

/// Variables that only lay out a form and carry no value.
const LAYOUT_TYPES: [u64; 9] = [11, 12, 14, 15, 17, 19, 20, 24, 32];
/// One order of the bridge has one item; a cart of a person may have many.
const MAX_ITEMS_PER_REQUEST: u32 = 200;

/// The Service Catalog of an instance.
#[derive(Debug, Clone)]
pub struct Catalog {
    client: Client,
}

/// An item that can be ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogItem {
    pub sys_id: String,
    pub name: String,
    /// `catalog_item`, `record_producer`, `order_guide`…; only the first can be ordered with `order_now`.
    pub item_type: String,
    /// All variables that carry a value; those inside containers are included.
    pub variables: Vec<Variable>,
}

/// A question of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub label: String,
    /// The number of wire contract 4.1; `None` when it is not a number.
    pub kind: Option<u64>,
    pub mandatory: bool,
    pub read_only: bool,
    pub default: String,
    /// Values that may be chosen; empty when the variable is free.
    pub choices: Vec<String>,
}

impl Catalog {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Reads an item and its variables. A bad or forbidden id is answered with 400: [`Error::Invalid`].
    pub async fn item(&self, id: &str) -> Result<Reply<CatalogItem>, Error> {
        let call = Call::get(item_path(id, "")?, Params::default())?;
        let answer = self.client.answer(&call).await?;
        let reply: Reply<Value> = self.client.decoded(&answer)?;
        let item = catalog_item(&reply.value)
            .ok_or_else(|| wrong_shape(&answer, "the item has no sys_id"))?;
        Ok(reply.map(|_| item))
    }

    /// The `sc_req_item` rows of one `sc_request`. Right after an order they may not be visible yet.
    pub async fn items_of_request(
        &self,
        request_sys_id: &str,
    ) -> Result<Reply<Vec<Record>>, Error> {
        check_id(request_sys_id)?;
        let query = Query::new()
            .eq("request", request_sys_id)?
            .order_by("sys_id")?;
        let fields = [
            "sys_id",
            "number",
            "request",
            "request.number",
            "cat_item",
            "state",
            "stage",
            "approval",
            "active",
            "close_notes",
            "correlation_id",
            "sys_class_name",
            "sys_mod_count",
            "sys_created_on",
            "sys_updated_on",
            "sys_updated_by",
        ];
        let list = ListRequest::new(query.clone(), fields).limit(MAX_ITEMS_PER_REQUEST);
        let reply = self.client.table("sc_req_item").list(&list).await?;
        for row in &reply.value.rows {
            query
                .verify(row)
                .map_err(|mismatch| crate::changes::untrustworthy(&reply.meta, mismatch.into()))?;
        }
        Ok(reply.map(|page| page.rows))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }
}

pub(crate) fn item_path(id: &str, action: &str) -> Result<String, QueryError> {
    check_id(id)?;
    Ok(format!("/api/sn_sc/servicecatalog/items/{id}{action}"))
}

fn catalog_item(item: &Value) -> Option<CatalogItem> {
    let mut variables = Vec::new();
    collect_variables(item.get("variables"), &mut variables);
    Some(CatalogItem {
        sys_id: text(item, "sys_id").filter(|id| !id.is_empty())?,
        name: text(item, "name").unwrap_or_default(),
        item_type: text(item, "type").unwrap_or_default(),
        variables,
    })
}

fn collect_variables(list: Option<&Value>, found: &mut Vec<Variable>) {
    for json in list.and_then(Value::as_array).into_iter().flatten() {
        let kind = text(json, "type").and_then(|kind| kind.parse().ok());
        let is_layout = kind.is_some_and(|kind| LAYOUT_TYPES.contains(&kind));
        let name = text(json, "name").filter(|name| !name.is_empty());
        if let Some(name) = name.filter(|_| !is_layout) {
            found.push(variable(json, name, kind));
        }
        collect_variables(json.get("children"), found);
    }
}

fn variable(json: &Value, name: String, kind: Option<u64>) -> Variable {
    let flag = |key: &str| text(json, key).is_some_and(|value| value == "true");
    let choices = json.get("choices").and_then(Value::as_array);
    Variable {
        name,
        label: text(json, "label").unwrap_or_default(),
        kind,
        mandatory: flag("mandatory"),
        read_only: flag("read_only"),
        default: text(json, "value").unwrap_or_default(),
        choices: choices
            .into_iter()
            .flatten()
            .filter_map(|choice| text(choice, "value"))
            .collect(),
    }
}

/// Text, or a number or boolean as text.
fn text(json: &Value, key: &str) -> Option<String> {
    match json.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_through_containers() {
        let json: Value = serde_json::from_str(
            r#"{"sys_id":"i1","name":"Access to an application","type":"catalog_item","short_description":null,
                "variables":[
                  {"name":"access_role","label":"Role","type":5,"mandatory":true,"read_only":false,"value":"",
                   "choices":[{"label":"Reader","value":"reader","index":0},{"label":"Editor","value":"editor","index":1}]},
                  {"name":"box","type":19,"mandatory":false,"children":[
                     {"name":"justification","label":"Why","type":"2","mandatory":"true","value":null}]},
                  {"name":"line","type":12}]}"#,
        )
        .unwrap();
        insta::assert_debug_snapshot!(catalog_item(&json).unwrap());
    }

    #[test]
    fn an_item_without_an_id_is_none() {
        assert_eq!(catalog_item(&serde_json::json!({"name": "x"})), None);
    }
}
