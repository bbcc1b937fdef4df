//! Random sequences of operations on jobs, against a model that fits on a page.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sea_orm::ConnectionTrait;
use shared::job::{JobKind, JobState, Lease, NewJob};
use shared::store::jobs::{self, Cancel, Ending};
use shared::store::processes::{self, Process};
use tests::databases::{Flavour, TestDatabase, fresh};
use uuid::Uuid;

use crate::{create_job, seconds, start};

/// Requests, and so dedup keys, that the operations are about: few, so that they collide.
const KEYS: u128 = 4;
const LANE: &str = "create-ticket@main";

#[derive(Debug, Clone)]
enum Step {
    Insert { key: u128, delay: i64 },
    TakeDue { room: u64 },
    Claim { pick: usize, owner: u8 },
    Finish { pick: usize, how: u8, stale: bool },
    RingAgain,
    Reclaim,
    LoseProcess { owner: u8 },
    SignOff { owner: u8 },
    Acquit { owner: u8 },
    Unpark,
    Cancel { key: u128 },
    Wait { seconds: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..KEYS, prop_oneof![Just(0), 1_i64..20]).prop_map(|(key, delay)| Step::Insert { key, delay }),
        2 => (0_u64..4).prop_map(|room| Step::TakeDue { room }),
        4 => (any::<usize>(), 0_u8..3).prop_map(|(pick, owner)| Step::Claim { pick, owner }),
        4 => (any::<usize>(), 0_u8..6, prop::bool::weighted(0.2)).prop_map(|(pick, how, stale)| Step::Finish { pick, how, stale }),
        1 => Just(Step::RingAgain),
        1 => Just(Step::Reclaim),
        1 => (0_u8..3).prop_map(|owner| Step::LoseProcess { owner }),
        1 => (0_u8..3).prop_map(|owner| Step::SignOff { owner }),
        1 => (0_u8..3).prop_map(|owner| Step::Acquit { owner }),
        1 => Just(Step::Unpark),
        1 => (0..KEYS).prop_map(|key| Step::Cancel { key }),
        2 => (1_i64..15).prop_map(|seconds| Step::Wait { seconds }),
    ];
    prop::collection::vec(step, 1..40)
}

/// What the model knows of a job.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    key: u128,
    state: JobState,
    due_at: DateTime<Utc>,
    rung_at: Option<DateTime<Utc>>,
    attempts: i32,
    owner: Option<String>,
    token: i64,
    deaths: i32,
    again: bool,
}

/// The model: jobs by id, the living processes, the time.
struct Model {
    jobs: BTreeMap<Uuid, Known>,
    leases: Vec<(Uuid, Lease)>,
    alive: Vec<String>,
    now: DateTime<Utc>,
}

impl Known {
    fn is_live(&self) -> bool {
        matches!(
            self.state,
            JobState::Due | JobState::Rung | JobState::Running | JobState::Parked
        )
    }
}

#[test]
fn sqlite_keeps_to_the_model() {
    keeps_to_the_model(Flavour::Sqlite, 48);
}

#[test]
fn postgres_keeps_to_the_model() {
    keeps_to_the_model(Flavour::Postgres, 48);
}

fn keeps_to_the_model(flavour: Flavour, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let db = runtime.block_on(fresh(flavour));
    TestRunner::new(config)
        .run(&steps(), |steps| {
            runtime.block_on(async {
                db.store
                    .conn()
                    .execute_unprepared("DELETE FROM jobs")
                    .await
                    .unwrap();
                db.store
                    .conn()
                    .execute_unprepared("DELETE FROM processes")
                    .await
                    .unwrap();
                let mut model = Model {
                    jobs: BTreeMap::new(),
                    leases: Vec::new(),
                    alive: Vec::new(),
                    now: start(),
                };
                for owner in 0..3 {
                    model.enter(&db, owner).await;
                }
                for step in steps {
                    model.take(&db, step).await?;
                    model.compare(&db).await?;
                }
                Ok(())
            })
        })
        .unwrap();
}

impl Model {
    async fn enter(&mut self, db: &TestDatabase, owner: u8) {
        let id = format!("w{owner}");
        let process = Process {
            id: id.clone(),
            kind: "worker".into(),
            host: "host-1".into(),
            version: "0.1.0".into(),
            lanes: Vec::new(),
            started_at: self.now,
        };
        processes::register(
            db.store.conn(),
            &process,
            start() + seconds(1_000_000),
            self.now,
        )
        .await
        .unwrap();
        self.alive.push(id);
    }

    async fn take(&mut self, db: &TestDatabase, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Insert { key, delay } => self.insert(db, key, delay).await,
            Step::TakeDue { room } => self.take_due(db, room).await,
            Step::Claim { pick, owner } => self.claim(db, pick, owner).await,
            Step::Finish { pick, how, stale } => self.finish(db, pick, how, stale).await,
            Step::RingAgain => self.ring_again(db).await,
            Step::Reclaim => self.reclaim(db).await,
            Step::LoseProcess { owner } => {
                processes::deregister(db.store.conn(), &format!("w{owner}"))
                    .await
                    .unwrap();
                self.alive.retain(|id| *id != format!("w{owner}"));
                Ok(())
            }
            Step::SignOff { owner } => self.sign_off(db, owner).await,
            Step::Acquit { owner } => self.acquit(db, owner).await,
            Step::Unpark => self.unpark(db).await,
            Step::Cancel { key } => self.cancel(db, key).await,
            Step::Wait { seconds: count } => {
                self.now += seconds(count);
                Ok(())
            }
        }
    }

    async fn insert(
        &mut self,
        db: &TestDatabase,
        key: u128,
        delay: i64,
    ) -> Result<(), TestCaseError> {
        let new = NewJob {
            due_at: self.now + seconds(delay),
            ..create_job(Uuid::from_u128(key))
        };
        let queued = jobs::insert(db.store.conn(), &new, self.now).await.unwrap();
        let holder = self
            .jobs
            .values_mut()
            .find(|job| job.key == key && job.is_live());
        prop_assert_eq!(queued.is_none(), holder.is_some());
        match (queued, holder) {
            (None, Some(holder)) => holder.again = holder.state == JobState::Running,
            (Some(queued), None) => {
                let rung = delay == 0;
                prop_assert_eq!(queued.rung, rung);
                let known = Known {
                    key,
                    state: if rung { JobState::Rung } else { JobState::Due },
                    due_at: new.due_at,
                    rung_at: rung.then_some(self.now),
                    attempts: 0,
                    owner: None,
                    token: 0,
                    deaths: 0,
                    again: false,
                };
                self.jobs.insert(queued.id, known);
            }
            _ => unreachable!("compared above"),
        }
        Ok(())
    }

    async fn take_due(&mut self, db: &TestDatabase, room: u64) -> Result<(), TestCaseError> {
        let taken = jobs::take_due(db.store.conn(), self.now, &[(LANE.to_owned(), room)])
            .await
            .unwrap();
        let mut waiting: Vec<_> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.state == JobState::Due && job.due_at <= self.now)
            .map(|(_, job)| job.due_at)
            .collect();
        waiting.sort_unstable();
        waiting.truncate(usize::try_from(room).unwrap());
        let order: Vec<_> = taken.iter().map(|it| self.jobs[&it.id].due_at).collect();
        prop_assert_eq!(order, waiting, "the longest due first");
        for it in taken {
            let job = self.jobs.get_mut(&it.id).unwrap();
            job.state = JobState::Rung;
            job.rung_at = Some(self.now);
        }
        Ok(())
    }

    async fn claim(
        &mut self,
        db: &TestDatabase,
        pick: usize,
        owner: u8,
    ) -> Result<(), TestCaseError> {
        let Some(id) = self.jobs.keys().nth(pick % self.jobs.len().max(1)).copied() else {
            return Ok(());
        };
        let owner = format!("w{owner}");
        let claimed = jobs::claim(db.store.conn(), &[id], &owner, self.now)
            .await
            .unwrap();
        let job = self.jobs.get_mut(&id).unwrap();
        let free = matches!(job.state, JobState::Due | JobState::Rung) && job.due_at <= self.now;
        prop_assert_eq!(claimed.len(), usize::from(free));
        if let Some(run) = claimed.into_iter().next() {
            job.state = JobState::Running;
            job.token += 1;
            job.again = false;
            job.owner = Some(owner);
            prop_assert_eq!((run.lease.token, run.attempts), (job.token, job.attempts));
            self.leases.push((id, run.lease));
        }
        Ok(())
    }

    async fn finish(
        &mut self,
        db: &TestDatabase,
        pick: usize,
        how: u8,
        stale: bool,
    ) -> Result<(), TestCaseError> {
        let Some((id, lease)) = self.leases.get(pick % self.leases.len().max(1)).cloned() else {
            return Ok(());
        };
        let lease = Lease {
            token: lease.token - i64::from(stale),
            ..lease
        };
        let later = self.now + seconds(5);
        let ending = match how {
            0 => Ending::Done,
            1 => Ending::Retry {
                due_at: later,
                class: "server".into(),
                message: "503".into(),
                uses_attempt: true,
            },
            2 => Ending::Retry {
                due_at: later,
                class: "rate".into(),
                message: "429".into(),
                uses_attempt: false,
            },
            3 => Ending::PutOff {
                due_at: later,
                class: "held".into(),
                message: "busy".into(),
            },
            4 => Ending::Parked {
                reason: "no access".into(),
                class: "auth".into(),
            },
            _ => Ending::Dead {
                reason: "refused".into(),
                class: "policy".into(),
            },
        };
        let written = jobs::finish(db.store.conn(), id, &lease, &ending, self.now)
            .await
            .unwrap();
        let now = self.now;
        let job = self.jobs.get_mut(&id).unwrap();
        let holds = job.state == JobState::Running
            && job.owner.as_ref() == Some(&lease.owner)
            && job.token == lease.token;
        prop_assert_eq!(written, holds, "only the newest lease may finish");
        if !written {
            return Ok(());
        }
        let again = std::mem::take(&mut job.again);
        job.rung_at = None;
        if !matches!(ending, Ending::PutOff { .. }) {
            job.deaths = 0;
        }
        match ending {
            Ending::Done | Ending::Dead { .. } if again => {
                (job.state, job.due_at, job.attempts) = (JobState::Due, now, 0);
            }
            Ending::Done | Ending::Dead { .. } => {
                job.state = if how == 0 {
                    JobState::Done
                } else {
                    JobState::Dead
                };
                job.attempts += 1;
            }
            Ending::Retry { uses_attempt, .. } => {
                (job.state, job.due_at) = (JobState::Due, later);
                job.attempts += i32::from(uses_attempt);
            }
            Ending::PutOff { .. } => (job.state, job.due_at) = (JobState::Due, later),
            Ending::Parked { .. } => job.state = JobState::Parked,
            Ending::Cancelled { .. } => unreachable!("no step ends so"),
        }
        Ok(())
    }

    async fn ring_again(&mut self, db: &TestDatabase) -> Result<(), TestCaseError> {
        let before = self.now - seconds(5);
        let rung = jobs::ring_again(db.store.conn(), LANE, before, self.now, 100)
            .await
            .unwrap();
        let mut ids: Vec<_> = rung.into_iter().map(|it| it.id).collect();
        ids.sort_unstable();
        let mut expected = Vec::new();
        for (id, job) in &mut self.jobs {
            if job.state == JobState::Rung && job.rung_at.is_some_and(|at| at < before) {
                job.rung_at = Some(self.now);
                expected.push(*id);
            }
        }
        prop_assert_eq!(ids, expected);
        Ok(())
    }

    async fn reclaim(&mut self, db: &TestDatabase) -> Result<(), TestCaseError> {
        let apart = self.now + seconds(30);
        let back = jobs::reclaim(db.store.conn(), self.now, apart, 100)
            .await
            .unwrap();
        let mut ids: Vec<_> = back.into_iter().map(|it| it.id).collect();
        ids.sort_unstable();
        let mut expected = Vec::new();
        for (id, job) in &mut self.jobs {
            if job.state == JobState::Running
                && !job
                    .owner
                    .as_ref()
                    .is_some_and(|owner| self.alive.contains(owner))
            {
                job.deaths += 1;
                let due_at = if job.deaths > 2 { apart } else { job.due_at };
                (job.state, job.due_at, job.rung_at) = (JobState::Due, due_at, None);
                expected.push(*id);
            }
        }
        prop_assert_eq!(ids, expected);
        Ok(())
    }

    async fn sign_off(&mut self, db: &TestDatabase, owner: u8) -> Result<(), TestCaseError> {
        let owner = format!("w{owner}");
        let back = jobs::hand_back(db.store.conn(), &owner, self.now)
            .await
            .unwrap();
        let mut expected = 0;
        for job in self.jobs.values_mut() {
            if job.state == JobState::Running && job.owner.as_ref() == Some(&owner) {
                (job.state, job.rung_at) = (JobState::Due, None);
                expected += 1;
            }
        }
        prop_assert_eq!(back, expected);
        Ok(())
    }

    async fn acquit(&mut self, db: &TestDatabase, owner: u8) -> Result<(), TestCaseError> {
        let owner = format!("w{owner}");
        let acquitted = jobs::acquit(db.store.conn(), &owner, self.now)
            .await
            .unwrap();
        let mut expected = 0;
        for job in self.jobs.values_mut() {
            let waits = matches!(
                job.state,
                JobState::Due | JobState::Rung | JobState::Running
            );
            if waits && job.deaths > 0 && job.owner.as_ref() != Some(&owner) {
                if job.state == JobState::Due && job.deaths > 2 {
                    job.due_at = self.now;
                }
                job.deaths = 0;
                expected += 1;
            }
        }
        prop_assert_eq!(acquitted, expected);
        Ok(())
    }

    async fn unpark(&mut self, db: &TestDatabase) -> Result<(), TestCaseError> {
        let count = jobs::unpark(db.store.conn(), LANE, self.now).await.unwrap();
        let mut expected = 0;
        for job in self
            .jobs
            .values_mut()
            .filter(|job| job.state == JobState::Parked)
        {
            (job.state, job.due_at) = (JobState::Due, self.now);
            expected += 1;
        }
        prop_assert_eq!(count, expected);
        Ok(())
    }

    async fn cancel(&mut self, db: &TestDatabase, key: u128) -> Result<(), TestCaseError> {
        let said = jobs::cancel_unstarted(
            db.store.conn(),
            Uuid::from_u128(key),
            JobKind::CreateTicket,
            self.now,
        )
        .await
        .unwrap();
        let mut of_key: Vec<_> = self
            .jobs
            .values_mut()
            .filter(|job| job.key == key)
            .collect();
        let started = of_key.iter().any(|job| job.token > 0);
        let untouched = of_key
            .iter_mut()
            .find(|job| job.is_live() && job.token == 0);
        let expected = match (untouched, started) {
            (Some(job), _) => {
                job.state = JobState::Cancelled;
                Cancel::Cancelled
            }
            (None, true) => Cancel::Started,
            (None, false) => Cancel::None,
        };
        prop_assert_eq!(said, expected);
        Ok(())
    }

    /// Every stored job is as the model has it, and no two live jobs share a key.
    async fn compare(&self, db: &TestDatabase) -> Result<(), TestCaseError> {
        let mut stored = BTreeMap::new();
        for key in 0..KEYS {
            let of_key = jobs::of_request(db.store.conn(), Uuid::from_u128(key))
                .await
                .unwrap();
            let known = of_key.into_iter().map(|job| {
                let known = Known {
                    key,
                    state: job.state,
                    due_at: job.due_at,
                    rung_at: job.rung_at,
                    attempts: job.attempts,
                    owner: job.lease_owner,
                    token: job.lease_token,
                    deaths: job.worker_deaths,
                    again: job.again,
                };
                (job.id, known)
            });
            stored.extend(known);
            let live = stored
                .values()
                .filter(|job| job.key == key && job.is_live())
                .count();
            prop_assert!(live <= 1, "{live} live jobs for key {key}");
        }
        prop_assert_eq!(&stored, &self.jobs);
        Ok(())
    }
}
