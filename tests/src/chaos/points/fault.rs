//! What goes wrong around the bridge, by kind.

use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};
use simulator::DupSysId;

use super::stage::Stage;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The instance behaves.
    None,
    /// A write is seen by readers half a minute later.
    LateVisibility,
    /// The ids we choose are not taken over.
    OwnIds,
    /// A second row under the same id updates the first one.
    Upsert,
    /// The clock of the instance's answers is wrong.
    ClockSkew(i64),
    /// Work done, connection cut before the answer.
    LostAnswer,
    /// Connection cut, nothing done.
    LostCall,
    /// Work done, half of the answer sent.
    CutBody,
    /// A POST is committed and answered 500.
    CommittedThen500,
    /// 503, nothing done.
    Unavailable,
    /// 429 with `Retry-After`.
    RateLimited,
    /// 429 of a full semaphore.
    Semaphore,
    /// The source answers a callback with 500, having heard it.
    CallbackRefused,
    /// The same with 503 and `Retry-After`.
    CallbackUnavailable,
}

impl Fault {
    /// How the instance of a run is.
    pub fn of_instance(dice: &mut StdRng) -> Self {
        match dice.random_range(0..10) {
            0 => Self::LateVisibility,
            1 => Self::OwnIds,
            2 => Self::Upsert,
            3 => Self::ClockSkew(dice.random_range(-60..60)),
            _ => Self::None,
        }
    }

    /// What happens to one or two calls.
    pub fn of_calls(dice: &mut StdRng) -> Self {
        const KINDS: [Fault; 9] = [
            Fault::LostAnswer,
            Fault::LostCall,
            Fault::CutBody,
            Fault::CommittedThen500,
            Fault::Unavailable,
            Fault::RateLimited,
            Fault::Semaphore,
            Fault::CallbackRefused,
            Fault::CallbackUnavailable,
        ];
        KINDS.choose(dice).copied().unwrap_or(Self::LostAnswer)
    }

    /// For tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::LateVisibility => "late visibility",
            Self::OwnIds => "ids not honoured",
            Self::Upsert => "upsert",
            Self::ClockSkew(_) => "clock skew",
            Self::LostAnswer => "lost answer",
            Self::LostCall => "lost call",
            Self::CutBody => "cut body",
            Self::CommittedThen500 => "500 but committed",
            Self::Unavailable => "503",
            Self::RateLimited => "429, Retry-After",
            Self::Semaphore => "429, semaphore",
            Self::CallbackRefused => "callback 500",
            Self::CallbackUnavailable => "callback 503",
        }
    }

    /// Lets it happen to the next call it fits.
    pub fn strike(self, stage: &Stage) {
        let main = &stage.main;
        match self {
            Self::None => {}
            Self::LateVisibility => main.set_knobs(|knobs| knobs.visible_delay_ms = 30_000),
            Self::OwnIds => main.set_knobs(|knobs| knobs.client_sys_id = false),
            Self::Upsert => main.set_knobs(|knobs| knobs.dup_sys_id = DupSysId::Upsert),
            Self::ClockSkew(seconds) => main.set_knobs(|knobs| knobs.clock_skew_s = seconds),
            Self::CallbackRefused => stage.receiver.plan(500, &[]),
            Self::CallbackUnavailable => stage.receiver.plan(503, &[("retry-after", "20")]),
            of_call => {
                let (method, set) = of_call.knobs();
                let fault = simulator::Fault {
                    method: method.map(str::to_owned),
                    // The token endpoint is not what is tested here.
                    path: Some("/api/".to_owned()),
                    times: Some(1),
                    set: set.as_object().cloned().unwrap_or_default(),
                    ..simulator::Fault::default()
                };
                main.add_fault(fault).expect("these knobs exist");
            }
        }
    }

    /// The method it is about, and the knobs.
    fn knobs(self) -> (Option<&'static str>, Value) {
        let cut = |when: &str| json!({"connection_drop": {"when": when}});
        match self {
            Self::LostAnswer => (None, cut("after_commit")),
            Self::LostCall => (None, cut("before")),
            Self::CutBody => (None, cut("mid_body")),
            Self::CommittedThen500 => (Some("POST"), json!({"post_commits_then_500": 1.0})),
            Self::Unavailable => (
                None,
                json!({"canned": {"status": 503, "body": "try later"}}),
            ),
            Self::RateLimited => (
                None,
                json!({"canned": {"status": 429, "headers": {"Retry-After": "30"}, "body": "{}"}}),
            ),
            _ => (
                None,
                json!({"canned": {"status": 429, "content_type": "text/html"}}),
            ),
        }
    }
}
