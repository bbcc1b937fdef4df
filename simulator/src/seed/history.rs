//! What an instance has in its log after a month: more lines than fit on a few pages.

use chrono::TimeDelta;

use super::id;
use crate::world::{Act, Fields, World};

const MESSAGES: &[&str] = &[
    "Scheduled job finished: close resolved incidents",
    "Scheduled job finished: clean import sets",
    "Mail reader found nothing to read",
    "Catalog flow finished",
    "Session cache trimmed",
];

/// Lines in the log of a fresh instance.
const LINES: usize = 640;

pub(super) fn add(world: &mut World, act: &Act<'_>) {
    for (index, message) in MESSAGES.iter().cycle().take(LINES).enumerate() {
        let minutes = i64::try_from(index).unwrap_or_default() * 60;
        let at = Act {
            now: act.now + TimeDelta::minutes(minutes),
            ..*act
        };
        let own = id::of("syslog", &index.to_string());
        let line: Fields = [
            ("sys_id", own.as_str()),
            ("level", "0"),
            ("message", message),
            ("source", "glide.scheduler"),
        ]
        .into_iter()
        .collect();
        world.recall(&at, "syslog", line);
    }
}
