//! What happens in a run, as data: made from a seed, so that it can be repeated alone.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use shared::crash::Point;

use super::fault::Fault;
use super::process::Role;
use super::stage::CATEGORIES;
use super::world::Kill;

/// One thing that happens. Requests are named by their number in the order they were asked for, modulo how many there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// The source asks for access under a category.
    Ask(&'static str),
    /// It says a word about a request, with a comment or without.
    Say(usize, &'static str, bool),
    /// Somebody works on the ticket of a request.
    Agent(usize, Deed),
    /// Something goes wrong between the bridge and its neighbours.
    Fault(Fault),
    /// Schedulers and workers do all there is to do; `true`: the worker runs its jobs at the same time.
    Look(bool),
    /// Seconds pass.
    Pass(i64),
    /// A process is going to die.
    Kill(Kill),
    /// Redis comes back empty.
    EmptyRedis,
    /// The scheduler gives up on old tickets.
    GiveUp,
}

/// What somebody does to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Takes it.
    Assign,
    /// Says something in its journal.
    Comment,
    /// Goes on with it.
    Resume,
    /// Ends it well.
    Resolve,
    /// Ends it.
    Cancel,
}

const WORDS: [&str; 7] = [
    "comment",
    "approved",
    "in_progress",
    "on_hold",
    "fulfilled",
    "denied",
    "withdrawn",
];
const DEEDS: [Deed; 5] = [
    Deed::Assign,
    Deed::Comment,
    Deed::Resume,
    Deed::Resolve,
    Deed::Cancel,
];

/// The plan of a seed.
pub fn of_seed(seed: u64) -> Vec<Step> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut steps = vec![Step::Fault(Fault::of_instance(&mut dice))];
    steps.push(kill(&mut dice));
    steps.push(ask(&mut dice));
    for _ in 0..dice.random_range(4..12) {
        let step = step(&mut dice);
        steps.push(step);
        if dice.random_bool(0.3) {
            steps.push(Step::Look(dice.random_bool(0.3)));
        }
    }
    steps
}

fn step(dice: &mut StdRng) -> Step {
    match dice.random_range(0..100) {
        0..10 => ask(dice),
        10..28 => {
            let word = *WORDS.choose(dice).unwrap_or(&"comment");
            // Most of what is said are comments: they are what can be doubled.
            let word = if dice.random_bool(0.4) {
                "comment"
            } else {
                word
            };
            Step::Say(dice.random_range(0..4), word, dice.random_bool(0.3))
        }
        28..40 => {
            let deed = *DEEDS.choose(dice).unwrap_or(&Deed::Assign);
            Step::Agent(dice.random_range(0..4), deed)
        }
        40..56 => Step::Fault(Fault::of_calls(dice)),
        56..74 => kill(dice),
        74..77 => Step::EmptyRedis,
        77..90 => Step::Look(dice.random_bool(0.3)),
        _ => Step::Pass(*[1, 3, 10, 31, 70].choose(dice).unwrap_or(&1)),
    }
}

fn ask(dice: &mut StdRng) -> Step {
    Step::Ask(CATEGORIES.choose(dice).copied().unwrap_or("access"))
}

fn kill(dice: &mut StdRng) -> Step {
    let point = Point::ALL.choose(dice).copied().unwrap_or(Point::BellTaken);
    let role = Role::ALL.choose(dice).copied().unwrap_or(Role::Worker);
    Step::Kill(Kill {
        role: only(point).unwrap_or(role),
        point,
        nth: dice.random_range(0..3),
    })
}

/// Whose point it is; `None` for those of both.
fn only(point: Point) -> Option<Role> {
    let name = point.name();
    let of = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if of(&["bell.ready", "bell.pushed"]) {
        None
    } else if of(&["intake", "relay", "sweeper", "cadence", "giveup"]) {
        Some(Role::Scheduler)
    } else {
        Some(Role::Worker)
    }
}
