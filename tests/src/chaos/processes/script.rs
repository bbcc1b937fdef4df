//! What is done to the installation and when, fixed by the seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// One thing that is done, after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) pause: Duration,
    pub(super) fault: Fault,
    /// Chooses among the processes it may strike.
    pub(super) target: usize,
    /// How long it lasts.
    pub(super) length: Duration,
}

/// Everything that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    WorkerKilled,
    SchedulerKilled,
    WorkerFrozen,
    SchedulerFrozen,
    EveryProcessRolled,
    RedisRestarted,
    RedisRestartedEmpty,
    RedisFlushed,
    RedisFull,
    PostgresRestarted,
    DatabaseLineCut,
    RedisLineCut,
    ServiceNowLineCut,
    AllLinesCut,
    RateLimited,
    SemaphoreFull,
    Hibernating,
    BodiesCut,
    AnswersLost,
    CommittedButRefused,
    WritesSeenLate,
    ClockSkewed,
    Slow,
    TokensRevoked,
    ReceiverAway,
}

impl Fault {
    const ALL: [Self; 25] = [
        Self::WorkerKilled,
        Self::SchedulerKilled,
        Self::WorkerFrozen,
        Self::SchedulerFrozen,
        Self::EveryProcessRolled,
        Self::RedisRestarted,
        Self::RedisRestartedEmpty,
        Self::RedisFlushed,
        Self::RedisFull,
        Self::PostgresRestarted,
        Self::DatabaseLineCut,
        Self::RedisLineCut,
        Self::ServiceNowLineCut,
        Self::AllLinesCut,
        Self::RateLimited,
        Self::SemaphoreFull,
        Self::Hibernating,
        Self::BodiesCut,
        Self::AnswersLost,
        Self::CommittedButRefused,
        Self::WritesSeenLate,
        Self::ClockSkewed,
        Self::Slow,
        Self::TokensRevoked,
        Self::ReceiverAway,
    ];

    /// The name in the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::WorkerKilled => "worker killed",
            Self::SchedulerKilled => "scheduler killed",
            Self::WorkerFrozen => "worker frozen beyond its lease",
            Self::SchedulerFrozen => "scheduler frozen",
            Self::EveryProcessRolled => "every process rolled",
            Self::RedisRestarted => "Redis killed, back with its data",
            Self::RedisRestartedEmpty => "Redis killed, back empty",
            Self::RedisFlushed => "Redis flushed",
            Self::RedisFull => "Redis at its memory limit",
            Self::PostgresRestarted => "PostgreSQL killed and restarted",
            Self::DatabaseLineCut => "line to PostgreSQL cut",
            Self::RedisLineCut => "line to Redis cut",
            Self::ServiceNowLineCut => "line to ServiceNow cut",
            Self::AllLinesCut => "all lines cut",
            Self::RateLimited => "429 with Retry-After",
            Self::SemaphoreFull => "429 of a full semaphore",
            Self::Hibernating => "instance hibernating",
            Self::BodiesCut => "bodies cut",
            Self::AnswersLost => "answers lost after the commit",
            Self::CommittedButRefused => "500 after the commit",
            Self::WritesSeenLate => "writes seen late",
            Self::ClockSkewed => "clock skewed",
            Self::Slow => "instance slow",
            Self::TokensRevoked => "tokens revoked",
            Self::ReceiverAway => "callbacks refused",
        }
    }

    /// Seconds that it lasts, at least and at most.
    fn lasts(self) -> (u64, u64) {
        match self {
            // Longer than a lease and the heart-beats that renew it.
            Self::WorkerFrozen | Self::SchedulerFrozen => (11, 16),
            Self::RedisRestarted
            | Self::RedisRestartedEmpty
            | Self::RedisFull
            | Self::PostgresRestarted
            | Self::DatabaseLineCut
            | Self::RedisLineCut
            | Self::ServiceNowLineCut
            | Self::AllLinesCut
            | Self::SemaphoreFull
            | Self::WritesSeenLate
            | Self::ClockSkewed
            | Self::Slow => (2, 8),
            _ => (0, 0),
        }
    }
}

/// The script of a run of this length. Each kind of fault comes once before any comes again.
pub(super) fn write(seed: u64, length: Duration) -> Vec<Step> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut deck = Vec::new();
    let mut script = Vec::new();
    let mut passed = Duration::ZERO;
    loop {
        if deck.is_empty() {
            deck = Fault::ALL.to_vec();
            deck.shuffle(&mut dice);
        }
        let Some(fault) = deck.pop() else {
            return script;
        };
        let (least, most) = fault.lasts();
        let step = Step {
            pause: Duration::from_secs(dice.random_range(2..=6)),
            fault,
            target: dice.random_range(0..60),
            length: Duration::from_secs(dice.random_range(least..=most)),
        };
        passed += step.pause + step.length;
        if passed > length {
            return script;
        }
        script.push(step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_fixes_the_script_and_five_minutes_hold_every_fault() {
        let length = Duration::from_mins(5);
        assert_eq!(write(7, length), write(7, length));
        assert_ne!(write(7, length), write(8, length));
        for seed in 0..50 {
            let script = write(seed, length);
            let missing = |fault: &&Fault| !script.iter().any(|step| step.fault == **fault);
            assert_eq!(Fault::ALL.iter().find(missing), None, "seed {seed}");
        }
    }
}
