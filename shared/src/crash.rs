//! Crash points: every arrow of the data flow has a name at which a test lets a process die (ARCHITECTURE.md, "Crash points").
//!
//! Only the `tests` crate turns the feature `fail-points` on. Without it a point compiles to nothing, and nothing of the `fail`
//! crate is in the tree.

#[cfg(feature = "fail-points")]
mod armed;

#[cfg(feature = "fail-points")]
pub use armed::{Halt, Mortal, in_flight, reach};

macro_rules! points {
    ($($(#[$about:meta])* $point:ident = $name:literal,)*) => {
        /// A place where a process may die. What is said of each is what has happened when it dies there.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Point {
            $($(#[$about])* $point,)*
        }

        impl Point {
            /// Every one, in the order of the data flow.
            pub const ALL: &[Self] = &[$(Self::$point,)*];

            /// Its name in tables and seeds.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)*
                }
            }
        }
    };
}

points! {
    /// A call of a source is written, not committed.
    IntakeWritten = "intake.written",
    /// It is committed, its bells are not pushed.
    IntakeCommitted = "intake.committed",
    /// Its bells are pushed, the source has no answer.
    IntakeRung = "intake.rung",
    /// Bells are to be pushed: of intake, relay, cadence, giving up, or a closing.
    BellReady = "bell.ready",
    /// They are pushed.
    BellPushed = "bell.pushed",
    /// The relay has marked due jobs as rung, not committed.
    RelayTaken = "relay.taken",
    /// It has committed, nothing is pushed.
    RelayCommitted = "relay.committed",
    /// It has marked lost bells as rung again, nothing is pushed.
    RelayRungAgain = "relay.rung-again",
    /// It has let one job try a held connection, not committed.
    RelayProbeTaken = "relay.probe-taken",
    /// The same committed, nothing is pushed.
    RelayProbeCommitted = "relay.probe-committed",
    /// A worker has popped a bell, nothing is claimed.
    BellTaken = "bell.taken",
    /// The job is claimed.
    JobClaimed = "job.claimed",
    /// The job has taken it upon itself to try a held connection first.
    ProbeTaken = "probe.taken",
    /// The moment of a send that may make a ticket is on record, nothing is sent.
    CreateMarked = "create.marked",
    /// The moment of a send that writes a note is on record, nothing is sent.
    NoteMarked = "note.marked",
    /// A call that reads is to be sent.
    ReadReady = "read.ready",
    /// The instance has answered it, nobody has seen the answer.
    ReadSent = "read.sent",
    /// Its answer is understood, nothing is written.
    ReadAnswered = "read.answered",
    /// A call that writes is to be sent.
    WriteReady = "write.ready",
    /// The instance has committed it, nobody has seen the answer.
    WriteSent = "write.sent",
    /// Its answer is understood, nothing is written.
    WriteAnswered = "write.answered",
    /// A callback is to be sent.
    CallbackReady = "callback.ready",
    /// The source has heard it, nobody has seen the answer.
    CallbackSent = "callback.sent",
    /// Its answer is understood, nothing is written.
    CallbackAnswered = "callback.answered",
    /// The handler has ended, its effects are in memory only.
    RunEnded = "run.ended",
    /// The closing transaction is written, not committed.
    ClosingWritten = "closing.written",
    /// It is committed, the bells of what follows are not pushed.
    ClosingCommitted = "closing.committed",
    /// The bell is answered: nothing more is to be done for it.
    BellAnswered = "bell.answered",
    /// The process has said that it lives; parked jobs are not yet let go.
    HeartBeaten = "heartbeat.beaten",
    /// Silent processes are struck off, their jobs are not taken back.
    SweeperExpired = "sweeper.expired",
    /// A batch of jobs is taken back, the relay is not told.
    SweeperReclaimed = "sweeper.reclaimed",
    /// The cadences are there, none has been started.
    CadenceEnsured = "cadence.ensured",
    /// A turn is taken and its job is not stored; not committed.
    CadenceAdvanced = "cadence.advanced",
    /// Turn and job are written, not committed.
    CadenceStored = "cadence.stored",
    /// They are committed, the bell is not pushed.
    CadenceCommitted = "cadence.committed",
    /// The ticket is given up, its request is not flagged; not committed.
    GiveUpMarked = "giveup.marked",
    /// Both are written, not committed.
    GiveUpWritten = "giveup.written",
    /// They are committed, the bells are not pushed.
    GiveUpCommitted = "giveup.committed",
}

/// A place where a process may die. Nothing, outside of the tests.
#[cfg(not(feature = "fail-points"))]
#[inline]
pub fn reach(_point: Point) -> std::future::Ready<()> {
    std::future::ready(())
}

/// A call whose answer may find nobody alive. The call itself, outside of the tests.
#[cfg(not(feature = "fail-points"))]
#[inline]
pub fn in_flight<F: Future>(_point: Point, call: F) -> F {
    call
}
