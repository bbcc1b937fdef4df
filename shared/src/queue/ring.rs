use std::collections::BTreeMap;

use super::{BATCH_LIMIT, Broker, Doorbell, Lane};
use crate::store::jobs::QueuedJob;

/// Pushes the doorbells of the jobs that were stored as rung, after the commit that stored them; jobs left to the relay are
/// passed over. Bells that cannot be pushed are only logged: the relay rings again what nobody claims.
pub async fn ring(broker: &dyn Broker, jobs: &[QueuedJob]) {
    let mut lanes: BTreeMap<&str, Vec<Doorbell>> = BTreeMap::new();
    for job in jobs.iter().filter(|job| job.rung) {
        let bell = Doorbell {
            job: job.id,
            kind: job.kind.to_string(),
            traceparent: job.traceparent.clone(),
        };
        lanes.entry(&job.lane).or_default().push(bell);
    }
    for (name, bells) in lanes {
        match name.parse::<Lane>() {
            Ok(lane) => push(broker, &lane, &bells).await,
            // The names of connections are checked when the configuration is loaded; a stored lane keeps to the same rule.
            Err(error) => {
                tracing::error!(lane = name, error = %error, "a stored lane has no usable name");
            }
        }
    }
}

async fn push(broker: &dyn Broker, lane: &Lane, bells: &[Doorbell]) {
    for batch in bells.chunks(BATCH_LIMIT) {
        if let Err(error) = broker.push(lane, batch).await {
            tracing::debug!(lane = %lane, bells = bells.len(), error = %error, "not rung; the relay rings again");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::job::JobKind;
    use crate::queue::MemoryBroker;

    fn job(id: u128, lane: &str, rung: bool) -> QueuedJob {
        QueuedJob {
            id: Uuid::from_u128(id),
            lane: lane.to_owned(),
            kind: JobKind::CreateTicket,
            traceparent: Some("trace".to_owned()),
            rung,
        }
    }

    #[tokio::test]
    async fn each_lane_gets_its_bells_in_order() {
        let broker = MemoryBroker::new();
        let jobs = [
            job(1, "a", true),
            job(2, "b", true),
            job(3, "a", true),
            job(4, "a", false),
            job(5, "No lane", true),
        ];
        ring(&broker, &jobs).await;
        let pop = async |lane: &str| -> Vec<u128> {
            let lane = [lane.parse().unwrap()];
            let popped = broker.pop(&lane, 10, Duration::ZERO).await.unwrap();
            popped
                .into_iter()
                .map(|popped| popped.bell.unwrap().job.as_u128())
                .collect()
        };
        assert_eq!(pop("a").await, [1, 3]);
        assert_eq!(pop("b").await, [2]);
    }

    #[tokio::test]
    async fn more_than_one_batch_arrives_whole() {
        let broker = MemoryBroker::new();
        let jobs: Vec<_> = (0..1_201).map(|id| job(id, "a", true)).collect();
        ring(&broker, &jobs).await;
        let lanes = ["a".parse().unwrap()];
        assert_eq!(broker.depth(&lanes).await.unwrap()[0].1, 1_201);
    }
}
