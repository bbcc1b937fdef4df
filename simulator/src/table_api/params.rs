//! The `sysparm_*` parameters all Table API verbs share (wire contract 2.2).

use crate::http::call::Call;
use crate::http::routes::Api;
use crate::shape::{Display, View};
use crate::world::{Input, World};

/// Rows of a list when `sysparm_limit` is not given.
const DEFAULT_LIMIT: usize = 10_000;

/// Parameters in the order given; the last of a repeated name counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    names: Option<Vec<String>>,
}

impl Params {
    pub(crate) fn of(call: &Call) -> Self {
        let pairs = call.params();
        let mut params = Self { pairs, names: None };
        let names = params
            .get("sysparm_fields")
            .filter(|names| !names.trim().is_empty());
        params.names = names.map(|names| {
            names
                .split(',')
                .map(|name| name.trim().to_owned())
                .collect()
        });
        params
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// Parameters that are not `sysparm_*`: plain filters, when they name a column.
    pub(crate) fn others(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self
            .pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        pairs.filter(|(name, _)| !name.starts_with("sysparm_"))
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    pub(crate) fn limit(&self) -> usize {
        self.get("sysparm_limit")
            .and_then(|text| text.parse().ok())
            .unwrap_or(DEFAULT_LIMIT)
    }

    pub(crate) fn input(&self) -> Input {
        if self.is_true("sysparm_input_display_value") {
            Input::Display
        } else {
            Input::Raw
        }
    }

    /// How the caller wants rows shown.
    pub(crate) fn view<'a>(&'a self, api: &Api<'a>, world: &'a World) -> View<'a> {
        View {
            world,
            act: api.act(),
            base_url: &api.sim.base_url,
            display: Display::read(self.get("sysparm_display_value")),
            exclude_link: self.is_true("sysparm_exclude_reference_link"),
            names: self.names.as_deref(),
        }
    }
}
