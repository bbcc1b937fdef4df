//! The running instance: its parts behind their locks.

use std::sync::{Arc, Mutex};

use crate::auth::tokens::Tokens;
use crate::clock::Clock;
use crate::dice::Dice;
use crate::faults::KnobBoard;
use crate::http::gate::Gate;
use crate::http::rate::RateWindows;
use crate::http::sessions::Sessions;
use crate::knobs::Knobs;
use crate::lock::hold;
use crate::log::CallLog;
use crate::refusal::Refusal;
use crate::webhook::Webhooks;
use crate::world::{Act, Actor, World};

/// Everything a call may touch. Locks are held for moments only, never across an await.
pub(crate) struct Sim {
    pub(crate) clock: Clock,
    pub(crate) board: Mutex<KnobBoard>,
    pub(crate) world: Mutex<World>,
    pub(crate) log: CallLog,
    pub(crate) gate: Gate,
    pub(crate) sessions: Sessions,
    pub(crate) rates: RateWindows,
    pub(crate) tokens: Mutex<Tokens>,
    /// Chance for what happens to calls, apart from the world's own.
    pub(crate) dice: Mutex<Dice>,
    pub(crate) webhooks: Webhooks,
    /// Start of every link in answers.
    pub(crate) base_url: String,
    seed: u64,
}

impl Sim {
    pub(crate) fn new(
        clock: Clock,
        knobs: Knobs,
        seed: u64,
        base_url: String,
    ) -> Result<Self, Refusal> {
        let world = crate::seed::world(seed, clock.now_s(), &knobs)?;
        Ok(Self {
            clock,
            board: Mutex::new(KnobBoard::new(knobs)),
            world: Mutex::new(world),
            log: CallLog::default(),
            gate: Gate::default(),
            sessions: Sessions::default(),
            rates: RateWindows::default(),
            tokens: Mutex::default(),
            dice: Mutex::new(Dice::new(seed ^ 0x5eed)),
            webhooks: Webhooks::default(),
            base_url,
            seed,
        })
    }

    /// Back to the seed: rows, tokens, faults and the log. The clock and the knobs stay.
    pub(crate) fn reset(&self) -> Result<(), Refusal> {
        let fresh = crate::seed::world(self.seed, self.clock.now_s(), &self.knobs())?;
        *hold(&self.world) = fresh;
        *hold(&self.tokens) = Tokens::default();
        hold(&self.board).clear_faults();
        self.log.clear();
        Ok(())
    }

    /// Chance that follows from the instance's own.
    pub(crate) fn fork_dice(&self) -> Dice {
        hold(&self.dice).fork()
    }

    /// The global knobs.
    pub(crate) fn knobs(&self) -> Arc<Knobs> {
        hold(&self.board).global()
    }

    /// Lets the instance's scheduler do what is due.
    pub(crate) fn tick(&self) {
        let (system, knobs) = (Actor::system(), self.knobs());
        let act = Act {
            actor: &system,
            knobs: &knobs,
            now: self.clock.now(),
        };
        hold(&self.world).run_due(&act);
        self.webhooks.wake();
    }

    /// Works on the world as `user_name`, or as the instance itself without one.
    pub(crate) fn act_as<T>(
        &self,
        user_name: Option<&str>,
        work: impl FnOnce(&mut World, &Act<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let knobs = self.knobs();
        let mut world = hold(&self.world);
        let actor = match user_name {
            None => Actor::system(),
            Some(name) => Actor::by_user_name(&world, &knobs, name).ok_or(Refusal::NoRecord)?,
        };
        let act = Act {
            actor: &actor,
            knobs: &knobs,
            now: self.clock.now(),
        };
        world.run_due(&act);
        let done = work(&mut world, &act);
        self.webhooks.wake();
        done
    }
}
