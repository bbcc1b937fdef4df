//! One page of what changed since the cursor, by one list call for all open tickets of a table.
//!
//! The cursor is made of server data only and moves at the end of a run, so that it never passes an unread row
//! (ARCHITECTURE.md, invariant 10).

use chrono::{DateTime, TimeDelta, Utc};
use servicenow_client::changes::{ChangesRequest, PageVerdict, read_page};
use servicenow_client::{Cursor as Place, Query, QueryError, Reply, format_time, parse_time};
use shared::budget::Class;
use shared::job::{NewJob, PageEnd, Payload, StatusRead};
use shared::store::cursors::{self, Cursor};
use shared::store::tickets;

use super::super::case::Seat;
use super::super::mirror;
use super::{rows, zone};
use crate::effects::{CursorMove, Effects};
use crate::outcome::{Finished, Outcome, Ran};
use crate::run::Run;

/// How far the first run of a table reaches back behind its oldest open ticket: our clock and the server's may differ.
const FIRST_REACH: TimeDelta = TimeDelta::days(1);

/// Most rows of a page (wire contract 2.4).
const MOST: u32 = 200;

pub(super) async fn run(
    run: &Run<'_>,
    connection: &str,
    table: &str,
    after: Option<PageEnd>,
) -> Ran {
    let seat = Seat::take(run, Class::Read, connection, table).await?;
    let name = name(connection, table);
    let cursor = cursors::get(run.ctx.store.conn(), &name).await?;
    let mut effects = Effects::default();
    let from = if let Some(page) = after {
        page
    } else {
        let Some(start) = start(run, &seat, cursor.as_ref()).await? else {
            return Ok(Finished::done(ended(name)));
        };
        effects.facts.extend(zone::check(run, &seat).await?);
        start
    };
    let request = request(run, &seat, &from).map_err(|error| unaskable(&error))?;
    let page = run
        .read(read_page(&seat.table, &request))
        .await
        .map_err(|error| seat.judge(run, &error))?;
    rows::apply(run, &seat, &page.value.rows, &mut effects).await?;
    let end = page_end(begun(from, &page), &page.value);
    if page.value.more {
        effects.jobs.push(next_page(run, connection, table, end));
    } else {
        effects.cursor = Some(moved(&name, cursor, &end, &page, &seat));
        effects.cadence_finished = Some(name);
    }
    Ok(Finished::done(effects))
}

/// The name of cursor and cadence.
fn name(connection: &str, table: &str) -> String {
    format!("changes:{connection}:{table}")
}

/// Where a run begins; `None` when there is nothing to look for.
async fn start(run: &Run<'_>, seat: &Seat<'_>, cursor: Option<&Cursor>) -> Ran<Option<PageEnd>> {
    let newest = match cursor {
        Some(cursor) => cursor.updated_on.clone(),
        None => match oldest_open(run, seat).await? {
            Some(created) => format_time(created - FIRST_REACH),
            None => return Ok(None),
        },
    };
    let overlap = seat.connection.settings.overlap();
    let place = Place::from_second(newest.clone()).back_by(overlap);
    Ok(Some(PageEnd {
        updated_on: place.updated_on,
        sys_id: place.sys_id,
        offset: 0,
        newest,
        began: None,
    }))
}

async fn oldest_open(run: &Run<'_>, seat: &Seat<'_>) -> Ran<Option<DateTime<Utc>>> {
    let (connection, table) = (seat.connection.name.as_str(), seat.table.name());
    let open = tickets::open_page(run.ctx.store.conn(), connection, table, None, 1).await?;
    Ok(open.first().map(|(_, request)| request.created_at))
}

/// Only our own tickets, which also is the control that shows a dropped condition.
fn request(run: &Run<'_>, seat: &Seat<'_>, from: &PageEnd) -> Result<ChangesRequest, QueryError> {
    let ours = Query::new().eq("correlation_display", &run.ctx.settings.bridge_name)?;
    let place = Place {
        updated_on: from.updated_on.clone(),
        sys_id: from.sys_id.clone(),
    };
    Ok(ChangesRequest {
        fields: mirror::COLUMNS.map(str::to_owned).to_vec(),
        limit: seat.connection.settings.page_size.clamp(1, MOST),
        offset: from.offset,
        ..ChangesRequest::new(ours, place)
    })
}

/// The server's time when the first page of the run was read.
fn begun(from: PageEnd, page: &Reply<PageVerdict>) -> PageEnd {
    let now = page.meta.server_date.map(format_time);
    PageEnd {
        began: from.began.or(now),
        ..from
    }
}

fn page_end(from: PageEnd, page: &PageVerdict) -> PageEnd {
    let offset = page.next_offset;
    match &page.next {
        None => PageEnd { offset, ..from },
        Some(last) => PageEnd {
            updated_on: last.updated_on.clone(),
            sys_id: last.sys_id.clone(),
            offset,
            newest: from.newest.max(last.updated_on.clone()),
            began: from.began,
        },
    }
}

fn next_page(run: &Run<'_>, connection: &str, table: &str, end: PageEnd) -> NewJob {
    NewJob {
        payload: Payload::GetTicketStatus(StatusRead::Changes {
            connection: connection.to_owned(),
            table: table.to_owned(),
            after: Some(end),
        }),
        connection: Some(connection.to_owned()),
        request_id: None,
        priority: 2,
        due_at: run.now(),
        // The key of the cadence: until the run has ended no other one begins.
        dedup_key: Some(name(connection, table)),
        traceparent: run.job.traceparent.clone(),
    }
}

/// The newest row of the run, or the server's own time less the overlap when that is later: else rows that never change would be
/// read with every poll. Never later than the run began: between its pages lies any time, and what became visible behind them
/// is read by the next run.
fn moved(
    name: &str,
    before: Option<Cursor>,
    end: &PageEnd,
    page: &Reply<PageVerdict>,
    seat: &Seat<'_>,
) -> CursorMove {
    let overlap =
        TimeDelta::from_std(seat.connection.settings.overlap()).unwrap_or(TimeDelta::zero());
    let server = page
        .meta
        .server_date
        .map(|date| format_time(date - overlap));
    let known = before.as_ref().map(|it| it.updated_on.clone());
    let is_time = |it: &String| parse_time(it).is_some();
    let read = [Some(end.newest.clone()), server].into_iter().flatten();
    let read = read.filter(is_time).max();
    let read = match &end.began {
        Some(began) => read.map(|read| read.min(began.clone())),
        None => read,
    };
    let newest = read.into_iter().chain(known).filter(is_time).max();
    let after = Cursor {
        name: name.to_owned(),
        updated_on: newest.unwrap_or_else(|| end.newest.clone()),
        sys_id: String::new(),
        zone_checked_at: before.as_ref().and_then(|it| it.zone_checked_at),
        version: 0,
    };
    CursorMove { before, after }
}

fn ended(cadence: String) -> Effects {
    Effects {
        cadence_finished: Some(cadence),
        ..Effects::default()
    }
}

fn unaskable(error: &QueryError) -> Outcome {
    Outcome::dead("query", error.to_string())
}
