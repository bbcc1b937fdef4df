//! The rate-limit rule: calls per user and clock hour (wire contract 11.1).

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::answer::Answer;
use crate::knobs::RateLimit;
use crate::lock::hold;
use crate::seed::id;

/// Calls counted by user in the present hour.
#[derive(Debug, Default)]
pub(crate) struct RateWindows(Mutex<HashMap<String, (i64, u32)>>);

/// What the rule says about one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ruling {
    limit: u32,
    /// Epoch second at which the window ends.
    reset: i64,
    now: i64,
    pub(crate) exceeded: bool,
}

impl RateWindows {
    /// Counts a call.
    pub(crate) fn count(&self, limit: RateLimit, user: &str, now: DateTime<Utc>) -> Ruling {
        let now = now.timestamp();
        let hour = now.div_euclid(3600);
        let mut windows = hold(&self.0);
        let window = windows.entry(user.to_owned()).or_insert((hour, 0));
        if window.0 != hour {
            *window = (hour, 0);
        }
        window.1 = window.1.saturating_add(1);
        Ruling {
            limit: limit.per_hour,
            reset: (hour + 1) * 3600,
            now,
            exceeded: window.1 > limit.per_hour,
        }
    }
}

impl Ruling {
    /// The headers of every call the rule matches, also of those that pass.
    pub(crate) fn mark(self, answer: Answer) -> Answer {
        answer
            .with("X-RateLimit-Limit", &self.limit.to_string())
            .with("X-RateLimit-Reset", &self.reset.to_string())
            .with(
                "X-RateLimit-Rule",
                &id::of("sys_rate_limit_rules", "bridge"),
            )
    }

    /// A9 of wire contract 16.3.
    pub(crate) fn refuse(self, api: &str) -> Answer {
        let detail = format!(
            "Rate limit of {} requests per hour for {api} exceeded",
            self.limit
        );
        let answer = Answer::error(429, "Rate limit exceeded", &json!(detail));
        answer.with("Retry-After", &(self.reset - self.now).to_string())
    }
}
