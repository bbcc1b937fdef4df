//! The life of requests, their items and tasks (wire contract 3.4, 3.5, 3.8): what an approval
//! does, and how closing rolls up from the tasks to the item and from the items to the request.

use super::Draft;
use crate::refusal::Refusal;
use crate::world::{Act, Change, Fields, Operation, World};

const CANCELLED_STAGE: &str = "Request Cancelled";

/// Keeps approval, state and stage of a request or of its item in step.
pub(super) fn before(draft: &mut Draft<'_>) {
    if !matches!(draft.class, "sc_request" | "sc_req_item") {
        return;
    }
    if draft.changes("approval") && draft.new.get("approval") == "rejected" {
        draft.new.set("state", "4");
        draft.new.set("stage", CANCELLED_STAGE);
        if draft.class == "sc_request" {
            draft.new.set("request_state", "closed_rejected");
        }
    }
    let item_waits = draft.new.get("stage") == "waiting_for_approval";
    if draft.new.get("approval") == "approved" && item_waits {
        draft.new.set("stage", "fulfillment");
    }
    if draft.changes("state") && !draft.changes("stage") && draft.class == "sc_req_item" {
        match draft.new.get("state") {
            "3" => draft.new.set("stage", "completed"),
            "4" | "7" => draft.new.set("stage", CANCELLED_STAGE),
            _ => {}
        }
    }
}

impl World {
    /// What a committed change of a task, item, request or approval does to the rows around it.
    pub(super) fn roll_up(&mut self, act: &Act<'_>, change: &Change) {
        if change.operation == Operation::Delete {
            return;
        }
        let touches = |column: &str| change.columns.iter().any(|changed| changed == column);
        let done = match change.table.as_str() {
            "sc_task" if touches("state") => self.roll_item(act, change.fields.get("request_item")),
            "sc_req_item" if touches("state") => self.item_moved(act, &change.fields),
            "sc_request" if touches("approval") => self.request_decided(act, &change.fields),
            "sysapproval_approver" if touches("state") => self.decided(act, &change.fields),
            _ => Ok(()),
        };
        if let Err(refusal) = done {
            tracing::debug!(?refusal, table = %change.table, "a roll-up was refused");
        }
    }

    /// All tasks closed: the item closes like them.
    fn roll_item(&mut self, act: &Act<'_>, item: &str) -> Result<(), Refusal> {
        let open = self
            .fields("sc_req_item", item)
            .is_some_and(|item| item.is_true("active"));
        let tasks = self.all_with("sc_task", "request_item", item);
        let Some(state) = outcome(tasks).filter(|_| open && !item.is_empty()) else {
            return Ok(());
        };
        self.change(act, "sc_req_item", item, &[("state", state)])?;
        Ok(())
    }

    /// An item that closed without success takes its open tasks along; then the request follows.
    fn item_moved(&mut self, act: &Act<'_>, item: &Fields) -> Result<(), Refusal> {
        if item.is_true("active") {
            return Ok(());
        }
        if item.get("state") != "3" {
            let tasks = self.all_with("sc_task", "request_item", item.sys_id());
            let open: Vec<String> = tasks
                .filter(|task| task.is_true("active"))
                .map(|task| task.sys_id().to_owned())
                .collect();
            for task in open {
                self.change(act, "sc_task", &task, &[("state", "4")])?;
            }
        }
        self.roll_request(act, item.get("request"))
    }

    /// All items closed: the request closes like them.
    fn roll_request(&mut self, act: &Act<'_>, request: &str) -> Result<(), Refusal> {
        let open = self
            .fields("sc_request", request)
            .is_some_and(|request| request.is_true("active"));
        let items: Vec<&Fields> = self.all_with("sc_req_item", "request", request).collect();
        let Some(state) = outcome(items.iter().copied()).filter(|_| open && !request.is_empty())
        else {
            return Ok(());
        };
        let all_rejected = items.iter().all(|item| item.get("approval") == "rejected");
        let (closing, last_stage) = match state {
            _ if all_rejected => ("closed_rejected", CANCELLED_STAGE),
            "3" => ("closed_complete", "closed_complete"),
            "7" => ("closed_skipped", "closed_incomplete"),
            _ => ("closed_incomplete", "closed_incomplete"),
        };
        let values = [
            ("state", state),
            ("request_state", closing),
            ("stage", last_stage),
        ];
        self.change(act, "sc_request", request, &values)?;
        Ok(())
    }

    /// A rejected request rejects its open items.
    fn request_decided(&mut self, act: &Act<'_>, request: &Fields) -> Result<(), Refusal> {
        if request.get("approval") != "rejected" {
            return Ok(());
        }
        let items = self.all_with("sc_req_item", "request", request.sys_id());
        let open: Vec<String> = items
            .filter(|item| item.is_true("active"))
            .map(|item| item.sys_id().to_owned())
            .collect();
        for item in open {
            self.change(act, "sc_req_item", &item, &[("approval", "rejected")])?;
        }
        Ok(())
    }

    /// One rejection rejects the task; it is approved when nobody else is asked any more.
    fn decided(&mut self, act: &Act<'_>, approval: &Fields) -> Result<(), Refusal> {
        let task = approval.get("sysapproval");
        let Some(class) = self
            .fields("task", task)
            .map(|row| row.class_or("task").to_owned())
        else {
            return Ok(());
        };
        let all = self.all_with("sysapproval_approver", "sysapproval", task);
        let still_asked = all.filter(|row| row.get("state") == "requested").count() > 0;
        let verdict = match approval.get("state") {
            "rejected" => "rejected",
            "approved" if !still_asked => "approved",
            _ => return Ok(()),
        };
        self.change(act, &class, task, &[("approval", verdict)])?;
        Ok(())
    }
}

/// How closed parts close their whole: none while one is open or when there are none.
fn outcome<'f>(parts: impl Iterator<Item = &'f Fields>) -> Option<&'static str> {
    let states: Vec<&str> = parts.map(|part| part.get("state")).collect();
    let closed = states.iter().all(|state| matches!(*state, "3" | "4" | "7"));
    if states.is_empty() || !closed {
        return None;
    }
    if states.contains(&"4") {
        Some("4")
    } else if states.iter().all(|state| *state == "7") {
        Some("7")
    } else {
        Some("3")
    }
}
