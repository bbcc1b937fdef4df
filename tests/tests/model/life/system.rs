//! The system under test: a scheduler with its API and its database. The test plays worker, relay and sweeper.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest_state_machine::StateMachineTest;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;
use shared::clock::Clock as _;
use shared::job::{JobKind, Lease};
use shared::request::RequestState;
use shared::store::audit::Actor;
use shared::store::jobs::{self, Ending};
use shared::store::processes::{self, Process};
use shared::store::requests::{self, Applied, Change};
use shared::store::{Store, StoreError, Tx};
use tests::bridge::{Api, Bridge, PRESET, asked};
use tests::clock::ManualClock;
use tests::databases::{Flavour, TestDatabase, fresh};
use uuid::Uuid;

use crate::{RUNTIME, database};

use super::reference::{How, Job, Reference, Said, Step, UNANSWERED, Word, has_callback, is_owned};

/// Where the databases of the cases come from.
pub(super) trait Databases {
    async fn another() -> TestDatabase;
}

pub(super) struct Sqlite;
pub(super) struct Postgres;
pub(super) type OnSqlite = On<Sqlite>;
pub(super) type OnPostgres = On<Postgres>;

impl Databases for Sqlite {
    async fn another() -> TestDatabase {
        database().await
    }
}

impl Databases for Postgres {
    async fn another() -> TestDatabase {
        fresh(Flavour::Postgres).await
    }
}

pub(super) struct On<D>(PhantomData<D>);

pub(super) struct System {
    bridge: Bridge,
    idm: Api,
    requests: BTreeMap<u8, Uuid>,
    /// The ids of the model's jobs.
    jobs: Vec<Uuid>,
    leases: Vec<Lease>,
}

impl<D: Databases> StateMachineTest for On<D> {
    type SystemUnderTest = System;
    type Reference = Reference;

    fn init_test(_: &Reference) -> System {
        RUNTIME.block_on(async {
            let database = D::another().await;
            let store = database.store.clone();
            let bridge = Bridge::over(database, store, PRESET).await;
            let idm = bridge.api("idm").await;
            System {
                bridge,
                idm,
                requests: BTreeMap::new(),
                jobs: Vec::new(),
                leases: Vec::new(),
            }
        })
    }

    fn apply(mut system: System, model: &Reference, step: Step) -> System {
        RUNTIME.block_on(async {
            let said = system.take(model, step).await;
            assert_eq!(said, model.said);
            system.compare(model).await;
        });
        system
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    ManualClock::default().now() + TimeDelta::seconds(seconds)
}

fn name(owner: u8) -> String {
    format!("w{owner}")
}

fn lane(kind: JobKind) -> &'static str {
    match kind {
        JobKind::CreateTicket => "create-ticket@main",
        JobKind::GetTicketStatus
        | JobKind::CheckDrift
        | JobKind::CheckConnection
        | JobKind::CheckChoices => "ticket-status@main",
        JobKind::UpdateServicenowStatus => "update-status@main",
        JobKind::DeliverCallback => "callback",
    }
}

impl System {
    fn store(&self) -> &Store {
        self.bridge.store()
    }

    async fn take(&mut self, model: &Reference, step: Step) -> Said {
        let now = self.bridge.clock.now();
        let conn = self.bridge.store().conn();
        match step {
            Step::Ask { key } => self.ask(key).await,
            Step::Say { key, word } => return Said::Status(self.say(key, word).await),
            Step::TicketMoves { key, to } => return self.ticket_moves(key, to, now).await,
            Step::ChangeWhatWasReadBefore { key } => self.change_stale(key, now).await,
            Step::TakeDue { room } => {
                let lanes = JobKind::QUEUES.map(|kind| (lane(kind).to_owned(), room as u64));
                return Said::Count(jobs::take_due(conn, now, &lanes).await.unwrap().len());
            }
            Step::RingAgain { kind } => {
                let before = now - TimeDelta::seconds(UNANSWERED);
                let rung = jobs::ring_again(conn, lane(kind), before, now, 100).await;
                return Said::Count(rung.unwrap().len());
            }
            Step::Claim { job, owner } => {
                let claimed = jobs::claim(conn, &[self.jobs[job]], &name(owner), now).await;
                let claimed = claimed.unwrap().pop();
                let is_claimed = claimed.is_some();
                self.leases.extend(claimed.map(|it| it.lease));
                return Said::Done(is_claimed);
            }
            Step::Finish {
                lease,
                how,
                is_stale,
            } => return Said::Done(self.finish(model, (lease, is_stale), how, now).await),
            Step::Unpark { kind } => {
                let count = jobs::unpark(conn, lane(kind), now).await.unwrap();
                return Said::Count(usize::try_from(count).unwrap());
            }
            Step::Revive { job } => return Said::Done(self.revive(job, now).await),
            Step::LoseProcess { owner } => {
                processes::deregister(conn, &name(owner)).await.unwrap();
            }
            Step::StartProcess { owner } => self.start_process(owner, now).await,
            Step::Reclaim => {
                return Said::Count(jobs::reclaim(conn, now, now, 100).await.unwrap().len());
            }
            Step::Wait { seconds } => {
                let seconds = Duration::from_secs(seconds.unsigned_abs());
                self.bridge.clock.advance(seconds);
            }
        }
        Said::Nothing
    }

    async fn ask(&mut self, key: u8) {
        let category = if is_owned(key) {
            "directory-group"
        } else {
            "application-access"
        };
        let mut body = asked(&format!("R{key}"), category);
        if has_callback(key) {
            body["callback_url"] = "https://idm.example.com/hook".into();
        }
        let answer = self.idm.post("/v1/requests", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        let id = self.requests.entry(key).or_insert_with(|| answer.id());
        assert_eq!(*id, answer.id(), "one request for one natural key");
    }

    async fn say(&self, key: u8, word: Word) -> u16 {
        let body = match word {
            Word::InProgress => json!({"status": "in_progress"}),
            Word::OnHold => json!({"status": "on_hold"}),
            Word::Fulfilled => json!({"status": "fulfilled"}),
            Word::Denied => json!({"status": "denied", "reason": "Not needed."}),
            Word::Withdrawn => json!({"status": "withdrawn", "reason": "Not needed."}),
            Word::Comment => json!({"status": "comment", "comment": "Any news?"}),
        };
        let path = format!("/v1/requests/{}/status", self.requests[&key]);
        self.idm.post(&path, &body).await.status
    }

    async fn ticket_moves(&self, key: u8, to: RequestState, now: DateTime<Utc>) -> Said {
        let tx = self.store().begin().await.unwrap();
        match move_to(&tx, self.requests[&key], to, now).await {
            Ok(moved) => {
                tx.commit().await.unwrap();
                Said::Done(moved)
            }
            Err(StoreError::IllegalMove { .. }) => Said::Illegal,
            Err(error) => panic!("{error}"),
        }
    }

    async fn change_stale(&self, key: u8, now: DateTime<Utc>) {
        let tx = self.store().begin().await.unwrap();
        let mut read = requests::find(&tx, self.requests[&key])
            .await
            .unwrap()
            .unwrap();
        read.version -= 1;
        let change = Change {
            attention: Some(Some("Nobody may read this.".to_owned())),
            ..Change::default()
        };
        let actor = Actor::System("test");
        let applied = requests::apply(&tx, &read, &change, &actor, "test", now).await;
        assert_eq!(applied.unwrap(), Applied::Stale);
        tx.commit().await.unwrap();
    }

    /// As a closing transaction: the end of the run and what it means for the request, or nothing at all.
    async fn finish(
        &self,
        model: &Reference,
        (lease, is_stale): (usize, bool),
        how: How,
        now: DateTime<Utc>,
    ) -> bool {
        let at = model.leases[lease].job;
        let lease = &self.leases[lease];
        let lease = Lease {
            token: lease.token - i64::from(is_stale),
            ..lease.clone()
        };
        let tx = self.store().begin().await.unwrap();
        let written = jobs::finish(&tx, self.jobs[at], &lease, &ending(how, now), now).await;
        if !written.unwrap() {
            return false;
        }
        let job = &model.jobs[at];
        if job.kind == JobKind::CreateTicket {
            create_ended(&tx, self.requests[&job.key], how, now).await;
        }
        tx.commit().await.unwrap();
        true
    }

    async fn revive(&self, job: usize, now: DateTime<Utc>) -> bool {
        let tx = self.store().begin().await.unwrap();
        let actor = Actor::System("test");
        let revived = jobs::revive(&tx, self.jobs[job], &actor, now).await;
        tx.commit().await.unwrap();
        revived.unwrap()
    }

    async fn start_process(&self, owner: u8, now: DateTime<Utc>) {
        let process = Process {
            id: name(owner),
            kind: "worker".into(),
            host: "host-1".into(),
            version: "0.1.0".into(),
            lanes: Vec::new(),
            started_at: now,
        };
        let until = now + TimeDelta::days(10);
        processes::register(self.store().conn(), &process, until, now)
            .await
            .unwrap();
    }

    /// Everything stored is as the model has it.
    async fn compare(&mut self, model: &Reference) {
        let conn = self.bridge.store().conn();
        let mut stored: BTreeMap<Uuid, Job> = BTreeMap::new();
        for (key, id) in &self.requests {
            let found = requests::find(conn, *id).await.unwrap().unwrap();
            let known = &model.requests[key];
            assert_eq!((found.state, found.version), (known.state, known.version));
            assert_eq!(found.closed_at.is_some(), found.state.is_final());
            let events = count(conn, "events", *id).await;
            assert_eq!(events, found.version, "one event for each version");
            for job in jobs::of_request(conn, *id).await.unwrap() {
                stored.insert(job.id, as_modelled(*key, &job));
            }
        }
        for job in &model.jobs[self.jobs.len()..] {
            let mut fresh = stored.iter().filter(|(id, it)| {
                !self.jobs.contains(id) && (it.key, it.kind) == (job.key, job.kind)
            });
            let (id, _) = fresh.next().unwrap_or_else(|| panic!("no {job:?}"));
            self.jobs.push(*id);
        }
        let in_order: Vec<&Job> = self.jobs.iter().map(|id| &stored[id]).collect();
        assert_eq!(in_order, model.jobs.iter().collect::<Vec<_>>());
        assert_eq!(
            stored.len(),
            model.jobs.len(),
            "no job that nobody asked for"
        );
    }
}

fn as_modelled(key: u8, job: &jobs::Job) -> Job {
    let seconds = |at: DateTime<Utc>| (at - self::at(0)).num_seconds();
    Job {
        key,
        kind: job.kind.parse().unwrap(),
        state: job.state,
        due_at: seconds(job.due_at),
        rung_at: job.rung_at.map(seconds),
        attempts: job.attempts,
        owner: job
            .lease_owner
            .as_ref()
            .map(|name| name[1..].parse().unwrap()),
        token: job.lease_token,
        deaths: job.worker_deaths,
        again: job.again,
    }
}

async fn count(conn: &impl ConnectionTrait, table: &str, request: Uuid) -> i64 {
    let sql = format!("SELECT COUNT(*) AS count FROM {table} WHERE request_id = $1");
    let statement =
        Statement::from_sql_and_values(conn.get_database_backend(), sql, [request.into()]);
    let row = conn.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get("", "count").unwrap()
}

fn ending(how: How, now: DateTime<Utc>) -> Ending {
    let retry = |uses_attempt| Ending::Retry {
        due_at: now + TimeDelta::seconds(5),
        class: "busy".into(),
        message: "503".into(),
        uses_attempt,
    };
    match how {
        How::Done => Ending::Done,
        How::Retry => retry(true),
        How::Hold => retry(false),
        How::Park => Ending::Parked {
            reason: "no access".into(),
            class: "forbidden".into(),
        },
        How::Dead => Ending::Dead {
            reason: "refused".into(),
            class: "policy".into(),
        },
        How::Cancelled => Ending::Cancelled {
            reason: "no longer needed".into(),
        },
    }
}

async fn create_ended(tx: &Tx, request: Uuid, how: How, now: DateTime<Utc>) {
    let state = requests::find(tx, request).await.unwrap().unwrap().state;
    let to = match how {
        How::Done => RequestState::Open,
        How::Retry => RequestState::Opening,
        How::Dead => RequestState::Denied,
        How::Hold | How::Park | How::Cancelled => return,
    };
    let is_first = matches!(state, RequestState::Accepted | RequestState::Opening);
    let wants = if to == RequestState::Denied {
        !state.is_final()
    } else {
        is_first
    };
    if wants {
        move_to(tx, request, to, now).await.unwrap();
    }
}

async fn move_to(
    tx: &Tx,
    request: Uuid,
    to: RequestState,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let current = requests::find(tx, request).await?.unwrap();
    let change = Change {
        state: Some(to),
        ..Change::default()
    };
    let actor = Actor::ServiceNow("nina.agent".to_owned());
    match requests::apply(tx, &current, &change, &actor, "ticket.changed", now).await? {
        Applied::Changed(..) => Ok(true),
        Applied::Unchanged(_) => Ok(false),
        Applied::Stale => panic!("nobody else is here"),
    }
}
