//! The side of a process: where its jobs ask for permits, and one of them at a time takes a step for all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, oneshot, oneshot::error::TryRecvError};
use tokio::time::Instant;

use super::{Answer, Call, Ledger, Quiet, Report, State, Step, Taken, Want, Why, Window};
use crate::clock::SharedClock;
use crate::config::ConnectionSettings;

/// How long a call waits while as many as may be are under way. A job that waits here costs less than one that is put off and
/// claimed again; longer than this the instance is slow, and the handler is wanted elsewhere.
const PATIENCE: Duration = Duration::from_secs(5);

/// When a job that waited in vain is tried again.
const PUT_OFF: TimeDelta = TimeDelta::seconds(1);

/// How often is asked whether another process has given something back.
const POLL: Duration = Duration::from_millis(50);

/// What the configuration says of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The most calls at a time, over all processes.
    pub most: u32,
    /// The share of an hour, in percent, that is kept for the work on open tickets.
    pub reserve_percent: u32,
}

impl From<&ConnectionSettings> for Terms {
    fn from(settings: &ConnectionSettings) -> Self {
        Self {
            most: u32::try_from(settings.max_in_flight).unwrap_or(u32::MAX),
            reserve_percent: settings.reserve_percent,
        }
    }
}

/// A call that may not be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttled {
    /// When it may be tried again.
    pub until: DateTime<Utc>,
    /// Why, for people.
    pub reason: String,
}

/// What is known of a connection, for people and gauges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub connection: String,
    /// Calls at a time that the instance is believed to bear.
    pub width: u32,
    /// Calls under way, of all processes.
    pub under_way: u32,
    /// The rule whose hour has the fewest calls left, by its id; `-` where the instance names none. `None` while no limit is known.
    pub rule: Option<String>,
    /// That hour.
    pub window: Option<Window>,
    /// Until when nobody calls, and why.
    pub throttled: Option<Throttled>,
}

/// The budgets of all connections, as one process sees them.
pub struct Budget(BTreeMap<String, Arc<Desk>>);

/// The right to make one call. Dropped, it is given back without a word on how the call ended.
pub struct BudgetPermit {
    desk: Arc<Desk>,
    is_open: bool,
}

struct Desk {
    connection: String,
    terms: Terms,
    ledger: Arc<dyn Ledger>,
    clock: SharedClock,
    owner: String,
    lease: Duration,
    turn: tokio::sync::Mutex<()>,
    news: Notify,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    held: u32,
    reports: Vec<Report>,
    asked: Vec<Asked>,
    told: Vec<oneshot::Sender<()>>,
    /// Something has happened since the last step.
    is_fresh: bool,
    state: State,
}

struct Asked {
    call: Call,
    reply: oneshot::Sender<Result<BudgetPermit, Throttled>>,
}

impl Budget {
    /// For the connections of `terms`. The process `owner` is taken for dead when it takes no step for `lease`.
    pub fn new(
        ledger: &Arc<dyn Ledger>,
        clock: &SharedClock,
        owner: &str,
        lease: Duration,
        terms: impl IntoIterator<Item = (String, Terms)>,
    ) -> Self {
        let desk = |(connection, terms): (String, Terms)| {
            let desk = Desk {
                connection: connection.clone(),
                terms,
                ledger: Arc::clone(ledger),
                clock: Arc::clone(clock),
                owner: owner.to_owned(),
                lease,
                turn: tokio::sync::Mutex::default(),
                news: Notify::new(),
                // What others know already is looked up with the first heart-beat.
                book: Mutex::new(Book {
                    is_fresh: true,
                    ..Book::default()
                }),
            };
            (connection, Arc::new(desk))
        };
        Self(terms.into_iter().map(desk).collect())
    }

    /// Waits a little for the right to make a call. `Err` when it may not be made now.
    pub async fn take(&self, connection: &str, call: Call) -> Result<BudgetPermit, Throttled> {
        match self.0.get(connection) {
            Some(desk) => desk.take(call).await,
            None => Err(Throttled {
                until: DateTime::<Utc>::MAX_UTC,
                reason: format!("connection `{connection}` is not configured"),
            }),
        }
    }

    /// Says that this process lives, for calls that last longer than a lease, and gives back what was dropped.
    pub async fn renew(&self) {
        for desk in self.0.values() {
            let is_due = {
                let book = desk.book();
                book.held > 0 || book.is_fresh
            };
            if is_due {
                desk.tell(None).await;
            }
        }
    }

    /// Asks what others know by now, without a part in it: for whoever makes no calls. A lease of no length keeps it from being counted
    /// among those that do.
    pub async fn look(&self) {
        for desk in self.0.values() {
            desk.tell(None).await;
        }
    }

    /// What is known of each connection.
    pub fn standings(&self) -> Vec<Standing> {
        self.0.values().map(|desk| desk.standing()).collect()
    }
}

impl BudgetPermit {
    /// Gives it back with what the answer said.
    pub async fn report(mut self, report: Report) {
        self.is_open = false;
        self.desk.tell(Some(report)).await;
    }
}

impl Drop for BudgetPermit {
    fn drop(&mut self) {
        if self.is_open {
            let mut book = self.desk.book();
            book.held = book.held.saturating_sub(1);
            book.is_fresh = true;
            drop(book);
            self.desk.news.notify_one();
        }
    }
}

impl Desk {
    async fn take(self: &Arc<Self>, call: Call) -> Result<BudgetPermit, Throttled> {
        let (reply, result) = oneshot::channel();
        {
            let mut book = self.book();
            book.asked.push(Asked { call, reply });
            book.is_fresh = true;
        }
        self.news.notify_one();
        if let Some(result) = self.served(result, Instant::now() + PATIENCE).await {
            return result;
        }
        // Nobody shall wait behind a call that nobody wants any more.
        self.tell(None).await;
        let width = self.book().state.width;
        Err(Throttled {
            until: self.clock.now() + PUT_OFF,
            reason: format!("as many calls as the instance bears ({width}) were under way"),
        })
    }

    /// One permit less when there is a report; returns when the ledger knows.
    async fn tell(self: &Arc<Self>, report: Option<Report>) {
        let (reply, result) = oneshot::channel();
        {
            let mut book = self.book();
            if let Some(report) = report {
                book.held = book.held.saturating_sub(1);
                book.reports.push(report);
            }
            book.told.push(reply);
            book.is_fresh = true;
        }
        self.news.notify_one();
        self.served(result, Instant::now() + PATIENCE).await;
    }

    /// Waits for a result. Whoever has the turn takes the steps for all, until its own result is there.
    async fn served<T>(
        self: &Arc<Self>,
        mut result: oneshot::Receiver<T>,
        deadline: Instant,
    ) -> Option<T> {
        let _turn = tokio::select! {
            biased;
            result = &mut result => return result.ok(),
            turn = self.turn.lock() => turn,
            () = tokio::time::sleep_until(deadline) => return None,
        };
        let mut polled = false;
        loop {
            if polled || std::mem::take(&mut self.book().is_fresh) {
                self.step().await;
            }
            match result.try_recv() {
                Ok(result) => return Some(result),
                Err(TryRecvError::Closed) => return None,
                Err(TryRecvError::Empty) if Instant::now() >= deadline => return None,
                Err(TryRecvError::Empty) => {}
            }
            polled = tokio::select! {
                () = self.news.notified() => false,
                () = tokio::time::sleep(POLL) => true,
            };
        }
    }

    async fn step(self: &Arc<Self>) {
        let (step, told) = self.prepare();
        let wants = step.wants.clone();
        let taken = self.ledger.step(&self.connection, step).await;
        self.hand_out(&wants, taken);
        for reply in told {
            // Whoever is gone does not need to know.
            reply.send(()).ok();
        }
    }

    fn prepare(&self) -> (Step, Vec<oneshot::Sender<()>>) {
        let now = self.clock.now();
        let lease = TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::MAX);
        let mut book = self.book();
        book.is_fresh = false;
        book.asked.retain(|asked| !asked.reply.is_closed());
        let mut counts = BTreeMap::<Call, u32>::new();
        for asked in &book.asked {
            *counts.entry(asked.call.clone()).or_default() += 1;
        }
        let want = |(call, count): (Call, u32)| Want {
            class: call.class,
            reserve: call.class.may_use_reserve(),
            resource: call.resource,
            count,
        };
        let step = Step {
            now: now.timestamp_millis(),
            owner: self.owner.clone(),
            until: (now + lease).timestamp_millis(),
            held: book.held,
            reports: std::mem::take(&mut book.reports),
            wants: counts.into_iter().map(want).collect(),
            most: self.terms.most,
            reserve_percent: i64::from(self.terms.reserve_percent),
            quiet: book.state.quiet.clone(),
        };
        (step, std::mem::take(&mut book.told))
    }

    fn hand_out(self: &Arc<Self>, wants: &[Want], taken: Taken) {
        let mut refused = Vec::new();
        let mut granted = Vec::new();
        let mut book = self.book();
        book.state = taken.state;
        for (want, answer) in wants.iter().zip(&taken.answers) {
            let mut left = answer.granted;
            for asked in std::mem::take(&mut book.asked) {
                let is_meant =
                    asked.call.class == want.class && asked.call.resource == want.resource;
                if is_meant && left > 0 {
                    left -= 1;
                    granted.push(asked.reply);
                } else if is_meant && answer.why != Why::Full {
                    refused.push((asked.reply, self.throttled(*answer)));
                } else {
                    book.asked.push(asked);
                }
            }
            // Somebody has gone meanwhile: the next step puts the ledger right.
            book.is_fresh |= left > 0;
        }
        book.held += u32::try_from(granted.len()).unwrap_or(u32::MAX);
        // A permit whose taker has gone is dropped, which looks into the book.
        drop(book);
        for reply in granted {
            let permit = BudgetPermit {
                desk: Arc::clone(self),
                is_open: true,
            };
            drop(reply.send(Ok(permit)));
        }
        for (reply, throttled) in refused {
            drop(reply.send(Err(throttled)));
        }
    }

    fn throttled(&self, answer: Answer) -> Throttled {
        let reason = match answer.why {
            Why::Full => "as many calls as the instance bears are under way".to_owned(),
            Why::RateLimited => "a rate-limit rule of the instance was hit".to_owned(),
            Why::Busy => "the instance was full".to_owned(),
            Why::Spent => "the calls of this hour are used up".to_owned(),
            Why::Reserve => format!(
                "the last {} % of the calls of this hour are kept for open tickets",
                self.terms.reserve_percent
            ),
        };
        Throttled {
            until: moment(answer.until),
            reason,
        }
    }

    fn standing(&self) -> Standing {
        let now = self.clock.now().timestamp_millis();
        let book = self.book();
        let State { quiet, windows, .. } = &book.state;
        let running = windows.iter().filter(|(_, it)| now < it.reset);
        let (rule, window) = running
            .min_by_key(|(_, it)| it.left)
            .map(|(rule, window)| (rule.clone(), window.clone()))
            .unzip();
        let spent = window.as_ref().filter(|it| it.left == 0);
        let refusal = match (quiet, spent) {
            (Quiet { until, limited }, _) if now < *until => {
                let why = if *limited {
                    Why::RateLimited
                } else {
                    Why::Busy
                };
                Some((why, *until))
            }
            (_, Some(window)) => Some((Why::Spent, window.reset)),
            _ => None,
        };
        let refused = |(why, until)| Answer {
            granted: 0,
            why,
            until,
        };
        Standing {
            connection: self.connection.clone(),
            width: match book.state.width {
                0 => self.terms.most,
                width => width,
            },
            under_way: book.state.under_way(),
            rule,
            window,
            throttled: refusal.map(|it| self.throttled(refused(it))),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn moment(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
