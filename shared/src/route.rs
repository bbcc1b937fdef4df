//! A route: which requests become which tickets, where, and who decides.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::state_map::StateMap;
use crate::template::{FieldProblem, FieldTemplates, TemplateInput};
use crate::ticket::TicketKind;

mod compile;

/// Who decides where a request stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Mastery {
    /// A closed ticket closes the request.
    #[default]
    Servicenow,
    /// Each change of the request is written to the ticket.
    Source,
}

impl Mastery {
    /// The word used in configuration and in problems.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Servicenow => "servicenow",
            Self::Source => "source",
        }
    }
}

/// How `requested_for` becomes a `sys_user` (T6). There is no fall-back: nobody found, or several, denies the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRule {
    /// The column that takes the person; orders take it as `sysparm_requested_for` too.
    pub field: String,
    /// Columns of `sys_user` compared with the value, in this order.
    pub match_on: Vec<String>,
}

/// One route, compiled.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name; stored with each request it serves.
    pub name: String,
    /// The source it serves; `*` for any.
    pub source: String,
    /// The category it serves.
    pub category: String,
    /// The connection its tickets live on.
    pub connection: String,
    /// Whether new requests are taken; an operator may switch it at run time as well.
    pub enabled: bool,
    /// What kind of ticket.
    pub kind: TicketKind,
    /// Who decides.
    pub mastery: Mastery,
    /// Age after which an open ticket is no longer looked at.
    pub give_up_after: Duration,
    /// The person it is for.
    pub person: Option<PersonRule>,
    /// The columns, or catalog variables.
    pub fields: FieldTemplates,
    /// The map of states.
    pub states: StateMap,
}

impl Route {
    /// The columns (or catalog variables) of a ticket for this request, without the person.
    pub fn render(
        &self,
        input: &TemplateInput<'_>,
    ) -> Result<BTreeMap<String, String>, Vec<FieldProblem>> {
        self.fields.render(input)
    }
}

/// Why no route serves a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    /// No route of this source has the category.
    #[error("no route serves category `{category}`; known categories: {}", known.join(", "))]
    UnknownCategory {
        /// What was asked for.
        category: String,
        /// What this source may ask for.
        known: Vec<String>,
    },
    /// The route is switched off in the configuration.
    #[error("route `{route}` is switched off; set `enabled = true` in its configuration")]
    Disabled {
        /// Its name.
        route: String,
    },
}

/// All routes.
#[derive(Debug, Clone, Default)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// Takes the routes in the order of the configuration.
    pub fn new(routes: Vec<Route>) -> Self {
        Self(routes)
    }

    /// The route of a source's category: its own before one for any source.
    pub fn find(&self, source: &str, category: &str) -> Result<&Route, NoRoute> {
        let serves = |name: &str| {
            self.0
                .iter()
                .find(|route| route.source == name && route.category == category)
        };
        match serves(source).or_else(|| serves("*")) {
            Some(route) if route.enabled => Ok(route),
            Some(route) => Err(NoRoute::Disabled {
                route: route.name.clone(),
            }),
            None => Err(NoRoute::UnknownCategory {
                category: category.to_owned(),
                known: self.categories(source),
            }),
        }
    }

    /// The route a stored request was given; `None` when it has left the configuration.
    pub fn by_name(&self, name: &str) -> Option<&Route> {
        self.0.iter().find(|route| route.name == name)
    }

    /// Every route.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.iter()
    }

    fn categories(&self, source: &str) -> Vec<String> {
        let mut known: Vec<String> = self
            .0
            .iter()
            .filter(|route| route.source == source || route.source == "*")
            .map(|route| route.category.clone())
            .collect();
        known.sort();
        known.dedup();
        known
    }
}
