//! Takes a message to a destination, by whichever way that has.

use serde_json::Value;
use shared::config::{AlertDestination, DestinationKind};

use super::{mail, webhook};
use crate::Scheduler;

/// A message on its way.
pub(crate) struct Letter<'a> {
    /// The same for each attempt.
    pub(crate) id: String,
    /// In one line.
    pub(crate) subject: &'a str,
    /// The body of a webhook; its `text` is that of a mail.
    pub(crate) body: &'a Value,
}

/// Sends it: what the destination answered, or why it did not take it. Neither holds a secret of ours.
pub(crate) async fn send(
    scheduler: &Scheduler,
    destination: &AlertDestination,
    letter: &Letter<'_>,
) -> Result<String, String> {
    let timeout = scheduler.settings.alerts.timeout();
    let sending = async {
        match destination.kind {
            DestinationKind::Webhook => {
                let http = scheduler.http.as_ref();
                let http = http.ok_or("this process was started without an HTTP client")?;
                webhook::post(http, destination, letter, scheduler.now()).await
            }
            DestinationKind::Mail => mail::send(destination, letter, timeout).await,
        }
    };
    match tokio::time::timeout(timeout, sending).await {
        Ok(answered) => answered,
        Err(_) => Err(format!("it did not answer within {} s", timeout.as_secs())),
    }
}
