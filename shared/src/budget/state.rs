//! What is known of an instance's limits, and the one decision made from it. `exchange.lua` takes the same steps; the suite
//! `budget` of the tests compares the two.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

use super::step::{Answer, Report, Step, Verdict, Want, Why};

/// Calls that end within this time after the limit was halved say nothing new: they were under way already.
const SAME_CUT_MS: i64 = 1000;

/// Moments of reset that differ by less name the same window: they are measured with a server's clock of whole seconds.
const SAME_WINDOW_MS: i64 = 60_000;

/// A silence and its cause.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quiet {
    /// Nobody calls before; 0 when there is none.
    pub until: i64,
    /// Whether a rule was hit; else the instance was full.
    pub limited: bool,
}

/// The hour of a rate-limit rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Calls an hour.
    pub limit: i64,
    /// Calls left, as far as we know.
    pub left: i64,
    /// When the count begins anew.
    pub reset: i64,
}

/// What one process holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Calls under way.
    pub held: u32,
    /// Calls it waits for, by class.
    pub waiting: [u32; 4],
    /// When it is taken for dead.
    pub until: i64,
}

/// Everything that is known of one instance. It grows with the processes that live and the rules that apply, nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// The silence that was asked for last.
    pub quiet: Quiet,
    /// Calls at a time; 0 before the first step.
    pub width: u32,
    /// Good answers since `width` last changed.
    pub good: u32,
    /// When `width` was last halved.
    pub cut_at: i64,
    /// Which rule counts a resource.
    pub rules: BTreeMap<String, String>,
    /// The hours, by rule.
    pub windows: BTreeMap<String, Window>,
    /// The processes.
    pub holders: BTreeMap<String, Holder>,
}

impl State {
    /// Takes one step.
    pub fn step(&mut self, step: &Step) -> Vec<Answer> {
        self.forget(step.now);
        self.width = match self.width {
            0 => step.most,
            width => width.min(step.most),
        };
        let under_way = i64::from(self.under_way());
        for report in &step.reports {
            self.learn_window(report, step.now, under_way);
            self.learn_verdict(report, step);
        }
        self.be_quiet(&step.quiet);
        let holder = Holder {
            held: step.held,
            waiting: [0; 4],
            until: step.until,
        };
        self.holders.insert(step.owner.clone(), holder);
        step.wants
            .iter()
            .map(|want| self.answer(step, want))
            .collect()
    }

    /// Calls under way, of all processes.
    pub fn under_way(&self) -> u32 {
        self.holders.values().map(|it| it.held).sum()
    }

    fn forget(&mut self, now: i64) {
        self.holders.retain(|_, holder| now < holder.until);
        self.windows.retain(|_, window| now < window.reset);
        let windows = &self.windows;
        self.rules.retain(|_, rule| windows.contains_key(rule));
    }

    /// What is under way may have been counted already in a window, or for a resource, that is news to us.
    fn learn_window(&mut self, report: &Report, now: i64, under_way: i64) {
        if report.rule.is_empty() || report.limit <= 0 || report.reset <= now {
            return;
        }
        let rule = Some(&report.rule);
        let is_news = self
            .rules
            .insert(report.resource.clone(), report.rule.clone())
            .as_ref()
            != rule;
        let fresh = Window {
            limit: report.limit,
            left: (report.limit - under_way).max(0),
            reset: report.reset,
        };
        let window = match self.windows.entry(report.rule.clone()) {
            Entry::Vacant(place) => place.insert(fresh),
            Entry::Occupied(place) => {
                let window = place.into_mut();
                if report.reset > window.reset + SAME_WINDOW_MS {
                    *window = fresh;
                } else if is_news {
                    window.left -= under_way;
                }
                window
            }
        };
        window.left = (window.left + report.limit - window.limit).max(0);
        window.limit = report.limit;
        if report.remaining >= 0 {
            window.left = window.left.min(report.remaining);
        }
        if report.verdict == Verdict::RateLimited {
            window.left = 0;
        }
    }

    fn learn_verdict(&mut self, report: &Report, step: &Step) {
        match report.verdict {
            Verdict::Ok => self.widen(step.most),
            Verdict::Slow => self.narrow(step.now),
            Verdict::Busy => {
                self.narrow(step.now);
                self.be_quiet(&Quiet {
                    until: step.now + report.quiet_ms,
                    limited: false,
                });
            }
            Verdict::RateLimited => self.be_quiet(&Quiet {
                until: step.now + report.quiet_ms,
                limited: true,
            }),
            Verdict::Other => {}
        }
    }

    /// One call more at a time after as many good answers as there may be calls.
    fn widen(&mut self, most: u32) {
        self.good += 1;
        if self.good >= self.width {
            self.good = 0;
            self.width = (self.width + 1).min(most);
        }
    }

    /// Half as many calls at a time.
    fn narrow(&mut self, now: i64) {
        self.good = 0;
        if now >= self.cut_at + SAME_CUT_MS {
            self.width = (self.width / 2).max(1);
            self.cut_at = now;
        }
    }

    /// The later silence holds.
    fn be_quiet(&mut self, quiet: &Quiet) {
        if quiet.until > self.quiet.until {
            self.quiet = quiet.clone();
        }
    }

    fn answer(&mut self, step: &Step, want: &Want) -> Answer {
        if step.now < self.quiet.until {
            let why = if self.quiet.limited {
                Why::RateLimited
            } else {
                Why::Busy
            };
            return refused(why, self.quiet.until);
        }
        let mut granted = want.count.min(self.free_for(step, want));
        let rule = self.rules.get(&want.resource).cloned();
        let window = rule.and_then(|rule| self.windows.get_mut(&rule));
        if let Some(window) = window {
            let reserve = window.limit * step.reserve_percent / 100;
            let kept = if want.reserve { 0 } else { reserve };
            let open = u32::try_from((window.left - kept).max(0)).unwrap_or(u32::MAX);
            if open == 0 {
                let why = if window.left > 0 {
                    Why::Reserve
                } else {
                    Why::Spent
                };
                return refused(why, window.reset);
            }
            granted = granted.min(open);
            window.left -= i64::from(granted);
        }
        if let Some(holder) = self.holders.get_mut(&step.owner) {
            holder.held += granted;
            holder.waiting[want.class.place()] += want.count - granted;
        }
        Answer {
            granted,
            why: Why::Full,
            until: 0,
        }
    }

    /// Calls that may be added now, less those that others wait for with more urgency.
    fn free_for(&self, step: &Step, want: &Want) -> u32 {
        let others = self
            .holders
            .iter()
            .filter(|(name, _)| **name != step.owner)
            .map(|(_, holder)| holder);
        let urgent: u32 = others
            .map(|holder| holder.waiting[..want.class.place()].iter().sum::<u32>())
            .sum();
        self.width
            .saturating_sub(self.under_way())
            .saturating_sub(urgent)
    }
}

fn refused(why: Why, until: i64) -> Answer {
    Answer {
        granted: 0,
        why,
        until,
    }
}
