//! A window that differs, row by row: what was missed is read, what is gone or not ours is flagged.

use std::collections::{HashMap, HashSet};

use servicenow_client::{ListRequest, Query, QueryError, Record};
use shared::drift::{Difference, Finding, Verdict, Window};
use shared::request::Request;
use shared::store::{drift, tickets};
use shared::ticket::Ticket;

use super::super::get_ticket_status::{reconcile, rows};
use super::super::mirror;
use super::compare::FEW;
use super::{Check, Stop};
use crate::attention::Attention;
use crate::effects::{Subject, Wish};

/// So many tickets may be gone at a time; when it is more, and a good part of the window, it is access that was lost.
pub(super) const FEW_GONE: i64 = 3;

/// Findings that a report keeps.
const KEPT: usize = 50;

/// A window as both sides show it.
struct Rows {
    /// What the instance lists.
    listed: Vec<Record>,
    /// Rows that it counts and does not list.
    hidden: i64,
}

impl Check<'_, '_> {
    /// Reads the rows of a window and settles each of them.
    pub(super) async fn read_rows(&mut self, window: &Window, counted: i64) -> Result<(), Stop> {
        let listed = self.listed(window).await?;
        let shown = i64::try_from(listed.len()).unwrap_or(i64::MAX);
        let rows = Rows {
            listed,
            hidden: (counted - shown).max(0),
        };
        let missing = self.missing(window, &rows).await?;
        self.report.tally.checked += shown + (rows.hidden - missing.len_i64()).max(0);
        self.settle_listed(&rows).await?;
        self.settle_missing(&rows, missing).await
    }

    async fn listed(&self, window: &Window) -> Result<Vec<Record>, Stop> {
        let query =
            in_order(self.asked(window).query()).map_err(|error| self.stop(&error.into()))?;
        self.list(query, FEW + FEW).await
    }

    async fn list(&self, query: Query, limit: u32) -> Result<Vec<Record>, Stop> {
        let list = ListRequest::new(query.clone(), mirror::COLUMNS).limit(limit);
        let page = self.run.read(self.seat.table.list(&list)).await;
        let rows = page.map_err(|error| self.stop(&error))?.value.rows;
        if rows.iter().any(|row| query.verify(row).is_err()) {
            let reason =
                "a list brought rows that were not asked for: the instance dropped a condition";
            return Err(Stop::Verdict(Verdict::Untrusted, reason.to_owned()));
        }
        Ok(rows)
    }

    /// Tickets that we believe in the window and that are not listed in it.
    async fn missing(&self, window: &Window, rows: &Rows) -> Result<Missing, Stop> {
        let conn = self.run.ctx.store.conn();
        let most = u64::from(FEW) * 4;
        let ours = drift::tickets_of(conn, &self.scope(), window, most).await?;
        let listed: HashSet<&str> = rows.listed.iter().filter_map(Record::sys_id).collect();
        let ids = ours.into_iter().filter_map(|ticket| ticket.sys_id);
        Ok(Missing(
            ids.filter(|id| !listed.contains(id.as_str())).collect(),
        ))
    }

    async fn settle_listed(&mut self, rows: &Rows) -> Result<(), Stop> {
        let conn = self.run.ctx.store.conn();
        let ids = ids(&rows.listed);
        let (connection, table) = (&self.report.connection, &self.report.table);
        let known = tickets::with_sys_ids(conn, connection, table, &ids).await?;
        let mut known: HashMap<String, (Ticket, Request)> = known
            .into_iter()
            .filter_map(|(ticket, request)| Some((ticket.sys_id.clone()?, (ticket, request))))
            .collect();
        let mut unknown = Vec::new();
        for row in &rows.listed {
            match row.sys_id().and_then(|id| known.remove(id)) {
                Some((ticket, request)) => self.settle_known(&ticket, &request, row),
                None => unknown.push(row),
            }
        }
        self.settle_unknown(&unknown).await
    }

    /// A row of a ticket of ours: what it tells is for the code that reads changes.
    fn settle_known(&mut self, ticket: &Ticket, request: &Request, row: &Record) {
        if !ticket.exists {
            if request.state.is_final() {
                let number = row.get("number").unwrap_or("a ticket");
                let wish = Wish::of(request.id, "ticket.stray").raise(Attention::Stray { number });
                self.flag(Difference::Stray, row, Some(wish));
            } else {
                // Its create is under way.
                self.report.tally.unchanged += 1;
            }
            return;
        }
        let same = ticket.mod_count == mirror::mod_count(row)
            && ticket.remote_updated_on.as_deref() == row.get("sys_updated_on");
        let news = !mirror::is_known(ticket, row);
        let before = self.effects.subjects.len();
        rows::one(self.run, ticket, request, row, &mut self.effects);
        if same {
            self.report.tally.unchanged += 1;
        } else if news && self.effects.subjects.len() > before {
            self.report.tally.repaired += 1;
            self.find(
                Difference::Missed,
                row.sys_id(),
                row.get("number"),
                Some(request.id),
            );
        } else {
            // The instance went back in time, or the route has left the configuration.
            self.find(
                Difference::Older,
                row.sys_id(),
                row.get("number"),
                Some(request.id),
            );
        }
    }

    /// Rows with our name that are no tickets of this connection and table.
    async fn settle_unknown(&mut self, unknown: &[&Record]) -> Result<(), Stop> {
        if unknown.is_empty() {
            return Ok(());
        }
        let conn = self.run.ctx.store.conn();
        let ids: Vec<String> = unknown
            .iter()
            .filter_map(|row| row.sys_id().map(str::to_owned))
            .collect();
        let elsewhere = drift::ours_anywhere(conn, &ids).await?;
        let elsewhere: HashSet<String> = elsewhere.into_iter().filter_map(|it| it.sys_id).collect();
        let keys: Vec<String> = unknown
            .iter()
            .filter_map(|row| {
                row.get("correlation_id")
                    .filter(|key| !key.is_empty())
                    .map(str::to_owned)
            })
            .collect();
        let originals = drift::with_correlation_ids(conn, &keys).await?;
        for row in unknown {
            let key = row.get("correlation_id");
            let original = originals
                .iter()
                .find(|it| Some(it.correlation_id.as_str()) == key);
            match original {
                // A table shows the rows of those that extend it.
                _ if row.sys_id().is_some_and(|id| elsewhere.contains(id)) => {
                    self.report.tally.unchanged += 1;
                }
                Some(original) => self.flag(Difference::Double, row, Some(doubles(original, row))),
                None => self.flag(Difference::Foreign, row, None),
            }
        }
        Ok(())
    }

    /// Tickets that are not where we believe them: read by id, which no condition on a stamp can hide.
    async fn settle_missing(&mut self, rows: &Rows, missing: Missing) -> Result<(), Stop> {
        let mut found = HashMap::new();
        for some in missing.0.chunks(FEW as usize) {
            let query = Query::new()
                .in_list("sys_id", some)
                .and_then(|it| it.order_by("sys_id"));
            let query = query.map_err(|error| self.stop(&error.into()))?;
            for row in self.list(query, FEW).await? {
                found.extend(row.sys_id().map(str::to_owned).map(|id| (id, row.clone())));
            }
        }
        let conn = self.run.ctx.store.conn();
        let (connection, table) = (&self.report.connection, &self.report.table);
        let known = tickets::with_sys_ids(conn, connection, table, &missing.0).await?;
        let gone = known
            .iter()
            .filter(|(it, _)| it.sys_id.as_ref().is_some_and(|id| !found.contains_key(id)));
        let gone = i64::try_from(gone.count()).unwrap_or(i64::MAX);
        if gone > FEW_GONE && gone > self.report.expected / 5 {
            let reason = format!(
                "{gone} of {} tickets cannot be seen: access rules hide them, or they were deleted together",
                self.report.expected
            );
            return Err(Stop::Verdict(Verdict::Untrusted, reason));
        }
        for (ticket, request) in &known {
            let row = ticket.sys_id.as_ref().and_then(|id| found.get(id));
            self.settle_absent(ticket, request, row, rows.hidden > 0);
        }
        Ok(())
    }

    fn settle_absent(
        &mut self,
        ticket: &Ticket,
        request: &Request,
        row: Option<&Record>,
        hidden: bool,
    ) {
        let (id, number) = (ticket.sys_id.as_deref(), ticket.number.as_deref());
        let stamp = row.and_then(|row| row.get("sys_updated_on"));
        match stamp {
            // It is counted, and settled, in the window of its true stamp.
            Some(stamp) if self.report.window.holds(stamp) => {}
            Some(stamp) if stamp > self.report.window.to.as_str() => self.report.tally.agreed(1),
            Some(_) => {
                self.report.tally.checked += 1;
                self.find(Difference::Older, id, number, Some(request.id));
            }
            None if hidden || row.is_some() => {
                self.report.tally.checked += 1;
                self.find(Difference::Unclear, id, number, Some(request.id));
            }
            None => {
                self.report.tally.checked += 1;
                self.report.tally.flagged += 1;
                self.find(Difference::Gone, id, number, Some(request.id));
                let wish = reconcile::hidden(ticket, request);
                self.effects
                    .subjects
                    .push(rows::subject(ticket, ticket.clone(), Some(wish)));
            }
        }
    }

    fn flag(&mut self, difference: Difference, row: &Record, wish: Option<Wish>) {
        self.report.tally.flagged += 1;
        let request_id = wish.as_ref().map(|wish| wish.request_id);
        self.find(difference, row.sys_id(), row.get("number"), request_id);
        self.effects.subjects.extend(wish.map(|wish| Subject {
            wish: Some(wish),
            ..Subject::default()
        }));
    }

    fn find(
        &mut self,
        difference: Difference,
        sys_id: Option<&str>,
        number: Option<&str>,
        request_id: Option<uuid::Uuid>,
    ) {
        if self.report.findings.len() < KEPT {
            self.report.findings.push(Finding {
                difference,
                sys_id: sys_id.unwrap_or_default().to_owned(),
                number: number.map(str::to_owned),
                request_id,
            });
        }
    }
}

/// Ids of tickets that are not where we believe them.
struct Missing(Vec<String>);

impl Missing {
    fn len_i64(&self) -> i64 {
        i64::try_from(self.0.len()).unwrap_or(i64::MAX)
    }
}

fn doubles(original: &Ticket, row: &Record) -> Wish {
    let first = original.number.as_deref().unwrap_or("the ticket");
    let numbers = format!("{first}, {}", row.get("number").unwrap_or("another"));
    Wish::of(original.request_id, "ticket.doubles").raise(Attention::Doubles { numbers: &numbers })
}

fn in_order(query: Result<Query, QueryError>) -> Result<Query, QueryError> {
    query?.order_by("sys_updated_on")?.order_by("sys_id")
}

fn ids(rows: &[Record]) -> Vec<String> {
    rows.iter()
        .filter_map(|row| row.sys_id().map(str::to_owned))
        .collect()
}
