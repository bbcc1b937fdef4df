use std::collections::BTreeMap;

use super::{BATCH_LIMIT, Broker, Doorbell, Lane};
use crate::crash::{Point, reach};
use crate::store::jobs::QueuedJob;

/// Pushes the doorbells of the jobs that were stored as rung, after the commit that stored them; jobs left to the relay are
/// passed over. Bells that cannot be pushed are only logged: the relay rings again what nobody claims.
pub async fn ring(broker: &dyn Broker, jobs: &[QueuedJob]) {
    let mut lanes: BTreeMap<(&str, End), Vec<Doorbell>> = BTreeMap::new();
    for job in jobs.iter().filter(|job| job.rung) {
        let end = if job.first { End::Front } else { End::Back };
        let bell = Doorbell {
            job: job.id,
            kind: job.kind.to_string(),
            traceparent: job.traceparent.clone(),
        };
        lanes.entry((&job.lane, end)).or_default().push(bell);
    }
    for ((name, end), bells) in lanes {
        match name.parse::<Lane>() {
            Ok(lane) => push(broker, &lane, end, &bells).await,
            // The names of connections are checked when the configuration is loaded; a stored lane keeps to the same rule.
            Err(error) => {
                tracing::error!(lane = name, error = %error, "a stored lane has no usable name");
            }
        }
    }
}

/// Where in its lane a bell goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Front,
    Back,
}

async fn push(broker: &dyn Broker, lane: &Lane, end: End, bells: &[Doorbell]) {
    let batches: Vec<&[Doorbell]> = match end {
        // What is pushed last to the front comes out first.
        End::Front => bells.rchunks(BATCH_LIMIT).collect(),
        End::Back => bells.chunks(BATCH_LIMIT).collect(),
    };
    for batch in batches {
        reach(Point::BellReady).await;
        let pushed = match end {
            End::Front => broker.push_front(lane, batch).await,
            End::Back => broker.push(lane, batch).await,
        };
        if let Err(error) = pushed {
            tracing::debug!(lane = %lane, bells = bells.len(), error = %error, "not rung; the relay rings again");
            return;
        }
        reach(Point::BellPushed).await;
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
            first: false,
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
    async fn jobs_whose_worker_was_lost_go_before_those_that_wait() {
        let broker = MemoryBroker::new();
        let lost = |id| QueuedJob {
            first: true,
            ..job(id, "a", true)
        };
        let waiting: Vec<_> = (0..3).map(|id| job(id, "a", true)).collect();
        ring(&broker, &waiting).await;
        let taken: Vec<_> = (10..1_210).map(lost).chain([job(3, "a", true)]).collect();
        ring(&broker, &taken).await;
        let lanes = ["a".parse().unwrap()];
        let mut order = Vec::new();
        while order.len() < 1_204 {
            let popped = broker.pop(&lanes, BATCH_LIMIT, Duration::ZERO).await;
            let ids = popped.unwrap().into_iter();
            order.extend(ids.map(|it| it.bell.unwrap().job.as_u128()));
        }
        let expected: Vec<u128> = (10..1_210).chain(0..4).collect();
        assert_eq!(order, expected);
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
