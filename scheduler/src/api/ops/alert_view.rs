use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::alert::AlertName;
use shared::config::{AlertDestination, DestinationKind};
use shared::store::alerts::messages::{Known, Message};
use shared::store::alerts::{Alert, Finding, Silence};
use utoipa::ToSchema;

use crate::Scheduler;
use crate::alerts::{runbook, words};

/// Every alert, who is told, and what was told last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct AlertList {
    /// Whether anything is looked at: there is a destination.
    pub(crate) is_on: bool,
    pub(crate) items: Vec<AlertView>,
    pub(crate) destinations: Vec<DestinationView>,
    /// The newest messages, newest first.
    pub(crate) history: Vec<MessageView>,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Alert)]
pub(crate) struct AlertView {
    #[schema(example = "dead_jobs")]
    pub(crate) name: String,
    /// What it is about.
    #[schema(example = "Dead jobs")]
    pub(crate) title: String,
    /// Whether its rule is looked at.
    pub(crate) enabled: bool,
    /// `info`, `warning` or `critical`.
    pub(crate) severity: String,
    /// `resolved` (does not hold), `pending` (holds, not for long enough), `firing` (holds, is told) or `quiet` (holds, an operator has
    /// silenced it).
    #[schema(example = "firing")]
    pub(crate) state: String,
    /// Since when it holds; of one that is resolved, since when it does not.
    pub(crate) since: DateTime<Utc>,
    /// What the last look counted; null when there was nothing to count.
    pub(crate) figure: Option<i64>,
    /// From when on it holds.
    pub(crate) threshold: u32,
    /// For how long it must hold, in seconds.
    pub(crate) for_seconds: u32,
    /// For how long it is not told again while it holds, in minutes.
    pub(crate) quiet_minutes: u32,
    /// Where it holds.
    pub(crate) findings: Vec<FindingView>,
    /// An operator keeps it quiet.
    pub(crate) silence: Option<SilenceView>,
    /// When a destination last took a message about it.
    pub(crate) last_sent_at: Option<DateTime<Utc>>,
    /// Why its newest message has not been taken by a destination.
    pub(crate) last_error: Option<String>,
    /// Who is told.
    pub(crate) destinations: Vec<String>,
    /// The page of the console that shows it.
    #[schema(example = "/console/jobs?state=dead")]
    pub(crate) page: String,
    /// What to do first.
    pub(crate) advice: String,
    /// The heading of the runbook.
    #[schema(example = "docs/operating.md#jobs-are-dead")]
    pub(crate) runbook: String,
}

/// What is the matter at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AlertFinding)]
pub(crate) struct FindingView {
    /// The lane, connection or table.
    pub(crate) at: String,
    pub(crate) what: String,
}

/// Until when, by whom and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AlertSilence)]
pub(crate) struct SilenceView {
    pub(crate) until: DateTime<Utc>,
    pub(crate) by: String,
    pub(crate) reason: String,
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AlertDestination)]
pub(crate) struct DestinationView {
    pub(crate) name: String,
    /// `webhook` or `mail`.
    pub(crate) kind: &'static str,
    /// Where it is, without what may be secret.
    pub(crate) target: String,
    /// When it last took a message.
    pub(crate) last_sent_at: Option<DateTime<Utc>>,
    /// Messages that wait for it.
    pub(crate) waiting: i64,
    /// Messages of these that it has refused before.
    pub(crate) failing: i64,
    /// Messages that were given up.
    pub(crate) given_up: i64,
}

/// A message, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AlertMessage)]
pub(crate) struct MessageView {
    pub(crate) alert: String,
    /// `fired`, `repeated` or `resolved`.
    pub(crate) told: String,
    pub(crate) destination: String,
    pub(crate) subject: String,
    /// When the change was seen.
    pub(crate) at: DateTime<Utc>,
    /// How often it was tried.
    pub(crate) attempts: i32,
    /// `sent`, `waiting` or `given_up`.
    pub(crate) state: &'static str,
    /// When the destination took it.
    pub(crate) sent_at: Option<DateTime<Utc>>,
    /// When it is tried again.
    pub(crate) next_at: Option<DateTime<Utc>>,
    /// What the destination answered last, or why it did not.
    pub(crate) answer: Option<String>,
}

impl AlertView {
    pub(crate) fn of(scheduler: &Scheduler, alert: Alert, history: &[MessageView]) -> Self {
        let settings = &scheduler.settings;
        let rule = settings.alerts.rules.of(alert.name);
        let words = words(alert.name);
        let name = alert.name.as_str();
        let silence = alert.is_silenced(scheduler.now());
        let mut about = history.iter().filter(|it| it.alert == name);
        let last_sent_at = about.clone().filter_map(|it| it.sent_at).max();
        let unsent = about.find(|it| it.sent_at.is_none() && it.answer.is_some());
        let told = settings.alerts.destinations.keys();
        Self {
            name: name.to_owned(),
            title: words.title.to_owned(),
            enabled: settings.alerts.is_on() && rule.enabled,
            severity: rule.severity.to_string(),
            state: alert.standing.state.to_string(),
            since: alert.standing.since,
            figure: alert.figure,
            threshold: rule.threshold,
            for_seconds: rule.for_seconds,
            quiet_minutes: rule.quiet_minutes,
            findings: alert.findings.into_iter().map(FindingView::from).collect(),
            silence: alert.silence.filter(|_| silence).map(SilenceView::from),
            last_sent_at,
            last_error: unsent.and_then(|it| it.answer.clone()),
            destinations: told.filter(|it| rule.tells(it)).cloned().collect(),
            page: words.page.to_owned(),
            advice: words.advice.to_owned(),
            runbook: runbook(settings, &words),
        }
    }

    /// The order in which people want to see them.
    pub(crate) fn rank(&self) -> usize {
        let order = ["firing", "quiet", "pending", "resolved"];
        order
            .iter()
            .position(|it| *it == self.state)
            .unwrap_or(order.len())
    }
}

impl DestinationView {
    pub(crate) fn of(name: &str, settings: &AlertDestination, known: &[Known]) -> Self {
        let known = known.iter().find(|it| it.destination == name);
        Self {
            name: name.to_owned(),
            kind: match settings.kind {
                DestinationKind::Webhook => "webhook",
                DestinationKind::Mail => "mail",
            },
            target: settings.shown(),
            last_sent_at: known.and_then(|it| it.last_sent_at),
            waiting: known.map_or(0, |it| it.waiting),
            failing: known.map_or(0, |it| it.failing),
            given_up: known.map_or(0, |it| it.given_up),
        }
    }
}

impl From<Finding> for FindingView {
    fn from(it: Finding) -> Self {
        Self {
            at: it.at,
            what: it.what,
        }
    }
}

impl From<Silence> for SilenceView {
    fn from(it: Silence) -> Self {
        Self {
            until: it.until,
            by: it.by,
            reason: it.reason,
        }
    }
}

impl From<Message> for MessageView {
    fn from(it: Message) -> Self {
        let state = match (it.sent_at, it.given_up_at) {
            (Some(_), _) => "sent",
            (None, Some(_)) => "given_up",
            (None, None) => "waiting",
        };
        Self {
            alert: it.alert,
            told: it.told,
            destination: it.destination,
            subject: it.subject,
            at: it.created_at,
            attempts: it.attempts,
            state,
            sent_at: it.sent_at,
            next_at: (state == "waiting").then_some(it.next_at),
            answer: it.answer,
        }
    }
}

/// The words of every alert, for a problem about one that is none of them.
pub(crate) fn known_names() -> String {
    let names: Vec<&str> = AlertName::ALL.iter().map(|it| it.as_str()).collect();
    names.join(", ")
}
