//! Values in queries: plain text, dates in somebody's zone, and `javascript:` calls.

use chrono_tz::Tz;

use super::script::{self, Outcome};
use crate::knobs::LiteralZone;
use crate::world::Act;
use crate::world::column::Kind;
use crate::world::time::{parse_local, stamp};

/// The raw text a literal stands for in a column of `kind`: instants become UTC stamps.
pub(crate) fn read(act: &Act<'_>, kind: Kind, value: &str) -> String {
    match value.strip_prefix("javascript:") {
        Some(expression) => match script::evaluate(act, expression) {
            Outcome::Text(text) => text,
            Outcome::Instant(at) if kind == Kind::Date => at
                .with_timezone(&act.actor.zone)
                .format("%Y-%m-%d")
                .to_string(),
            Outcome::Instant(at) => stamp(at),
        },
        None if kind == Kind::DateTime => {
            parse_local(value, zone(act)).map_or_else(|| value.to_owned(), stamp)
        }
        None if kind == Kind::Boolean => boolean(value).to_owned(),
        None => value.to_owned(),
    }
}

/// The zone literals are read in.
fn zone(act: &Act<'_>) -> Tz {
    match act.knobs.literal_zone {
        LiteralZone::User => act.actor.zone,
        LiteralZone::Utc => Tz::UTC,
    }
}

fn boolean(value: &str) -> &str {
    match value {
        "1" => "true",
        "0" => "false",
        other => other,
    }
}
