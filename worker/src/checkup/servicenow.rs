//! The steps for one ServiceNow connection. Each needs the one before it, so the first failure names the cause.

use chrono::TimeDelta;
use servicenow_client::{Client, Error, ZoneProbe};
use servicenow_client::{OwnUser, Probe, TokenState, UnknownField};
use shared::checkup::{Step, Verdict};
use shared::clock::SharedClock;

use super::{CheckedTable, access};

/// Above this difference of clocks, time stamps of both sides are hard to compare.
const SKEW: TimeDelta = TimeDelta::seconds(60);

/// Each step of a connection, and of its tables, in the order in which the first failure names the cause.
pub async fn examine(
    name: &str,
    client: &Client,
    tables: &[CheckedTable],
    clock: &SharedClock,
) -> Vec<Step> {
    let probe = client.probe();
    let mut steps = Vec::new();
    for step in ["dns", "reach", "token", "account"] {
        let (step, go_on) = basic(name, &probe, step, clock).await;
        steps.push(step);
        if !go_on {
            steps.push(Step::new(
                name,
                "tables",
                Verdict::Skipped,
                "a step before it failed",
                "",
            ));
            return steps;
        }
    }
    for table in tables {
        let part = format!("{name}/{}", table.name);
        let (read, may_read) = table_steps(&part, &probe, &table.name).await;
        steps.extend(read);
        if may_read {
            steps.push(access::choices(&part, client, &table.name).await);
            steps.push(access::write(&part, client, table).await);
        }
    }
    steps
}

async fn basic(name: &str, probe: &Probe, step: &'static str, clock: &SharedClock) -> (Step, bool) {
    let result = match step {
        "dns" => probe.dns().await.map(|found| {
            (
                Verdict::Good,
                format!("{} address(es)", found.len()),
                String::new(),
            )
        }),
        "reach" => probe.reach().await.map(|found| {
            let skew = found
                .server_date
                .map_or(TimeDelta::zero(), |date| (clock.now() - date).abs());
            let text = format!("HTTP {} in {} ms", found.status, found.duration.as_millis());
            if skew > SKEW {
                let text = format!("{text}; its clock differs by {} s", skew.num_seconds());
                (
                    Verdict::Warning,
                    text,
                    "check the clock of this machine (NTP)".to_owned(),
                )
            } else {
                (Verdict::Good, text, String::new())
            }
        }),
        "token" => probe.token().await.map(|state| match state {
            TokenState::NotUsed => (
                Verdict::Good,
                "not needed with this kind of credentials".to_owned(),
                String::new(),
            ),
            TokenState::Valid { expires_at } => (
                Verdict::Good,
                format!("valid until {expires_at}"),
                String::new(),
            ),
        }),
        _ => probe
            .own_user()
            .await
            .map(|reply| account(reply.value.as_ref())),
    };
    match result {
        Ok((verdict, found, fix)) => (Step::new(name, step, verdict, found, fix), true),
        Err(error) => (failed(name, step, &error), false),
    }
}

fn account(user: Option<&OwnUser>) -> (Verdict, String, String) {
    match user {
        Some(user)
            if matches!(
                user.time_zone.as_str(),
                "GMT" | "UTC" | "Etc/UTC" | "Etc/GMT"
            ) =>
        {
            (
                Verdict::Good,
                format!("{} (time zone {})", user.user_name, user.time_zone),
                String::new(),
            )
        }
        Some(user) => {
            let zone = if user.time_zone.is_empty() {
                "the system's default"
            } else {
                &user.time_zone
            };
            let fix = "set the time zone of this account to GMT: dates in queries are read in it";
            (
                Verdict::Warning,
                format!("{} (time zone: {zone})", user.user_name),
                fix.to_owned(),
            )
        }
        None => {
            let fix = "give the account read access to its own sys_user row";
            (
                Verdict::Warning,
                "the account may not see its own user".to_owned(),
                fix.to_owned(),
            )
        }
    }
}

/// What reading it shows, and whether it can be read at all: without that, further steps would only say the same.
async fn table_steps(part: &str, probe: &Probe, table: &str) -> (Vec<Step>, bool) {
    let rows = match probe.table_read(table).await {
        Ok(reply) => reply.value.rows.len(),
        Err(error) => return (vec![failed(part, "read", &error)], false),
    };
    let mut steps = vec![if rows == 0 {
        let fix = "an empty answer may also mean no right to read: give the account a role that reads this table";
        Step::new(part, "read", Verdict::Warning, "no row is visible", fix)
    } else {
        Step::new(part, "read", Verdict::Good, "rows are visible", "")
    }];
    steps.push(match probe.control_query(table).await {
        Ok(reply) if reply.value == 0 => Step::new(part, "conditions", Verdict::Good, "honoured", ""),
        Ok(_) => {
            let fix = "ask the administrator for query access (query ACLs) to sys_id; lists cannot be believed until then";
            Step::new(part, "conditions", Verdict::Bad, "a query for an impossible id returned rows", fix)
        }
        Err(error) => failed(part, "conditions", &error),
    });
    if let Ok(found) = probe.unknown_field(table).await {
        let (verdict, text) = match found {
            UnknownField::Dropped => (Verdict::Good, "dropped: the bridge checks every row again"),
            UnknownField::NoRows => (Verdict::Good, "no rows"),
            UnknownField::Forbidden => (Verdict::Good, "refused"),
            UnknownField::Unknown => (Verdict::Skipped, "no row to try it on"),
        };
        steps.push(Step::new(part, "unknown columns", verdict, text, ""));
    }
    steps.push(match probe.zone(table).await {
        Ok(found) => zone(part, found),
        Err(error) => failed(part, "time zone", &error),
    });
    (steps, true)
}

fn zone(part: &str, found: Option<ZoneProbe>) -> Step {
    match found {
        Some(found) if found.is_utc() => Step::new(
            part,
            "time zone",
            Verdict::Good,
            "dates in queries are read as UTC",
            "",
        ),
        Some(_) => {
            let fix = "set the time zone of the integration account to GMT; polling is refused until then";
            Step::new(
                part,
                "time zone",
                Verdict::Bad,
                "dates in queries are not read as UTC",
                fix,
            )
        }
        None => Step::new(
            part,
            "time zone",
            Verdict::Skipped,
            "no row to try it on",
            "",
        ),
    }
}

pub(super) fn failed(part: &str, step: &'static str, error: &Error) -> Step {
    if let Error::Held(held) = error {
        let fix = "nothing is to be mended: the instance has asked for quiet, or its calls are used up; check again after that";
        return Step::new(part, step, Verdict::Warning, held.to_string(), fix);
    }
    let (told, advice) = (error.to_string(), error.advice());
    // The error ends with its advice; here that has a place of its own.
    let found = told.strip_suffix(advice).unwrap_or(&told).trim_end();
    Step::new(part, step, Verdict::Bad, found, advice)
}
