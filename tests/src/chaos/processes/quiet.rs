//! Waits until the bridge has come to rest: every request has ended, and no job about one is left to do.

use std::time::Duration;

use shared::job::JobState;
use shared::request::RequestState;
use shared::store::{jobs, requests};
use tokio::time::{Instant, interval, timeout};

use super::installation::Installation;
use crate::terminal;

/// How often it is looked.
const BEAT: Duration = Duration::from_secs(1);
/// A lane that never rests: polls come and go.
const POLLS: &str = "ticket-status";

/// How the run came to rest.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    /// How long it took; `None` when it did not.
    pub(super) after: Option<Duration>,
}

/// Looks until nothing is left to do, for as long as `patience`.
pub(super) async fn wait(it: &Installation, patience: Duration) -> Rest {
    let began = Instant::now();
    let looking = async {
        let mut beat = interval(BEAT);
        let mut last = String::new();
        loop {
            beat.tick().await;
            match left(it).await {
                Ok(None) => return,
                Ok(Some(left)) if left != last => {
                    terminal::say(&format!("waiting: {left}"));
                    last = left;
                }
                Ok(Some(_)) => {}
                Err(error) => terminal::say(&format!("cannot look: {error:#}")),
            }
        }
    };
    let rests = timeout(patience, looking).await.is_ok();
    Rest {
        after: rests.then(|| began.elapsed()),
    }
}

/// What is left to do; `None` when that is nothing.
async fn left(it: &Installation) -> anyhow::Result<Option<String>> {
    let conn = it.store.conn();
    let live: u64 = jobs::counts(conn)
        .await?
        .iter()
        .filter(|it| it.state != JobState::Dead && !it.lane.starts_with(POLLS))
        .map(|it| it.count)
        .sum();
    let open = requests::Filter {
        state: RequestState::ALL
            .into_iter()
            .filter(|state| !state.is_final())
            .collect(),
        ..requests::Filter::default()
    };
    let open = requests::list(conn, &open, None, 1_000).await?.requests;
    let text = format!("{} requests are open, {live} jobs live", open.len());
    Ok((live > 0 || !open.is_empty()).then_some(text))
}
