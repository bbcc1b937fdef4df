//! What happened, counted from the simulated instance's own tables and log, not from the bridge's.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;
use simulator::{CallFilter, RowMap, Simulator};

use super::stage::{Stage, TABLES};
use super::traffic::Traffic;

/// The last line of a demo.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    requests: u32,
    tickets: usize,
    duplicates: usize,
    fulfilled: usize,
    rejected: usize,
    cancelled: usize,
    open: usize,
    servicenow_calls: Calls,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct Calls {
    create: usize,
    status: usize,
    update: usize,
    token: usize,
    /// People looked up, and what finding a catalog order's ticket took.
    lookup: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Fulfilled,
    Rejected,
    Cancelled,
}

pub(super) fn of(stage: &Stage, traffic: &Traffic, took: Duration) -> Summary {
    let (mut ends, mut keys) = (Vec::new(), HashSet::new());
    for table in TABLES {
        for mut ticket in stage
            .simulator
            .rows(table, &format!("correlation_display={}", stage.bridge_name))
        {
            ends.push(end(table, &ticket));
            keys.extend(ticket.remove("correlation_id"));
        }
    }
    let count = |end: End| ends.iter().filter(|it| **it == end).count();
    Summary {
        requests: traffic.sent(),
        tickets: ends.len(),
        duplicates: ends.len() - keys.len(),
        fulfilled: count(End::Fulfilled),
        rejected: count(End::Rejected),
        cancelled: count(End::Cancelled),
        open: count(End::Open),
        servicenow_calls: calls(&stage.simulator),
        seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
    }
}

fn end(table: &str, ticket: &RowMap) -> End {
    let text = |column: &str| ticket.get(column).map_or("", String::as_str);
    if text("approval") == "rejected" {
        return End::Rejected;
    }
    match (table, text("state")) {
        ("incident", "6" | "7") if text("close_code") == "No resolution provided" => End::Rejected,
        ("incident", "6" | "7") => End::Fulfilled,
        ("incident", "8") => End::Cancelled,
        ("incident", _) => End::Open,
        (_, "3") => End::Fulfilled,
        (_, "4") => End::Rejected,
        (_, "7") => End::Cancelled,
        _ => End::Open,
    }
}

fn calls(simulator: &Simulator) -> Calls {
    let on_tickets = |kind: &str| {
        TABLES
            .iter()
            .map(|table| simulator.count(&CallFilter::kind_on(kind, table)))
            .sum::<usize>()
    };
    let everywhere = |kind: &str| simulator.count(&CallFilter::kind(kind));
    let reads = everywhere("table.list") + everywhere("table.get");
    let status = on_tickets("table.list") + on_tickets("table.get");
    Calls {
        create: on_tickets("table.create") + everywhere("catalog.order_now"),
        status,
        update: on_tickets("table.update"),
        token: everywhere("token"),
        lookup: reads - status,
    }
}
