use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{Rung, Slots, buffer::Buffer};
use crate::{
    queue::{BadDoorbell, Broker, Doorbell, Lane, Popped, backoff::Backoff},
    telemetry::names,
};

/// How long one look for bells waits. A pop is never interrupted, because that could lose bells; so an idle worker stops
/// within this time.
const LOOK: Duration = Duration::from_millis(250);

/// Takes bells from the broker, never more than there are free handlers, until it is stopped.
pub(super) struct Fetcher {
    broker: Arc<dyn Broker>,
    lanes: Vec<Lane>,
    slots: Slots,
    buffer: Arc<Buffer>,
    stop: CancellationToken,
    backoff: Backoff,
}

impl Fetcher {
    pub(super) fn new(
        broker: Arc<dyn Broker>,
        lanes: Vec<Lane>,
        slots: Slots,
        buffer: Arc<Buffer>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            broker,
            lanes,
            slots,
            buffer,
            stop,
            backoff: Backoff::new(Duration::from_millis(50), Duration::from_secs(1)),
        }
    }

    /// Fetches until stopped, then hands back what no handler has begun. `cut` ends even that.
    pub(super) async fn run(mut self, cut: CancellationToken) {
        let work = async {
            while let Some(free) = self.free_slots().await {
                self.fetch(free).await;
            }
            let left = self.buffer.close().into_iter();
            self.hand_back(left.map(|rung| (rung.lane, rung.bell)))
                .await;
        };
        if cut.run_until_cancelled(work).await.is_none() {
            warn!(
                "the drain deadline passed while bells were handed back; they are rung again from the database"
            );
        }
    }

    /// All slots that are free, once there is one; none when stopped.
    async fn free_slots(&self) -> Option<OwnedSemaphorePermit> {
        let free = self.stop.run_until_cancelled(self.slots.acquire());
        free.await.flatten()
    }

    async fn fetch(&mut self, mut free: OwnedSemaphorePermit) {
        match self.broker.pop(&self.lanes, free.num_permits(), LOOK).await {
            Ok(popped) => {
                self.backoff.reset();
                // Meanwhile there may have become fewer.
                self.slots.settle(&mut free);
                let (begun, left) = with_slots(popped, free);
                self.buffer.put(begun);
                self.hand_back(left).await;
            }
            Err(error) => {
                // The broker has said so when it began.
                debug!(%error, "no bells could be fetched");
                let pause = tokio::time::sleep(self.backoff.after_failure());
                self.stop.run_until_cancelled(pause).await;
            }
        }
    }

    async fn hand_back(&self, left: impl IntoIterator<Item = (Lane, Doorbell)>) {
        let mut lanes: BTreeMap<Lane, Vec<Doorbell>> = BTreeMap::new();
        for (lane, bell) in left {
            lanes.entry(lane).or_default().push(bell);
        }
        for (lane, bells) in lanes {
            if let Err(error) = self.broker.push_front(&lane, &bells).await {
                let bells = bells.len();
                warn!(%lane, bells, %error, "bells could not be handed back; they are rung again from the database");
            }
        }
    }
}

/// Gives each bell a slot of its own; slots left over are free again, and so are bells without one.
fn with_slots(
    popped: Vec<Popped>,
    mut free: OwnedSemaphorePermit,
) -> (Vec<Rung>, Vec<(Lane, Doorbell)>) {
    let (mut rung, mut left) = (Vec::with_capacity(popped.len()), Vec::new());
    for Popped { lane, bell } in popped {
        match (bell, free.split(1)) {
            (Ok(bell), Some(slot)) => rung.push(Rung {
                bell,
                lane,
                _slot: slot,
            }),
            (Ok(bell), None) => left.push((lane, bell)),
            (Err(bad), _) => drop_bad(&lane, &bad),
        }
    }
    (rung, left)
}

fn drop_bad(lane: &Lane, bad: &BadDoorbell) {
    let lane = lane.to_string();
    warn!(%lane, error = %bad, "a bad doorbell is dropped; the job, if there is one, is still in the database");
    metrics::counter!(names::BAD_DOORBELLS_TOTAL, "lane" => lane).increment(1);
}
