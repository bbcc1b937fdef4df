//! A caller's say over each request: many clients of one instance can share one budget of calls.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::call::{Call, Effect};
use crate::error::Error;
use crate::meta::CallMeta;

/// What a throttle gives: traits that are used as objects have no async functions.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Asked before each request, and told how each has ended: also for those that a look-up of several calls makes, and for the
/// second one after a refused token. A token is fetched under the permit of the call that needs it and is not asked for by
/// itself: rate-limit rules count calls of REST resources, and the token endpoint is none (wire contract 11.1).
pub trait Throttle: Send + Sync {
    /// Waits until the request may be sent; `Err` when that would take too long.
    fn admit(&self, outgoing: Outgoing) -> Pending<'_, Result<Box<dyn Permit>, Held>>;
}

/// The right to send one request. Dropped without a word when the call is cut off.
pub trait Permit: Send {
    /// The call has ended.
    fn ended(self: Box<Self>, ended: Ended<'_>) -> Pending<'static, ()>;
}

/// A request that is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Method and API, such as `GET now/table`: what rate-limit rules tell apart (wire contract 11.1).
    pub resource: String,
    /// Whether it may change something on the instance.
    pub writes: bool,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub enum Ended<'a> {
    /// With a success.
    Answered(&'a CallMeta),
    /// In any other way.
    Failed(&'a Error),
}

/// A request that was not sent because the throttle said so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not sent before {until}: {reason}")]
pub struct Held {
    /// When it may be tried again.
    pub until: DateTime<Utc>,
    /// Why, for people.
    pub reason: String,
}

/// The throttle of a client, shared by its clones.
pub(crate) type SharedThrottle = Arc<dyn Throttle>;

impl Outgoing {
    pub(crate) fn of(call: &Call) -> Self {
        let is_version = |part: &&str| {
            let digits = part.strip_prefix('v').unwrap_or_default();
            !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit())
        };
        let parts = call.path.split('/').filter(|part| !part.is_empty());
        let named = parts.skip_while(|part| *part == "api");
        let api: Vec<&str> = named.filter(|part| !is_version(part)).take(2).collect();
        Self {
            resource: format!("{} {}", call.method, api.join("/")),
            writes: call.effect == Effect::Write,
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;
    use crate::params::Params;

    #[test]
    fn a_resource_is_method_and_api_without_version_table_and_id() {
        let resource = |path: &str| {
            let call = Call::get(path.to_owned(), Params::default()).unwrap();
            Outgoing::of(&call).resource
        };
        assert_eq!(resource("/api/now/table/incident/1"), "GET now/table");
        assert_eq!(resource("/api/now/v2/table/incident"), "GET now/table");
        assert_eq!(
            resource("/api/sn_sc/servicecatalog/items/1"),
            "GET sn_sc/servicecatalog"
        );
        let path = "/api/now/table/incident".to_owned();
        let write = Call::write(Method::POST, path, Params::default(), Vec::new()).unwrap();
        assert_eq!(
            Outgoing::of(&write),
            Outgoing {
                resource: "POST now/table".to_owned(),
                writes: true
            }
        );
    }
}
