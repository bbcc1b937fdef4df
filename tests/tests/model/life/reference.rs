//! The model: requests, jobs, leases and processes as plain values.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;
use shared::job::{JobKind, JobState, POISON};
use shared::request::RequestState;

/// Requests that steps are about: few, so that steps collide. Odd ones are owned by their source, those from 2 on have
/// callbacks.
const KEYS: u8 = 4;
const OWNERS: u8 = 3;
/// Bells that nobody answered for so many seconds are rung again.
pub(super) const UNANSWERED: i64 = 5;

/// What may happen next.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Ask {
        key: u8,
    },
    Say {
        key: u8,
        word: Word,
    },
    TicketMoves {
        key: u8,
        to: RequestState,
    },
    ChangeWhatWasReadBefore {
        key: u8,
    },
    TakeDue {
        room: usize,
    },
    RingAgain {
        kind: JobKind,
    },
    Claim {
        job: usize,
        owner: u8,
    },
    Finish {
        lease: usize,
        how: How,
        is_stale: bool,
    },
    Unpark {
        kind: JobKind,
    },
    Revive {
        job: usize,
    },
    LoseProcess {
        owner: u8,
    },
    StartProcess {
        owner: u8,
    },
    Reclaim,
    Wait {
        seconds: i64,
    },
}

/// What a source may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    InProgress,
    OnHold,
    Fulfilled,
    Denied,
    Withdrawn,
    Comment,
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Done,
    Retry,
    Hold,
    Park,
    Dead,
    Cancelled,
}

/// What the last step is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Status(u16),
    Done(bool),
    Illegal,
    Count(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    pub(super) state: RequestState,
    pub(super) version: i64,
    pub(super) has_ticket: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Job {
    pub(super) key: u8,
    pub(super) kind: JobKind,
    pub(super) state: JobState,
    pub(super) due_at: i64,
    pub(super) rung_at: Option<i64>,
    pub(super) attempts: i32,
    pub(super) owner: Option<u8>,
    pub(super) token: i64,
    pub(super) deaths: i32,
    pub(super) again: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Lease {
    pub(super) job: usize,
    pub(super) owner: u8,
    pub(super) token: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Reference {
    /// Seconds since the start.
    pub(super) now: i64,
    pub(super) requests: BTreeMap<u8, Request>,
    /// In the order they were made.
    pub(super) jobs: Vec<Job>,
    pub(super) leases: Vec<Lease>,
    pub(super) alive: BTreeSet<u8>,
    pub(super) said: Said,
}

pub(super) fn is_owned(key: u8) -> bool {
    key % 2 == 1
}

pub(super) fn has_callback(key: u8) -> bool {
    key >= 2
}

impl Job {
    pub(super) fn is_live(&self) -> bool {
        matches!(
            self.state,
            JobState::Due | JobState::Rung | JobState::Running | JobState::Parked
        )
    }
}

fn step(jobs: usize, leases: usize) -> BoxedStrategy<Step> {
    use RequestState::{Cancelled, Denied, Fulfilled, InProgress, OnHold, Open};
    let word = prop::sample::select(vec![
        Word::InProgress,
        Word::OnHold,
        Word::Fulfilled,
        Word::Denied,
        Word::Withdrawn,
        Word::Comment,
    ]);
    let shown = prop::sample::select(vec![Open, InProgress, OnHold, Fulfilled, Denied, Cancelled]);
    let how = prop_oneof![
        4 => Just(How::Done), 2 => Just(How::Retry), 1 => Just(How::Hold),
        1 => Just(How::Park), 1 => Just(How::Dead), 1 => Just(How::Cancelled),
    ];
    let kind = || {
        prop::sample::select(vec![
            JobKind::CreateTicket,
            JobKind::UpdateServicenowStatus,
            JobKind::DeliverCallback,
        ])
    };
    let (job, lease) = (0..jobs.max(1), 0..leases.max(1));
    prop_oneof![
        3 => (0..KEYS).prop_map(|key| Step::Ask { key }),
        3 => (0..KEYS, word).prop_map(|(key, word)| Step::Say { key, word }),
        2 => (0..KEYS, shown).prop_map(|(key, to)| Step::TicketMoves { key, to }),
        1 => (0..KEYS).prop_map(|key| Step::ChangeWhatWasReadBefore { key }),
        2 => (0_usize..4).prop_map(|room| Step::TakeDue { room }),
        1 => kind().prop_map(|kind| Step::RingAgain { kind }),
        6 => (job.clone(), 0..OWNERS).prop_map(|(job, owner)| Step::Claim { job, owner }),
        6 => (lease, how, prop::bool::weighted(0.15)).prop_map(|(lease, how, is_stale)| Step::Finish { lease, how, is_stale }),
        1 => kind().prop_map(|kind| Step::Unpark { kind }),
        1 => job.prop_map(|job| Step::Revive { job }),
        1 => (0..OWNERS).prop_map(|owner| Step::LoseProcess { owner }),
        1 => (0..OWNERS).prop_map(|owner| Step::StartProcess { owner }),
        1 => Just(Step::Reclaim),
        2 => (1_i64..10).prop_map(|seconds| Step::Wait { seconds }),
    ]
    .boxed()
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self {
            now: 0,
            requests: BTreeMap::new(),
            jobs: Vec::new(),
            leases: Vec::new(),
            alive: BTreeSet::new(),
            said: Said::Nothing,
        })
        .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        step(state.jobs.len(), state.leases.len())
    }

    fn preconditions(state: &Self, step: &Step) -> bool {
        let knows = |key| state.requests.contains_key(key);
        match step {
            Step::Say { key, .. } | Step::ChangeWhatWasReadBefore { key } => knows(key),
            // Where the source decides, what a ticket shows moves nothing.
            Step::TicketMoves { key, .. } => {
                !is_owned(*key) && state.requests.get(key).is_some_and(|it| it.has_ticket)
            }
            Step::Claim { job, .. } | Step::Revive { job } => *job < state.jobs.len(),
            Step::Finish { lease, .. } => *lease < state.leases.len(),
            Step::TakeDue { room } => state.is_plain_whom_to_ring(*room),
            Step::LoseProcess { owner } => state.alive.contains(owner),
            Step::StartProcess { owner } => !state.alive.contains(owner),
            _ => true,
        }
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        state.said = state.take(step);
        state
    }
}

impl Reference {
    fn take(&mut self, step: &Step) -> Said {
        match *step {
            Step::Ask { key } => self.ask(key),
            Step::Say { key, word } => return Said::Status(self.say(key, word)),
            Step::TicketMoves { key, to } => return self.ticket_moves(key, to),
            Step::ChangeWhatWasReadBefore { .. } => {}
            Step::TakeDue { room } => return Said::Count(self.take_due(room)),
            Step::RingAgain { kind } => return Said::Count(self.ring_again(kind)),
            Step::Claim { job, owner } => return Said::Done(self.claim(job, owner)),
            Step::Finish {
                lease,
                how,
                is_stale,
            } => return Said::Done(self.finish(lease, how, is_stale)),
            Step::Unpark { kind } => return Said::Count(self.unpark(kind)),
            Step::Revive { job } => return Said::Done(self.revive(job)),
            Step::LoseProcess { owner } => drop(self.alive.remove(&owner)),
            Step::StartProcess { owner } => drop(self.alive.insert(owner)),
            Step::Reclaim => return Said::Count(self.reclaim()),
            Step::Wait { seconds } => self.now += seconds,
        }
        Said::Nothing
    }

    fn ask(&mut self, key: u8) {
        if self.requests.contains_key(&key) {
            return;
        }
        let request = Request {
            state: RequestState::Accepted,
            version: 1,
            has_ticket: false,
        };
        self.requests.insert(key, request);
        self.insert(key, JobKind::CreateTicket);
    }

    fn insert(&mut self, key: u8, kind: JobKind) {
        let mut held = self.jobs.iter_mut();
        if let Some(holder) = held.find(|job| job.key == key && job.kind == kind && job.is_live()) {
            holder.again = holder.state == JobState::Running;
            return;
        }
        self.jobs.push(Job {
            key,
            kind,
            state: JobState::Rung,
            due_at: self.now,
            rung_at: Some(self.now),
            attempts: 0,
            owner: None,
            token: 0,
            deaths: 0,
            again: false,
        });
    }

    /// Moves a request where its state allows it; says whether it has moved.
    fn moves(&mut self, key: u8, to: RequestState) -> bool {
        let Some(request) = self.requests.get_mut(&key) else {
            return false;
        };
        if !request.state.may_become(to) {
            return false;
        }
        request.state = to;
        request.version += 1;
        if has_callback(key) {
            self.insert(key, JobKind::DeliverCallback);
        }
        true
    }

    fn say(&mut self, key: u8, word: Word) -> u16 {
        let state = self.requests[&key].state;
        let to = match word {
            Word::Comment => None,
            Word::Withdrawn => Some(RequestState::Cancelled),
            _ if !is_owned(key) => return 409,
            Word::InProgress => Some(RequestState::InProgress),
            Word::OnHold => Some(RequestState::OnHold),
            Word::Fulfilled => Some(RequestState::Fulfilled),
            Word::Denied => Some(RequestState::Denied),
        };
        if state.is_final() && to != Some(state) {
            return 409;
        }
        let moved = to.is_some_and(|to| self.moves(key, to));
        let ends = matches!(to, Some(RequestState::Cancelled | RequestState::Denied));
        if ends && self.cancel_unstarted(key, JobKind::CreateTicket) {
            self.cancel_unstarted(key, JobKind::UpdateServicenowStatus);
        } else if moved || word == Word::Comment {
            self.insert(key, JobKind::UpdateServicenowStatus);
        }
        200
    }

    fn cancel_unstarted(&mut self, key: u8, kind: JobKind) -> bool {
        let of_it = self
            .jobs
            .iter_mut()
            .filter(|job| job.key == key && job.kind == kind && job.token == 0 && job.is_live());
        let cancelled = of_it.map(|job| job.state = JobState::Cancelled);
        cancelled.count() > 0
    }

    fn ticket_moves(&mut self, key: u8, to: RequestState) -> Said {
        let from = self.requests[&key].state;
        if from == to {
            return Said::Done(false);
        }
        if self.moves(key, to) {
            Said::Done(true)
        } else {
            Said::Illegal
        }
    }

    /// The due jobs of a kind, the longest due first.
    fn due(&self, kind: JobKind) -> Vec<usize> {
        let mut due: Vec<usize> = (0..self.jobs.len())
            .filter(|at| {
                let job = &self.jobs[*at];
                job.kind == kind && job.state == JobState::Due && job.due_at <= self.now
            })
            .collect();
        due.sort_by_key(|at| self.jobs[*at].due_at);
        due
    }

    /// Whether no two jobs with the same time stand on either side of what fits.
    fn is_plain_whom_to_ring(&self, room: usize) -> bool {
        JobKind::ALL.into_iter().all(|kind| {
            let due = self.due(kind);
            let at = |index: usize| due.get(index).map(|job| self.jobs[*job].due_at);
            room == 0 || at(room).is_none_or(|next| at(room - 1) != Some(next))
        })
    }

    fn take_due(&mut self, room: usize) -> usize {
        let mut count = 0;
        for kind in JobKind::ALL {
            for at in self.due(kind).into_iter().take(room) {
                self.jobs[at].state = JobState::Rung;
                self.jobs[at].rung_at = Some(self.now);
                count += 1;
            }
        }
        count
    }

    fn ring_again(&mut self, kind: JobKind) -> usize {
        let (now, before) = (self.now, self.now - UNANSWERED);
        let unanswered = self.jobs.iter_mut().filter(|job| {
            job.kind == kind
                && job.state == JobState::Rung
                && job.rung_at.is_some_and(|at| at < before)
        });
        unanswered.map(|job| job.rung_at = Some(now)).count()
    }

    fn claim(&mut self, at: usize, owner: u8) -> bool {
        let job = &mut self.jobs[at];
        if !matches!(job.state, JobState::Due | JobState::Rung) || job.due_at > self.now {
            return false;
        }
        (job.state, job.again, job.owner) = (JobState::Running, false, Some(owner));
        job.token += 1;
        self.leases.push(Lease {
            job: at,
            owner,
            token: job.token,
        });
        true
    }

    fn finish(&mut self, lease: usize, how: How, is_stale: bool) -> bool {
        let lease = self.leases[lease].clone();
        let now = self.now;
        let job = &mut self.jobs[lease.job];
        let holds = job.state == JobState::Running
            && job.owner == Some(lease.owner)
            && job.token == lease.token;
        if !holds || is_stale {
            return false;
        }
        let again = std::mem::take(&mut job.again);
        job.rung_at = None;
        job.deaths = 0;
        match how {
            How::Done | How::Dead if again => {
                (job.state, job.due_at, job.attempts) = (JobState::Due, now, 0);
            }
            How::Done => (job.state, job.attempts) = (JobState::Done, job.attempts + 1),
            How::Dead => (job.state, job.attempts) = (JobState::Dead, job.attempts + 1),
            How::Retry | How::Hold => {
                (job.state, job.due_at) = (JobState::Due, now + 5);
                job.attempts += i32::from(how == How::Retry);
            }
            How::Park => job.state = JobState::Parked,
            How::Cancelled => job.state = JobState::Cancelled,
        }
        if job.kind == JobKind::CreateTicket {
            let key = job.key;
            self.create_ended(key, how);
        }
        true
    }

    /// What the end of a create says about its request.
    fn create_ended(&mut self, key: u8, how: How) {
        use RequestState::{Accepted, Denied, Open, Opening};
        let state = self.requests[&key].state;
        match how {
            How::Done => {
                if let Some(request) = self.requests.get_mut(&key) {
                    request.has_ticket = true;
                }
                if matches!(state, Accepted | Opening) {
                    self.moves(key, Open);
                }
            }
            How::Retry => drop(self.moves(key, Opening)),
            How::Dead => drop(self.moves(key, Denied)),
            How::Hold | How::Park | How::Cancelled => {}
        }
    }

    fn unpark(&mut self, kind: JobKind) -> usize {
        let now = self.now;
        let parked = self
            .jobs
            .iter_mut()
            .filter(|job| job.kind == kind && job.state == JobState::Parked);
        parked
            .map(|job| (job.state, job.due_at) = (JobState::Due, now))
            .count()
    }

    fn revive(&mut self, at: usize) -> bool {
        let it = &self.jobs[at];
        let is_held = self.jobs.iter().enumerate().any(|(other, job)| {
            other != at && job.key == it.key && job.kind == it.kind && job.is_live()
        });
        if is_held || !matches!(it.state, JobState::Dead | JobState::Parked) {
            return false;
        }
        let now = self.now;
        let it = &mut self.jobs[at];
        (it.state, it.due_at, it.attempts) = (JobState::Due, now, 0);
        true
    }

    fn reclaim(&mut self) -> usize {
        let now = self.now;
        let alive = &self.alive;
        let lost = self.jobs.iter_mut().filter(|job| {
            job.state == JobState::Running && job.owner.is_none_or(|owner| !alive.contains(&owner))
        });
        lost.map(|job| {
            (job.state, job.rung_at) = (JobState::Due, None);
            job.deaths += 1;
            if job.deaths >= POISON {
                job.due_at = now;
            }
        })
        .count()
    }
}
