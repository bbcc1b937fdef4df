//! A throttle that keeps what is known of each call, for the runs that the page of the job shows.

use std::sync::{Arc, Mutex, PoisonError};

use servicenow_client::{Ended, Held, Outgoing, Pending, Permit, Throttle};
use shared::store::attempts::CallRecord;

use crate::run::{answered, failed};
use crate::throttle::ClassThrottle;

/// The calls so far.
#[derive(Clone, Default)]
pub(super) struct Records(Arc<Mutex<Vec<CallRecord>>>);

impl Records {
    pub(super) fn take(&self) -> Vec<CallRecord> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, call: CallRecord) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(call);
    }
}

pub(super) struct Recorded {
    pub(super) throttle: ClassThrottle,
    pub(super) records: Records,
}

struct RecordedPermit {
    permit: Box<dyn Permit>,
    records: Records,
}

impl Throttle for Recorded {
    fn admit(&self, outgoing: Outgoing) -> Pending<'_, Result<Box<dyn Permit>, Held>> {
        Box::pin(async move {
            let permit = self.throttle.admit(outgoing).await?;
            let records = self.records.clone();
            Ok(Box::new(RecordedPermit { permit, records }) as Box<dyn Permit>)
        })
    }
}

impl Permit for RecordedPermit {
    fn ended(self: Box<Self>, ended: Ended<'_>) -> Pending<'static, ()> {
        let call = match ended {
            Ended::Answered(meta) => Some(answered(meta)),
            Ended::Failed(error) => error.failure().map(|failure| failed(error, failure)),
        };
        if let Some(call) = call {
            self.records.push(call);
        }
        self.permit.ended(ended)
    }
}
