//! Looks once, for all event streams of this process, whether a source has news: thousands of silent streams cost the database
//! as much as one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::process::every;
use shared::store::events::{self, FeedCursor};
use tokio::sync::watch;

use crate::Scheduler;

/// How often the store is asked when nothing in this process says that there is news; another process may have some.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// However often it is nudged, the tail rests this long between two looks: under load intake nudges with every call.
const PAUSE: Duration = Duration::from_millis(50);

/// Where the feed of a source ends, as far as this process knows.
pub(crate) type End = Option<FeedCursor>;

/// The ends of the feeds that somebody follows.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    followed: Mutex<HashMap<String, watch::Sender<End>>>,
}

impl Tail {
    /// The end of a source's feed from now on. `None` until the first look.
    pub(crate) fn follow(&self, source: &str) -> watch::Receiver<End> {
        let mut followed = self.hold();
        let sender = followed
            .entry(source.to_owned())
            .or_insert_with(|| watch::Sender::new(None));
        sender.subscribe()
    }

    /// The sources that somebody still follows; the others are forgotten.
    fn sources(&self) -> Vec<String> {
        let mut followed = self.hold();
        followed.retain(|_, sender| sender.receiver_count() > 0);
        followed.keys().cloned().collect()
    }

    fn tell(&self, source: &str, end: FeedCursor) {
        if let Some(sender) = self.hold().get(source) {
            sender.send_if_modified(|known| {
                let news = *known < Some(end);
                *known = (*known).max(Some(end));
                news
            });
        }
    }

    fn hold(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<End>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks until the stop, at once when an event was stored in this process.
pub async fn keep(scheduler: Arc<Scheduler>) -> anyhow::Result<()> {
    let (nudge, stop) = (Arc::clone(&scheduler.feed_nudge), scheduler.stop.clone());
    every(LOOK_EVERY, nudge, stop, move || {
        let scheduler = Arc::clone(&scheduler);
        async move {
            let looked = tick(&scheduler).await;
            tokio::time::sleep(PAUSE).await;
            looked
        }
    })
    .await
}

async fn tick(scheduler: &Scheduler) -> anyhow::Result<()> {
    let sources = scheduler.tail.sources();
    for (source, end) in events::ends(scheduler.store.conn(), &sources).await? {
        scheduler.tail.tell(&source, end);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u8) -> FeedCursor {
        let base = ["AAAAAAAAAAE", "AAAAAAAAAAI"][usize::from(number)];
        base.parse().expect("a cursor")
    }

    #[test]
    fn followers_hear_of_their_own_source_only() {
        let tail = Tail::default();
        let (mut idm, hr) = (tail.follow("idm"), tail.follow("hr"));
        assert_eq!(*idm.borrow_and_update(), None);
        tail.tell("idm", at(0));
        assert!(idm.has_changed().unwrap() && !hr.has_changed().unwrap());
        assert_eq!(*idm.borrow_and_update(), Some(at(0)));
        tail.tell("idm", at(0));
        assert!(!idm.has_changed().unwrap(), "it is no news");
        tail.tell("idm", at(1));
        assert_eq!(*tail.follow("idm").borrow(), Some(at(1)));
        tail.tell("nobody", at(1));
    }

    #[test]
    fn what_nobody_follows_is_not_looked_at() {
        let tail = Tail::default();
        let idm = tail.follow("idm");
        let another = tail.follow("idm");
        drop(idm);
        assert_eq!(tail.sources(), ["idm"]);
        drop(another);
        assert!(tail.sources().is_empty());
    }
}
