//! Whether a new request can become a ticket. All that can be known without asking ServiceNow is checked here, so that
//! the source hears of it at once and not from a dead job.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use shared::request::Asked;
use shared::route::{NoRoute, Route};
use shared::store::switches::Switch;
use shared::store::{self, StoreError, switches};
use shared::template::TemplateInput;
use url::Url;

use super::problem::{FieldError, Problem};
use super::problem_kind::Kind;
use crate::Scheduler;

/// What decides about new requests of one call, read once.
pub(crate) struct Admission<'a> {
    scheduler: &'a Scheduler,
    source: &'a str,
    now: DateTime<Utc>,
    switched_off: BTreeMap<String, Switch>,
}

impl<'a> Admission<'a> {
    pub(crate) async fn read(
        scheduler: &'a Scheduler,
        source: &'a str,
    ) -> Result<Self, StoreError> {
        let mut admission = Self::but_for_switches(scheduler, source);
        admission.switched_off = switches::get_all(scheduler.store.conn())
            .await?
            .into_iter()
            .filter(|switch| !switch.on)
            .filter_map(|switch| Some((switch.route()?.to_owned(), switch)))
            .collect();
        Ok(admission)
    }

    /// All but the switches, for a statement that looks at them itself.
    pub(crate) fn but_for_switches(scheduler: &'a Scheduler, source: &'a str) -> Self {
        Self {
            scheduler,
            source,
            now: scheduler.now(),
            switched_off: BTreeMap::new(),
        }
    }

    /// The route of a request that can become a ticket; `at` is where its fields stand in the body.
    pub(crate) fn route(&self, asked: &Asked, at: &str) -> Result<&'a Route, Problem> {
        let errors: Vec<FieldError> = [
            self.check_validity(asked, at),
            self.check_callback(asked, at),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !errors.is_empty() {
            return Err(Problem::of_fields(errors));
        }
        let route = self
            .scheduler
            .routes
            .find(self.source, &asked.category)
            .map_err(|none| no_route(none, at))?;
        if let Some(switch) = self.switched_off.get(&route.name) {
            return Err(switched_off(&route.name, switch));
        }
        self.check_rendering(route, asked, at)?;
        Ok(route)
    }

    fn check_validity(&self, asked: &Asked, at: &str) -> Option<FieldError> {
        asked
            .valid_until
            .filter(|until| *until <= self.now)
            .map(|until| {
                FieldError::new(
                    format!("{at}/valid_until"),
                    format!("{} has passed", until.to_rfc3339()),
                    "send a time in the future, or leave it out",
                )
            })
    }

    fn check_callback(&self, asked: &Asked, at: &str) -> Option<FieldError> {
        let url = Url::parse(asked.callback_url.as_deref()?).ok()?;
        let settings = self.scheduler.settings.sources.get(self.source);
        let hosts = settings
            .map(|it| it.callback_hosts.as_slice())
            .unwrap_or_default();
        let error =
            |problem, fix| Some(FieldError::new(format!("{at}/callback_url"), problem, fix));
        if url.scheme() != "https" && !settings.is_some_and(|it| it.allow_http) {
            return error(
                "is not https".to_owned(),
                "send an https address".to_owned(),
            );
        }
        let host = url.host_str().unwrap_or_default();
        if hosts.iter().any(|allowed| allowed == host) {
            return None;
        }
        let fix = if hosts.is_empty() {
            format!(
                "have `{host}` added to callback_hosts of sources.{}, or leave the field out",
                self.source
            )
        } else {
            format!(
                "use one of {}, or have it added to callback_hosts of sources.{}",
                hosts.join(", "),
                self.source
            )
        };
        error(
            format!("names the host `{host}`, which this source may not use"),
            fix,
        )
    }

    /// Renders the ticket once. The real id of the request is not known yet; any id has its length.
    fn check_rendering(&self, route: &Route, asked: &Asked, at: &str) -> Result<(), Problem> {
        let input = TemplateInput {
            bridge: &self.scheduler.settings.bridge_name,
            request_id: store::new_id(self.now),
            source: self.source,
            asked,
            state: None,
            reason: None,
        };
        let Err(problems) = route.render(&input) else {
            return Ok(());
        };
        let errors = problems
            .into_iter()
            .map(|it| {
                FieldError::new(
                    at,
                    format!("column `{}`: {}", it.column, it.problem),
                    it.fix,
                )
            })
            .collect();
        let detail = format!(
            "The ticket of route `{}` cannot be written from this request; nothing was stored.",
            route.name
        );
        Err(Problem::new(Kind::Unrenderable, detail).with_errors(errors))
    }
}

fn no_route(none: NoRoute, at: &str) -> Problem {
    match none {
        NoRoute::UnknownCategory { category, known } => {
            let fix = match known.as_slice() {
                [] => "have a route for this source added to the bridge's configuration".to_owned(),
                known => format!("send one of {}", known.join(", ")),
            };
            let error = FieldError::new(
                format!("{at}/category"),
                format!("`{category}` has no route"),
                fix,
            );
            let detail = "No route serves this category for this source; nothing was stored.";
            Problem::new(Kind::UnknownCategory, detail).with_errors(vec![error])
        }
        NoRoute::Disabled { route } => {
            let detail = format!(
                "Route `{route}` is switched off in the bridge's configuration; nothing was stored. Set `enabled = true` \
                 in its [[routes]] table and restart the bridge."
            );
            Problem::new(Kind::RouteDisabled, detail)
        }
    }
}

fn switched_off(route: &str, switch: &Switch) -> Problem {
    let why = switch
        .reason
        .as_deref()
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default();
    let detail = format!(
        "Route `{route}` was switched off at {} by {}{why}; nothing was stored. Send the request again when an operator \
         has switched it on.",
        switch.at.to_rfc3339(),
        switch.by
    );
    Problem::new(Kind::RouteDisabled, detail)
}
