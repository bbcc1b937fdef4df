//! Whether the account may read the choice lists of a table, and write to it.

use servicenow_client::{Choices, Client, Error, WriteAccess};
use shared::checkup::{Step, Verdict};
use shared::choices::{PARENT, STATE};

use super::servicenow::failed;
use super::{CheckedTable, GRANT, UNREADABLE};

const CHOICES: &str = "choices";
const WRITE: &str = "write";

/// Choice lists are needed by one comparison alone: whatever is wrong with them is a warning.
pub(super) async fn choices(part: &str, client: &Client, table: &str) -> Step {
    let tables: &[&str] = if table == PARENT {
        &[PARENT]
    } else {
        &[table, PARENT]
    };
    let page = match Choices::request(tables, &[STATE]) {
        Ok(request) => client.choices().page(&request).await,
        Err(error) => Err(error),
    };
    let warning = |found: String, fix: &str| Step::new(part, CHOICES, Verdict::Warning, found, fix);
    match page {
        Ok(reply) if reply.value.hidden > 0 => {
            let hidden = reply.value.hidden;
            warning(format!("{hidden} choices of {STATE} are hidden"), GRANT)
        }
        Ok(reply) if reply.value.choices.is_empty() => {
            warning(format!("no choice of {STATE} is visible"), GRANT)
        }
        Ok(_) => {
            let found = format!("the choices of {STATE} are visible");
            Step::new(part, CHOICES, Verdict::Good, found, "")
        }
        Err(Error::Forbidden { .. } | Error::Untrustworthy { .. }) => {
            warning(UNREADABLE.to_owned(), GRANT)
        }
        Err(error) => Step {
            verdict: Verdict::Warning,
            ..failed(part, CHOICES, &error)
        },
    }
}

/// A right to write cannot be proved without writing: an instance looks for the record first (wire contract 2.8, E8).
pub(super) async fn write(part: &str, client: &Client, table: &CheckedTable) -> Step {
    match client.probe().table_write(&table.name).await {
        Ok(WriteAccess::Untold) if table.has_taken => Step::new(
            part,
            WRITE,
            Verdict::Good,
            "the instance has taken a ticket of the bridge; more cannot be told without writing",
            "",
        ),
        Ok(WriteAccess::Untold) => {
            let found = "cannot be told without writing: the instance looks for the record before it looks at rights";
            let fix = "nothing, if the account has a role that creates and updates rows of this table; the first ticket tells";
            Step::new(part, WRITE, Verdict::Skipped, found, fix)
        }
        Ok(WriteAccess::Answered) => {
            let found = "a record that cannot exist was changed, says the instance; its answers cannot be believed";
            let fix =
                "look what stands between the bridge and the instance, or answers in its place";
            Step::new(part, WRITE, Verdict::Bad, found, fix)
        }
        Err(error) => failed(part, WRITE, &error),
    }
}
