//! What people in the fulfilment teams do to a ticket, as the tests and the demo play them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Act, Input, World};
use crate::refusal::Refusal;

/// One action on a ticket. What it means in values depends on the ticket's class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum AgentAction {
    /// To a person by user name, a group by name, or both.
    Assign {
        #[serde(default)]
        to: Option<String>,
        #[serde(default)]
        group: Option<String>,
    },
    /// Visible to the requester.
    Comment {
        text: String,
    },
    /// Internal.
    WorkNote {
        text: String,
    },
    /// On hold; incidents take a reason (1 = Awaiting Caller, the default).
    Hold {
        #[serde(default)]
        reason: Option<String>,
        #[serde(default)]
        comment: Option<String>,
    },
    Resume,
    /// Done: an incident is resolved, other tasks close complete.
    Resolve {
        #[serde(default)]
        code: Option<String>,
        #[serde(default)]
        notes: Option<String>,
    },
    Close {
        #[serde(default)]
        notes: Option<String>,
    },
    Cancel {
        #[serde(default)]
        notes: Option<String>,
    },
    Reject {
        #[serde(default)]
        comment: Option<String>,
    },
    Approve,
}

type Values = Vec<(&'static str, String)>;

impl World {
    /// The table and sys_id of a task by number or sys_id.
    pub(crate) fn ticket(&self, ticket: &str) -> Option<(String, String)> {
        let fields = self
            .find("task", "sys_id", ticket)
            .or_else(|| self.find("task", "number", ticket))?;
        Some((
            fields.class_or("task").to_owned(),
            fields.sys_id().to_owned(),
        ))
    }

    /// Does one action as the act's actor, through the same pipeline as the REST API.
    ///
    /// # Errors
    /// No such ticket, person or group, or the pipeline's own refusals.
    pub(crate) fn agent(
        &mut self,
        act: &Act<'_>,
        ticket: &str,
        action: &AgentAction,
    ) -> Result<(), Refusal> {
        let (table, sys_id) = self.ticket(ticket).ok_or(Refusal::NoRecord)?;
        let values = match action {
            AgentAction::Assign { to, group } => {
                self.assignment(to.as_deref(), group.as_deref())?
            }
            other => values(&table, other),
        };
        let given: BTreeMap<String, String> = values
            .into_iter()
            .map(|(column, value)| (column.to_owned(), value))
            .collect();
        self.update(act, &table, &sys_id, &given, Input::Raw)
            .map(drop)
    }

    fn assignment(&self, to: Option<&str>, group: Option<&str>) -> Result<Values, Refusal> {
        let key = |table: &str, column: &str, name: &str| {
            let row = self.find(table, column, name).ok_or(Refusal::NoRecord)?;
            Ok(row.sys_id().to_owned())
        };
        let mut values = Values::new();
        if let Some(group) = group {
            values.push(("assignment_group", key("sys_user_group", "name", group)?));
        }
        if let Some(to) = to {
            values.push(("assigned_to", key("sys_user", "user_name", to)?));
        }
        Ok(values)
    }
}

fn values(table: &str, action: &AgentAction) -> Values {
    let incident = table == "incident";
    let text =
        |text: &Option<String>, default: &str| text.clone().unwrap_or_else(|| default.to_owned());
    match action {
        AgentAction::Assign { .. } => Values::new(),
        AgentAction::Comment { text } => vec![("comments", text.clone())],
        AgentAction::WorkNote { text } => vec![("work_notes", text.clone())],
        AgentAction::Hold { reason, comment } if incident => {
            let hold = [
                ("state", "3".to_owned()),
                ("hold_reason", text(reason, "1")),
            ];
            let comment = comment.clone().map(|comment| ("comments", comment));
            hold.into_iter().chain(comment).collect()
        }
        AgentAction::Hold { comment, .. } => {
            let comment = comment.clone().map(|comment| ("comments", comment));
            [("state", "-5".to_owned())]
                .into_iter()
                .chain(comment)
                .collect()
        }
        AgentAction::Resume => vec![("state", "2".to_owned())],
        AgentAction::Resolve { code, notes } if incident => vec![
            ("state", "6".to_owned()),
            ("close_code", text(code, "Solution provided")),
            ("close_notes", text(notes, "Done.")),
        ],
        AgentAction::Close { notes } if incident => vec![
            ("state", "7".to_owned()),
            ("close_code", "Solution provided".to_owned()),
            ("close_notes", text(notes, "Done.")),
        ],
        AgentAction::Resolve { notes, .. } | AgentAction::Close { notes } => {
            closed(table, "3", "closed_complete", text(notes, "Done."))
        }
        AgentAction::Cancel { notes } if incident => vec![
            ("state", "8".to_owned()),
            ("close_notes", text(notes, "Not needed any more.")),
        ],
        AgentAction::Cancel { notes } => closed(
            table,
            "4",
            "closed_cancelled",
            text(notes, "Not needed any more."),
        ),
        AgentAction::Reject { comment } => rejected(table, text(comment, "Rejected.")),
        AgentAction::Approve => approved(table),
    }
}

fn closed(table: &str, state: &str, request_state: &str, notes: String) -> Values {
    let mut values = vec![("state", state.to_owned()), ("close_notes", notes)];
    if table == "sc_request" {
        values.push(("request_state", request_state.to_owned()));
    }
    values
}

/// A rejected ticket closes; the reason goes to the requester.
fn rejected(table: &str, comment: String) -> Values {
    let state = if table == "incident" { "8" } else { "4" };
    let mut values = closed(table, state, "closed_rejected", comment.clone());
    values.extend([("approval", "rejected".to_owned()), ("comments", comment)]);
    if matches!(table, "sc_req_item" | "sc_request") {
        values.push(("stage", "Request Cancelled".to_owned()));
    }
    values
}

fn approved(table: &str) -> Values {
    let mut values = vec![("approval", "approved".to_owned())];
    match table {
        "sc_req_item" => values.push(("stage", "fulfillment".to_owned())),
        "sc_request" => values.extend([
            ("stage", "request_approved".to_owned()),
            ("request_state", "in_process".to_owned()),
        ]),
        _ => {}
    }
    values
}
