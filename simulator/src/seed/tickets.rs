//! Stock tickets, with the small numbers that demo data has.

use chrono::TimeDelta;

use super::id;
use crate::refusal::Refusal;
use crate::world::{Act, World};

/// Short description, category, state, urgency.
const INCIDENTS: &[(&str, &str, &str, &str)] = &[
    (
        "Cannot read shared drive of the finance group",
        "network",
        "2",
        "2",
    ),
    ("Wireless drops in the east wing", "network", "1", "3"),
    (
        "Mail client asks for the password again and again",
        "software",
        "2",
        "2",
    ),
    (
        "Printer on floor three shows a paper jam that is not there",
        "hardware",
        "1",
        "3",
    ),
    (
        "Password reset link has expired",
        "password_reset",
        "6",
        "3",
    ),
    ("Laptop does not wake from sleep", "hardware", "3", "3"),
    ("VPN certificate is about to expire", "network", "2", "1"),
    (
        "Payroll report shows last month's figures",
        "database",
        "2",
        "2",
    ),
    (
        "Need access to the archive of the design team",
        "inquiry",
        "7",
        "3",
    ),
    ("Telephone headset is broken", "hardware", "8", "3"),
];

const PROBLEMS: &[&str] = &[
    "Wireless controllers restart at night",
    "Finance share runs out of handles",
    "Mail client forgets its token",
    "Badge readers lose their clock",
    "Reports time out on the first of the month",
];

const CHANGES: &[(&str, &str, &str)] = &[
    ("Replace the wireless controllers", "normal", "-4"),
    ("Renew the VPN certificate", "standard", "-2"),
    ("Patch the database of the payroll", "emergency", "3"),
];

/// Rounds through the incident list, so that lists have several pages.
const ROUNDS: usize = 6;

pub(super) fn add(world: &mut World, act: &Act<'_>) -> Result<(), Refusal> {
    let callers = [
        "fern.example",
        "otto.sample",
        "mira.specimen",
        "ravi.fixture",
    ];
    for index in 0..INCIDENTS.len() * ROUNDS {
        let (text, category, state, urgency) = INCIDENTS[index % INCIDENTS.len()];
        let number = format!("INC{:07}", index + 1);
        let own = id::of("incident", &number);
        let caller = id::of("sys_user", callers[index % callers.len()]);
        let group = id::of("sys_user_group", "Service Desk");
        let at = minutes_later(act, index);
        let closing: &[(&str, &str)] = match state {
            "6" | "7" => &[
                ("close_code", "Solution provided"),
                ("close_notes", "Solved with the caller."),
            ],
            "3" => &[("hold_reason", "1")],
            _ => &[],
        };
        let values = [
            ("sys_id", own.as_str()),
            ("number", &number),
            ("short_description", text),
            ("category", category),
            ("urgency", urgency),
            ("caller_id", &caller),
            ("opened_by", &caller),
            ("assignment_group", &group),
            ("state", state),
        ];
        world.make(&at, "incident", &[&values, closing].concat())?;
    }
    for (index, text) in PROBLEMS.iter().cycle().take(PROBLEMS.len() * 3).enumerate() {
        let number = format!("PRB{:07}", index + 1);
        let own = id::of("problem", &number);
        let values = [
            ("sys_id", own.as_str()),
            ("number", &number),
            ("short_description", text),
        ];
        world.make(&minutes_later(act, index), "problem", &values)?;
    }
    for (index, (text, kind, state)) in CHANGES.iter().enumerate() {
        let number = format!("CHG{:07}", index + 1);
        let own = id::of("change_request", &number);
        let values = [
            ("sys_id", own.as_str()),
            ("number", &number),
            ("short_description", text),
            ("type", kind),
            ("state", state),
        ];
        world.make(&minutes_later(act, index), "change_request", &values)?;
    }
    Ok(())
}

fn minutes_later<'a>(act: &Act<'a>, index: usize) -> Act<'a> {
    let minutes = i64::try_from(index).unwrap_or_default();
    Act {
        now: act.now + TimeDelta::minutes(minutes * 7),
        ..*act
    }
}
