//! What most jobs begin with: a request, its ticket, its route, and a seat at the instance.

use chrono::{DateTime, Utc};
use servicenow_client::{Client, Error, Table};
use shared::budget::Class;
use shared::request::Request;
use shared::route::Route;
use shared::template::TemplateInput;
use shared::ticket::Ticket;
use uuid::Uuid;

use super::load::Loaded;
use crate::connections::Connection;
use crate::effects::{Effects, Subject, TicketChange, WhenStale, Wish};
use crate::fault;
use crate::outcome::{Finished, Outcome, Ran, Scope};
use crate::run::Run;
use crate::trace;

/// A request with all that stands around it.
pub(crate) struct Case<'a> {
    pub(crate) request: Request,
    pub(crate) ticket: Ticket,
    /// `maybe_sent_at` as it was before this run.
    pub(crate) sent_before: Option<DateTime<Utc>>,
    /// Whether the table keeps the ids we choose, as far as earlier echoes showed.
    pub(crate) honours_sys_id: Option<bool>,
    pub(crate) route: &'a Route,
    pub(crate) seat: Seat<'a>,
}

/// A table of an instance that no circuit holds. Each call asks the budget by itself.
pub(crate) struct Seat<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) client: &'a Client,
    pub(crate) table: Table,
}

impl<'a> Seat<'a> {
    /// For calls of a class. Ends the run when the connection has left the configuration or a circuit holds the table.
    pub(crate) async fn take(
        run: &Run<'a>,
        class: Class,
        connection: &str,
        table: &str,
    ) -> Ran<Self> {
        let Some(found) = run.ctx.connections.get(connection) else {
            return Err(gone(&format!("connection `{connection}`")).into());
        };
        run.enter(connection, &Scope::Table(table.to_owned()))
            .await?;
        let client = found.client(class);
        Ok(Self {
            connection: found,
            client,
            table: client.table(table),
        })
    }

    /// What an error means when nothing special is known about it.
    pub(crate) fn judge(&self, run: &Run<'_>, error: &Error) -> Outcome {
        fault::judge(run, self.table.name(), error)
    }
}

impl<'a> Case<'a> {
    /// Reads it. A missing route or connection parks the job: the configuration once had it.
    pub(crate) async fn load(run: &Run<'a>, class: Class, request_id: Uuid) -> Ran<Self> {
        let loaded = run.ctx.loads.load(&run.ctx.store, request_id).await?;
        let Loaded {
            ticket,
            request,
            honours_sys_id,
        } = *loaded.ok_or_else(missing)?;
        let route = run
            .ctx
            .routes
            .by_name(&request.route)
            .ok_or_else(|| gone(&format!("route `{}`", request.route)))?;
        let seat = Seat::take(run, class, &ticket.connection, ticket.kind.table()).await?;
        trace::ticket(ticket.number.as_deref());
        let sent_before = ticket.maybe_sent_at;
        Ok(Self {
            request,
            ticket,
            sent_before,
            honours_sys_id,
            route,
            seat,
        })
    }

    /// What templates may speak of.
    pub(crate) fn input(&self, run: &'a Run<'_>) -> TemplateInput<'_> {
        TemplateInput {
            bridge: &run.ctx.settings.bridge_name,
            request_id: self.request.id,
            source: &self.request.source,
            asked: &self.request.asked,
            state: Some(self.request.state),
            reason: self.request.reason.as_deref(),
        }
    }

    /// The ticket becomes `after` and the request what `wish` says; the run is repeated when the ticket changed meanwhile.
    pub(crate) fn subject(&self, after: Ticket, wish: Option<Wish>) -> Subject {
        Subject {
            ticket: Some(TicketChange {
                before: self.ticket.clone(),
                after,
                when_stale: WhenStale::RunAgain,
            }),
            wish,
            follow: None,
        }
    }

    /// The end of a run for `error`, with what is to be written of the ticket all the same.
    pub(crate) fn ended(&self, run: &Run<'_>, error: &Error, subject: Subject) -> Box<Finished> {
        self.seat.judge(run, error).with(Effects::of(subject))
    }
}

fn missing() -> Outcome {
    Outcome::dead("missing", "the request or its ticket is no longer stored")
}

/// Parks the job: the configuration once had it.
pub(super) fn gone(what: &str) -> Outcome {
    Outcome::Park {
        scope: None,
        class: "configuration",
        reason: format!("{what} has left the configuration; put it back and start the worker anew"),
    }
}
