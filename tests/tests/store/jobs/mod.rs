//! Jobs, operation by operation; `jobs_model` has them in random order.

mod lifecycle;
mod relay;
mod rescue;
mod unclaim;

use shared::job::{Claimed, NewJob};
use shared::store::Store;
use shared::store::jobs::{self, Job};
use uuid::Uuid;

use crate::{create_job, seconds, start};

async fn inserted(store: &Store, job: &NewJob) -> Uuid {
    jobs::insert(store.conn(), job, start())
        .await
        .unwrap()
        .expect("no other job holds the key")
        .id
}

async fn read(store: &Store, id: Uuid) -> Job {
    jobs::find(store.conn(), id)
        .await
        .unwrap()
        .expect("the job is there")
}

async fn claimed(store: &Store, id: Uuid, owner: &str) -> Claimed {
    let mut claimed = jobs::claim(store.conn(), &[id], owner, start() + seconds(3_600))
        .await
        .unwrap();
    assert_eq!(claimed.len(), 1, "the job can be claimed");
    claimed.remove(0)
}

fn job(number: u128) -> NewJob {
    create_job(Uuid::from_u128(number))
}

async fn fill(store: &Store, count: u128) {
    let tx = store.begin().await.unwrap();
    for number in 0..count {
        jobs::insert_due(&tx, &job(number), start())
            .await
            .unwrap()
            .unwrap();
    }
    tx.commit().await.unwrap();
}
