//! A model of the bridge: what an installation bears, what stops it first, and how long a request waits. A closed form says what
//! bounds it; a simulation says what happens below and at the bound. `docs/scaling.md` prints what they say.

mod arrivals;
pub mod document;
pub mod model;
pub mod parameters;
pub mod simulation;
mod station;
pub mod step_cost;
