//! Carries a plan out, lets everything come to rest, and judges.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::json;
use shared::clock::Clock as _;
use shared::crash::Point;
use shared::request::RequestState;
use shared::store::requests;
use simulator::{AgentAction, RowMap};
use uuid::Uuid;

use super::judge::{self, Finding};
use super::plan::{Deed, Step};
use super::process::Role;
use super::stage::{Stage, TABLES};
use super::world::World;
use crate::bridge::asked;

/// Waits after which something does not come to rest.
const WAITS: usize = 150;

/// A request as its source sees it.
#[derive(Debug)]
pub struct Asked {
    /// Its id at the bridge.
    pub id: Uuid,
    /// Its category, which is the name of its route.
    pub category: &'static str,
    /// The state the source has moved it to, if it has.
    pub moved: Option<RequestState>,
    /// Somebody worked on the ticket after the request had ended: nobody promises to look at it then.
    pub meddled: bool,
    /// What the source has said in words.
    pub comments: Vec<String>,
}

/// How a run went.
#[derive(Debug)]
pub struct Played {
    /// What is wrong at the end.
    pub findings: Vec<Finding>,
    /// Faults that struck, and deaths, by name.
    pub faults: BTreeMap<String, usize>,
    /// Who has died, and where.
    pub deaths: Vec<(Role, Option<Point>)>,
    /// How often each point was come to.
    pub reached: BTreeMap<(Role, Point), usize>,
    /// Requests.
    pub requests: usize,
}

/// A run: its world and what was asked for in it.
pub struct Play<'a> {
    /// The bridge.
    pub world: World<'a>,
    /// Every request.
    pub asked: Vec<Asked>,
    said: usize,
    orders_before: usize,
    faults: BTreeMap<String, usize>,
}

impl<'a> Play<'a> {
    /// Nothing has happened yet.
    pub async fn start(stage: &'a Stage) -> Self {
        let world = World::start(stage).await;
        Self {
            orders_before: stage.main.rows("sc_request", "").len(),
            world,
            asked: Vec::new(),
            said: 0,
            faults: BTreeMap::new(),
        }
    }

    /// The whole run.
    pub async fn run(stage: &'a Stage, steps: &[Step]) -> Played {
        let mut play = Self::start(stage).await;
        for step in steps {
            Box::pin(play.step(*step)).await;
        }
        Box::pin(play.end()).await
    }

    /// One step.
    pub async fn step(&mut self, step: Step) {
        match step {
            Step::Ask(category) => self.ask(category).await,
            Step::Say(number, word, comment) => self.say(number, word, comment).await,
            Step::Agent(number, deed) => self.agent(number, deed).await,
            Step::Fault(fault) => {
                fault.strike(self.world.stage);
                *self.faults.entry(fault.name().to_owned()).or_default() += 1;
            }
            Step::Look(together) => {
                self.world.tick().await;
                self.world.settle(together).await;
            }
            Step::Pass(seconds) => self.world.pass(seconds),
            Step::Kill(kill) => self.world.arm(kill),
            Step::EmptyRedis => {
                self.world.bells().await;
                *self.faults.entry("redis emptied".to_owned()).or_default() += 1;
            }
            Step::GiveUp => {
                let given_up = self
                    .world
                    .schedule(async |it| scheduler::giveup::tick(it).await);
                given_up.await.transpose().expect("giving up works");
            }
        }
    }

    /// Faults end, everything comes to rest and is compared.
    pub async fn end(mut self) -> Played {
        self.world.stage.main.clear_faults();
        let mut findings: Vec<Finding> = self.rest().await.into_iter().collect();
        // Two polls of every table: what was done last is mirrored, and what that causes as well.
        for _ in 0..2 {
            self.world.pass(31);
            self.tick_alive().await;
            findings.extend(self.rest().await);
        }
        findings.extend(judge::judge(&self.world, &self.asked, self.orders_before).await);
        for (role, point) in &self.world.deaths {
            let at = point.map_or("start", Point::name);
            let name = format!("{} killed at {at}", role.name());
            *self.faults.entry(name).or_default() += 1;
        }
        Played {
            findings,
            faults: self.faults,
            reached: self.world.all_reached(),
            deaths: self.world.deaths,
            requests: self.asked.len(),
        }
    }

    /// A tick in which nobody died: the next scheduler looks a second later, and what is armed strikes once.
    async fn tick_alive(&mut self) {
        let mut deaths = usize::MAX;
        while deaths != self.world.deaths.len() {
            deaths = self.world.deaths.len();
            self.world.tick().await;
        }
    }

    async fn rest(&mut self) -> Option<Finding> {
        for _ in 0..WAITS {
            let swept = self
                .world
                .schedule(async |it| scheduler::sweeper::tick(it).await);
            swept.await.transpose().expect("the sweeper works");
            self.world.settle(false).await;
            let wait = self.wait().await?;
            self.world.stage.advance(wait);
        }
        Some(Finding::Restless)
    }

    /// How long until something live moves by itself; `None` when nothing is live.
    async fn wait(&self) -> Option<TimeDelta> {
        let conn = self.world.ground.store.conn();
        let live = Statement::from_string(
            conn.get_database_backend(),
            "SELECT state, due_at FROM jobs WHERE state IN ('due', 'rung', 'running', 'parked')",
        );
        let rows = conn.query_all_raw(live).await.expect("jobs can be listed");
        let now = self.world.stage.clock.now();
        let wait = |row: sea_orm::QueryResult| {
            let state: String = row.try_get("", "state").expect("a word");
            let due: DateTime<Utc> = row.try_get("", "due_at").expect("a moment");
            match state.as_str() {
                "due" => (due - now).max(TimeDelta::seconds(1)),
                _ => TimeDelta::seconds(5),
            }
        };
        rows.into_iter().map(wait).min()
    }

    async fn ask(&mut self, category: &'static str) {
        let mut body = asked(&format!("R{}", self.asked.len()), category);
        body["requested_for"] = "fern.example".into();
        let (status, answer) = self.world.call("/v1/requests", None, &body).await;
        assert_eq!(status, 202, "{answer}");
        let id = answer["id"].as_str().and_then(|id| id.parse().ok());
        self.asked.push(Asked {
            id: id.expect("an answer has an id"),
            category,
            moved: None,
            meddled: false,
            comments: Vec::new(),
        });
    }

    async fn say(&mut self, number: usize, word: &'static str, comment: bool) {
        if self.asked.is_empty() {
            return;
        }
        let number = number % self.asked.len();
        let request = &self.asked[number];
        // What a stock change has no state for.
        if request.category == "owned-change" && word == "on_hold" {
            return;
        }
        self.said += 1;
        let mut body = json!({"status": word});
        let comment = (comment || word == "comment")
            .then(|| format!("Comment {} of {}.", self.said, request.id));
        if let Some(comment) = &comment {
            body["comment"] = comment.as_str().into();
            body["visible"] = self.said.is_multiple_of(2).into();
        }
        if matches!(word, "denied" | "withdrawn") {
            body["reason"] = "The project was stopped.".into();
        }
        let path = format!("/v1/requests/{}/status", request.id);
        let key = format!("said-{}", self.said);
        let owned = request.category.starts_with("owned");
        let (status, answer) = self.world.call(&path, Some(&key), &body).await;
        if status == 409 {
            return;
        }
        assert_eq!(status, 200, "{word}: {answer}");
        let request = &mut self.asked[number];
        request.comments.extend(comment);
        if owned || word == "withdrawn" {
            request.moved = moved(word).or(request.moved);
        }
    }

    async fn agent(&mut self, number: usize, deed: Deed) {
        let number = number % self.asked.len().max(1);
        let Some(request) = self.asked.get_mut(number) else {
            return;
        };
        let stored = requests::find(self.world.ground.store.conn(), request.id).await;
        let stored = stored.expect("the database is there");
        request.meddled |= stored.is_some_and(|it| it.state.is_final());
        let main = &self.world.stage.main;
        let key = format!("correlation_id={}", request.id);
        let ticket = TABLES.iter().find_map(|table| main.row(table, &key));
        let Some(ticket) = ticket else { return };
        // Whether the instance allows it is its own affair.
        drop(main.agent("nina.agent", &ticket["sys_id"], &action(deed, &ticket)));
    }
}

fn moved(word: &str) -> Option<RequestState> {
    match word {
        "approved" | "in_progress" => Some(RequestState::InProgress),
        "on_hold" => Some(RequestState::OnHold),
        "fulfilled" => Some(RequestState::Fulfilled),
        "denied" => Some(RequestState::Denied),
        "withdrawn" => Some(RequestState::Cancelled),
        _ => None,
    }
}

fn action(deed: Deed, ticket: &RowMap) -> AgentAction {
    match deed {
        Deed::Assign => AgentAction::Assign {
            to: Some("nina.agent".to_owned()),
            group: None,
        },
        Deed::Comment => AgentAction::Comment {
            text: format!("Looked at {}.", ticket["number"]),
        },
        Deed::Resume => AgentAction::Resume,
        Deed::Resolve => AgentAction::Resolve {
            code: None,
            notes: None,
        },
        Deed::Cancel => AgentAction::Cancel { notes: None },
    }
}
