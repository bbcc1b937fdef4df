//! Reading the rows of the choice lists, page by page, and making lists of them.

use servicenow_client::{Choice, Choices, Error};
use shared::choices::{self, PARENT, Row, STATE};
use shared::store::table_facts;

use super::super::case::Seat;
use super::super::get_ticket_status::zone;
use super::Lists;
use crate::checkup::GRANT;
use crate::effects::Effects;
use crate::outcome::Ran;
use crate::run::Run;

pub(super) const TABLE: &str = "sys_choice";

/// Far more than any instance has of these columns, in all languages.
const MOST_PAGES: usize = 50;

/// The lists, or in words why they are none; the inner error is for the caller to judge.
pub(super) async fn all(
    run: &Run<'_>,
    seat: &Seat<'_>,
    columns: &[&str],
    effects: &mut Effects,
) -> Ran<Result<Lists, Error>> {
    let (mut rows, mut hidden) = (Vec::new(), 0);
    let own = seat.table.name();
    let mut tables = vec![own];
    tables.extend((own != PARENT).then_some(PARENT));
    let mut next = match Choices::request(&tables, columns) {
        Ok(first) => Some(first),
        Err(error) => return Ok(Err(error)),
    };
    for _ in 0..MOST_PAGES {
        let Some(mut request) = next.take() else {
            break;
        };
        request.limit = seat.connection.settings.page_size;
        let page = match run.read(seat.client.choices().page(&request)).await {
            Ok(reply) => reply.value,
            Err(error) => return Ok(Err(error)),
        };
        hidden += page.hidden;
        rows.extend(page.choices.into_iter().map(row));
        next = page.next;
        if next.is_some() && !reads_utc(run, seat, effects).await? {
            let reason = "The choice lists take more than one page, and it is not known yet whether the instance reads times of this account \
                          as UTC, which the next page is found by. It is known once an open ticket of this table was polled.";
            return Ok(Ok(Err(reason.to_owned())));
        }
    }
    Ok(Ok(judged(own, &rows, hidden, next.is_some())))
}

/// Pages after the first are found by a time, which the instance reads in the zone of the account.
async fn reads_utc(run: &Run<'_>, seat: &Seat<'_>, effects: &mut Effects) -> Ran<bool> {
    if effects.facts.is_empty() {
        effects.facts.extend(zone::check(run, seat).await?);
    }
    let (connection, table) = (seat.connection.name.as_str(), seat.table.name());
    let known = table_facts::get(run.ctx.store.conn(), connection, table).await?;
    Ok(!effects.facts.is_empty() || known.is_some_and(|it| it.zone_ok_at.is_some()))
}

fn row(choice: Choice) -> Row {
    Row {
        table: choice.table,
        column: choice.element,
        value: choice.value,
        label: choice.label,
        language: choice.language,
        active: !choice.inactive,
    }
}

/// Lists of which a part is missing are none: what is missing would be told as gone.
fn judged(table: &str, rows: &[Row], hidden: u64, more: bool) -> Lists {
    if hidden > 0 {
        return Err(format!(
            "The instance counts {hidden} more rows of these choice lists than it shows: an access rule hides them. {GRANT}"
        ));
    }
    if more {
        return Err(format!(
            "The instance has more than {} rows of these choice lists, so they were not read to their end.",
            rows.len()
        ));
    }
    let lists = choices::lists(table, rows);
    if lists.iter().all(|list| list.column != STATE) {
        return Err(format!(
            "No choice of `{STATE}` can be seen, neither of {table} nor of {PARENT}: the account of this connection may see none. {GRANT}"
        ));
    }
    Ok(lists)
}
