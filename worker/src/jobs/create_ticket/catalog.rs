//! An order of a catalog item (wire contract 4.2, 4.3, 12.4). `order_now` has no idempotency: the order carries a token, a send is
//! on record before it goes out, and after any doubt the token is searched for before a second order.

use servicenow_client::{Error, Fields, InvalidKind, Order, ReadOptions, Record, WriteOptions};
use shared::ticket::Ticket;

use super::super::case::Case;
use super::super::mirror;
use super::{
    LOOKS, find, link, may_be_there, person, render, still_wanted, table, unclear, wait_out,
};
use crate::attention::Attention;
use crate::effects::{Effects, FoundPerson};
use crate::fault;
use crate::outcome::{Finished, Outcome, Ran, Scope};
use crate::run::Run;
use crate::trace;

mod token;

/// The order, then its requested item, then our key on it: each step is found again when the one after it failed.
pub(super) async fn order(run: &Run<'_>, case: &mut Case<'_>, item: &str) -> Ran {
    if case.ticket.order_sys_id.is_some() {
        return attach(run, case, &case.ticket, None).await;
    }
    let mut variables = render(run, case)?;
    let token = token::of(&variables, &case.ticket.correlation_id);
    if may_be_there(run, &case.ticket) {
        if let Some(finished) = earlier(run, case, token.as_ref()).await? {
            return Ok(finished);
        }
        let enough = LOOKS[LOOKS.len() - 1].max(case.seat.connection.settings.quiet());
        wait_out(run, &case.ticket, enough)?;
        if case.ticket.maybe_sent_at.is_some() && token.is_none() {
            return Err(unsearchable().into());
        }
    }
    still_wanted(case)?;
    let (person, fresh) = requested_for(run, case, &mut variables).await?;
    table::mark(run, case).await?;
    let person_id = person.sys_id.clone();
    let mut finished = place(run, case, item, variables, person_id).await?;
    finished.effects.people.extend(fresh.then_some(person));
    Ok(finished)
}

/// What an earlier run may have ordered: its item by our key, or the order by its token.
async fn earlier(
    run: &Run<'_>,
    case: &Case<'_>,
    token: Option<&token::Token>,
) -> Ran<Option<Finished>> {
    if let Some(found) = find::ticket(run, case).await? {
        return Ok(Some(Finished::done(found.adopt(run, case))));
    }
    let Some(token) = token else {
        return Ok(None);
    };
    let Some(order) = token::search(run, case, token).await? else {
        return Ok(None);
    };
    trace::duplicate_suppressed();
    let ordered = with_order(case, order.sys_id, order.number);
    attach(run, case, &ordered, order.doubles.as_deref())
        .await
        .map(Some)
}

/// The order is for the person of the route's rule. Without a rule it would be for the account of the bridge, which nobody asked for.
async fn requested_for(
    run: &Run<'_>,
    case: &Case<'_>,
    variables: &mut Fields,
) -> Ran<(FoundPerson, bool)> {
    let Some(rule) = &case.route.person else {
        let reason = format!(
            "route `{}` orders a catalog item but does not say whom it is for; add [routes.person] with field and match",
            case.route.name
        );
        return Err(Outcome::Park {
            scope: None,
            class: "configuration",
            reason,
        }
        .into());
    };
    let (person, fresh) = person::resolve(run, case, rule).await?;
    variables.set(&rule.field, &person.sys_id);
    Ok((person, fresh))
}

async fn place(
    run: &Run<'_>,
    case: &Case<'_>,
    item: &str,
    variables: Fields,
    person: String,
) -> Ran {
    let sent = run.now();
    let order = Order {
        quantity: 1,
        requested_for: Some(person),
        variables,
    };
    let catalog = case.seat.client.catalog();
    match run.write(catalog.order_now(item, &order)).await? {
        Ok(reply) => {
            let placed = reply.value;
            let ordered = with_order(case, placed.request_sys_id, Some(placed.request_number));
            attach(run, case, &ordered, None).await
        }
        Err(error) if error.may_have_committed() => {
            trace::ambiguous();
            Err(case.ended(run, &error, unclear(case, sent)))
        }
        Err(error) => Err(refused(run, case, &error)),
    }
}

/// Nothing was ordered. A host without the catalog API is no wrong base URL: the Table API may be there.
fn refused(run: &Run<'_>, case: &Case<'_>, error: &Error) -> Box<Finished> {
    let outcome = match error {
        Error::Invalid {
            kind: InvalidKind::Path,
            ..
        } => Outcome::Park {
            scope: Some(Scope::Table(case.seat.table.name().to_owned())),
            class: "no_catalog",
            reason: error.to_string(),
        },
        error => fault::judge(run, case.seat.table.name(), error),
    };
    let after = Ticket {
        maybe_sent_at: case.sent_before,
        ..case.ticket.clone()
    };
    outcome.with(Effects::of(case.subject(after, None)))
}

/// The order is known from here on, whatever comes next.
fn with_order(case: &Case<'_>, sys_id: String, number: Option<String>) -> Ticket {
    Ticket {
        order_sys_id: Some(sys_id),
        order_number: number,
        ..case.ticket.clone()
    }
}

/// Finds the requested item of the order and writes our key on it, in absolute values.
async fn attach(run: &Run<'_>, case: &Case<'_>, ordered: &Ticket, doubles: Option<&str>) -> Ran {
    let order = ordered.order_sys_id.as_deref().unwrap_or_default();
    let kept = || case.subject(ordered.clone(), None);
    let catalog = case.seat.client.catalog();
    let items = run
        .read(catalog.items_of_request(order))
        .await
        .map_err(|error| case.ended(run, &error, kept()))?;
    let Some(row) = items.value.into_iter().next() else {
        return Err(not_visible_yet(ordered).with(Effects::of(kept())));
    };
    let mut fields = Fields::new();
    fields.set("correlation_id", &case.ticket.correlation_id);
    fields.set("correlation_display", &run.ctx.settings.bridge_name);
    let (row, lost) = match sign(run, case, &row, &fields).await? {
        Ok(echo) => {
            let lost = mirror::dropped(&fields, &echo);
            (echo, lost)
        }
        Err(Error::Forbidden { .. }) => (row, "`correlation_id`, `correlation_display`".to_owned()),
        Err(error) => return Err(case.ended(run, &error, kept())),
    };
    trace::ticket(row.get("number"));
    let attention = match doubles {
        Some(numbers) => Some(Attention::Doubles { numbers }),
        None => (!lost.is_empty()).then_some(Attention::Dropped { fields: &lost }),
    };
    Ok(Finished::done(link(run, case, ordered, &row, attention)))
}

async fn sign(
    run: &Run<'_>,
    case: &Case<'_>,
    row: &Record,
    fields: &Fields,
) -> Ran<Result<Record, Error>> {
    let options = WriteOptions {
        echo: ReadOptions::fields(mirror::COLUMNS),
        input_display_value: false,
    };
    let sys_id = row.sys_id().unwrap_or_default();
    let signed = run
        .write(case.seat.table.update(sys_id, fields, &options))
        .await?;
    Ok(signed.map(|reply| reply.value))
}

fn not_visible_yet(ticket: &Ticket) -> Outcome {
    let order = ticket.order_number.as_deref().unwrap_or("the order");
    Outcome::Retry {
        class: "item_not_visible",
        after: Some(LOOKS[0]),
        message: format!("{order} was placed, but its requested item cannot be seen yet"),
    }
}

fn unsearchable() -> Outcome {
    Outcome::Park {
        scope: None,
        class: "unsearchable_order",
        reason: "an order may have been placed, and it cannot be looked for: no variable of the route carries {{ correlation_id }}. Look for \
                 it in ServiceNow, cancel it if it is there, and let the job run again; give the item a variable such as bridge_ref with \
                 that template"
            .to_owned(),
    }
}
