//! What was measured, in figures.

use std::time::Duration;

use super::Arguments;
use super::installation::Outcome;

/// Everything that was counted.
pub(super) struct Figures {
    pub(super) kills: u32,
    /// From the kill to the next start, for each job in hand.
    pub(super) started: Vec<Duration>,
    pub(super) outcome: Outcome,
}

impl Figures {
    /// Whether every promise was kept, with nine and a half of ten jobs within the bound.
    pub(super) fn hold(&self, bound_seconds: f64) -> bool {
        let Outcome {
            doubled,
            without,
            dead,
            ..
        } = self.outcome;
        let fast = self
            .share(95)
            .is_some_and(|it| it.as_secs_f64() <= bound_seconds);
        fast && doubled == 0 && without == 0 && dead == 0
    }

    pub(super) fn table(&self, arguments: &Arguments) -> String {
        let seconds = |time: Option<Duration>| {
            time.map_or_else(|| "-".to_owned(), |it| format!("{:.2} s", it.as_secs_f64()))
        };
        let rows = [
            ("seed", arguments.seed.to_string()),
            ("workers killed", self.kills.to_string()),
            ("jobs in hand", self.started.len().to_string()),
            ("next start, p50", seconds(self.share(50))),
            ("next start, p95", seconds(self.share(95))),
            ("next start, longest", seconds(self.share(100))),
            ("p95 may be", format!("{:.2} s", arguments.bound_seconds)),
            ("requests", self.outcome.requests.to_string()),
            ("requests without ticket", self.outcome.without.to_string()),
            ("duplicate tickets", self.outcome.doubled.to_string()),
            ("jobs given up", self.outcome.dead.to_string()),
        ];
        let lines = rows.map(|(name, figure)| format!("{name:<24}{figure:>12}"));
        lines.join("\n")
    }

    /// The time within which this share of the jobs began anew, in percent.
    fn share(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.started.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(millis: impl IntoIterator<Item = u64>, doubled: usize) -> Figures {
        Figures {
            kills: 1,
            started: millis.into_iter().map(Duration::from_millis).collect(),
            outcome: Outcome {
                requests: 1,
                without: 0,
                doubled,
                dead: 0,
            },
        }
    }

    #[test]
    fn shares_are_of_the_sorted_times() {
        let figures = figures((1..=100).rev(), 0);
        assert_eq!(figures.share(50), Some(Duration::from_millis(50)));
        assert_eq!(figures.share(95), Some(Duration::from_millis(95)));
        assert_eq!(figures.share(100), Some(Duration::from_millis(100)));
    }

    #[test]
    fn a_slow_twentieth_a_duplicate_or_no_figure_breaks_the_promise() {
        assert!(figures([1_000, 9_000], 0).hold(10.0));
        assert!(!figures([1_000, 11_000], 0).hold(10.0));
        assert!(!figures([1_000], 1).hold(10.0));
        assert!(!figures([], 0).hold(10.0), "nothing was measured");
    }
}
