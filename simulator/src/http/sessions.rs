//! Session cookies: who they belong to, and the queue of calls that share one (wire contract 1.4).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use super::answer::Answer;
use crate::dice::Dice;
use crate::lock::hold;

/// Sessions by the value of `JSESSIONID`.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Session>>);

#[derive(Debug, Clone)]
struct Session {
    user: String,
    expires: DateTime<Utc>,
    lane: Arc<Lane>,
}

/// The calls of one session, worked on one at a time.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    turn: Arc<Turn<()>>,
    state: Mutex<LaneState>,
}

#[derive(Debug, Default)]
struct LaneState {
    waiting: u32,
    /// When the running call started.
    since: Option<DateTime<Utc>>,
}

/// The right to run in a lane.
pub(crate) struct Slot {
    lane: Arc<Lane>,
    _turn: OwnedMutexGuard<()>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        hold(&self.lane.state).since = None;
    }
}

/// A running call older than this makes further calls of its session useless.
const STUCK: TimeDelta = TimeDelta::seconds(30);

impl Sessions {
    /// The user and the lane of a live session.
    pub(crate) fn find(&self, id: &str, now: DateTime<Utc>) -> Option<(String, Arc<Lane>)> {
        let sessions = hold(&self.0);
        let session = sessions.get(id).filter(|session| now < session.expires)?;
        Some((session.user.clone(), Arc::clone(&session.lane)))
    }

    /// Starts a session and sets its cookies on the answer.
    pub(crate) fn open(
        &self,
        user: &str,
        now: DateTime<Utc>,
        life: Duration,
        dice: &mut Dice,
        answer: Answer,
    ) -> Answer {
        let id = dice.sys_id().to_uppercase();
        let expires = now + TimeDelta::from_std(life).unwrap_or(TimeDelta::zero());
        let mut sessions = hold(&self.0);
        sessions.retain(|_, session| now < session.expires);
        sessions.insert(
            id.clone(),
            Session {
                user: user.to_owned(),
                expires,
                lane: Arc::default(),
            },
        );
        let route = dice.token(12);
        answer
            .with(
                "Set-Cookie",
                &format!("JSESSIONID={id}; Path=/; HttpOnly; SameSite=None"),
            )
            .with(
                "Set-Cookie",
                &format!("glide_user_route=glide.{route}; Path=/; HttpOnly"),
            )
            .with(
                "Set-Cookie",
                &format!(
                    "glide_session_store={}; Path=/; HttpOnly",
                    dice.sys_id().to_uppercase()
                ),
            )
            .with(
                "Set-Cookie",
                "BIGipServerpool_sim=!simulated; path=/; Httponly",
            )
    }

    /// Prolongs a session that is used.
    pub(crate) fn touch(&self, id: &str, now: DateTime<Utc>, life: Duration) {
        if let Some(session) = hold(&self.0).get_mut(id) {
            session.expires = now + TimeDelta::from_std(life).unwrap_or(TimeDelta::zero());
        }
    }
}

impl Lane {
    /// Waits for the lane; `None` when too many wait already or the running call is stuck: such a
    /// call is thrown away with 202.
    pub(crate) async fn enter(self: Arc<Self>, queue: u32, now: DateTime<Utc>) -> Option<Slot> {
        let waiting = self.join(queue, now)?;
        let turn = Arc::clone(&self.turn).lock_owned().await;
        drop(waiting);
        hold(&self.state).since = Some(now);
        Some(Slot {
            lane: self,
            _turn: turn,
        })
    }

    fn join(self: &Arc<Self>, queue: u32, now: DateTime<Utc>) -> Option<Waiting> {
        let mut state = hold(&self.state);
        let stuck = state.since.is_some_and(|since| now - since > STUCK);
        if state.waiting >= queue || stuck {
            return None;
        }
        state.waiting += 1;
        Some(Waiting(Arc::clone(self)))
    }
}

struct Waiting(Arc<Lane>);

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = hold(&self.0.state);
        state.waiting = state.waiting.saturating_sub(1);
    }
}
