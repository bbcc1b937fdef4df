//! What a process that works says of the connections that are not called for now.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::budget::Standing;
use crate::store::circuits::Circuit;

/// A connection, or a table of it, that nobody calls for now. It makes no process unready: jobs wait, and nothing is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Degraded {
    /// Name of the connection, or `connection/table`.
    pub connection: String,
    /// `throttled until 2026-03-02 09:00:08 UTC`.
    pub status: String,
    /// Until when; a moment that has passed when a job tries it now.
    pub until: DateTime<Utc>,
    /// Why, in words.
    pub reason: String,
    /// Whether somebody has to mend something; otherwise it passes by itself.
    pub wants_a_hand: bool,
}

impl Degraded {
    fn new(
        connection: &str,
        until: DateTime<Utc>,
        reason: &str,
        wants_a_hand: bool,
        now: DateTime<Utc>,
    ) -> Self {
        let status = if until > now {
            format!("throttled until {}", until.format("%Y-%m-%d %H:%M:%S UTC"))
        } else {
            "throttled until the next job gets through".to_owned()
        };
        Self {
            connection: connection.to_owned(),
            status,
            until,
            reason: reason.to_owned(),
            wants_a_hand,
        }
    }
}

/// Everything that is not called now, by name: what a circuit holds, and what the budget lets nobody call. Of two words on one connection
/// the one that lasts longer counts.
pub fn degraded(circuits: &[Circuit], standings: &[Standing], now: DateTime<Utc>) -> Vec<Degraded> {
    let held = circuits
        .iter()
        .map(|it| Degraded::new(&it.connection, it.until, &it.reason, it.wants_a_hand(), now));
    let silent = standings.iter().filter_map(|it| {
        let silence = it.throttled.as_ref()?;
        Some(Degraded::new(
            &it.connection,
            silence.until,
            &silence.reason,
            false,
            now,
        ))
    });
    let mut all: Vec<Degraded> = held.chain(silent).collect();
    all.sort_by(|a, b| (&a.connection, b.until).cmp(&(&b.connection, a.until)));
    all.dedup_by(|later, first| later.connection == first.connection);
    all
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::budget::Throttled;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_900_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
    }

    fn circuit(name: &str, class: &str, until: i64) -> Circuit {
        Circuit {
            connection: name.to_owned(),
            reason: format!("it is {class}"),
            class: class.to_owned(),
            opened_at: at(-60),
            until: at(until),
            failures: 1,
            probing_job: None,
        }
    }

    fn standing(name: &str, until: Option<i64>) -> Standing {
        Standing {
            connection: name.to_owned(),
            width: 4,
            under_way: 0,
            rule: None,
            window: None,
            throttled: until.map(|until| Throttled {
                until: at(until),
                reason: "a rule was hit".to_owned(),
            }),
        }
    }

    #[test]
    fn circuits_and_budgets_are_told_once_a_connection() {
        assert_eq!(degraded(&[], &[standing("main", None)], at(0)), []);
        let circuits = [
            circuit("main", "busy", 10),
            circuit("main/incident", "forbidden", 300),
            circuit("other", "unauthorized", -1),
        ];
        let standings = [standing("main", Some(30)), standing("third", Some(5))];
        let told: Vec<String> = degraded(&circuits, &standings, at(0))
            .into_iter()
            .map(|it| {
                format!(
                    "{}: {}; {}; {}",
                    it.connection, it.status, it.reason, it.wants_a_hand
                )
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        main: throttled until 2030-03-17 17:47:10 UTC; a rule was hit; false
        main/incident: throttled until 2030-03-17 17:51:40 UTC; it is forbidden; true
        other: throttled until the next job gets through; it is unauthorized; true
        third: throttled until 2030-03-17 17:46:45 UTC; a rule was hit; false
        ");
    }
}
