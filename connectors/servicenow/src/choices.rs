//! Choice lists: which values a column may have (wire contract 3.9).
//!
//! An account without admin often reads only the labels of `sys_choice`, and is refused when it asks by table or column. So each row
//! must show the table and the column it was asked for; a list that does not is no list.

use crate::changes::{ChangesRequest, read_page, untrustworthy};
use crate::client::Client;
use crate::cursor::Cursor;
use crate::error::Error;
use crate::kinds::UntrustworthyReason;
use crate::meta::{CallMeta, Reply};
use crate::names::{check_field, check_table};
use crate::query::Query;
use crate::record::Record;

const TABLE: &str = "sys_choice";

/// The choice lists of an instance.
#[derive(Debug, Clone)]
pub struct Choices {
    client: Client,
}

/// One row of a choice list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The table whose list it is.
    pub table: String,
    /// The column.
    pub element: String,
    pub value: String,
    /// Empty when the account may not read labels.
    pub label: String,
    /// The language of the label, such as `en`.
    pub language: String,
    pub inactive: bool,
}

/// One page of choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChoicePage {
    pub choices: Vec<Choice>,
    /// Rows of this page that access rules hide, as far as the total tells.
    pub hidden: u64,
    /// The page after this one.
    pub next: Option<ChangesRequest>,
}

impl Choices {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The first page of the choices of these columns of these tables, active or not, in every language. Inherited lists stand under the
    /// parent, so name it too.
    pub fn request(tables: &[&str], elements: &[&str]) -> Result<ChangesRequest, Error> {
        for table in tables {
            check_table(table)?;
        }
        for element in elements {
            check_field(element)?;
        }
        let filters = Query::new()
            .in_list("name", tables)?
            .in_list("element", elements)?;
        let fields = ["value", "label", "language", "inactive"];
        Ok(ChangesRequest {
            fields: fields.map(str::to_owned).to_vec(),
            ..ChangesRequest::new(filters, Cursor::default())
        })
    }

    /// Reads one page. [`Error::Forbidden`] and [`Error::Untrustworthy`] mean that the account may not read choice lists.
    pub async fn page(&self, request: &ChangesRequest) -> Result<Reply<ChoicePage>, Error> {
        let reply = read_page(&self.client.table(TABLE), request).await?;
        let verdict = reply.value;
        let choices: Result<Vec<Choice>, Error> = verdict
            .rows
            .iter()
            .map(|row| choice(row, &reply.meta))
            .collect();
        let next = verdict.more.then(|| ChangesRequest {
            cursor: verdict.next.unwrap_or_else(|| request.cursor.clone()),
            offset: verdict.next_offset,
            ..request.clone()
        });
        Ok(Reply {
            value: ChoicePage {
                choices: choices?,
                hidden: verdict.hidden,
                next,
            },
            meta: reply.meta,
        })
    }
}

fn choice(row: &Record, meta: &CallMeta) -> Result<Choice, Error> {
    let text = |field: &str| row.get(field).map(str::to_owned);
    let needed = |field: &str| {
        text(field).ok_or_else(|| {
            let field = field.to_owned();
            untrustworthy(meta, UntrustworthyReason::MissingColumn { field })
        })
    };
    Ok(Choice {
        table: needed("name")?,
        element: needed("element")?,
        value: needed("value")?,
        label: text("label").unwrap_or_default(),
        language: text("language").unwrap_or_default(),
        // Without this column nobody could tell what is still on the list.
        inactive: needed("inactive")? == "true",
    })
}
