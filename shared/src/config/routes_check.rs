use std::collections::BTreeMap;

use crate::route::{Route, Routes};

use super::Problems;
use super::report::{Report, Section};
use super::suggest::did_you_mean;
use super::{RouteSettings, Settings, names};

impl Settings {
    /// The routes, ready to use: templates compiled, state maps completed.
    pub fn compile_routes(&self) -> Result<Routes, Problems> {
        let mut report = Report::resume(&self.origins);
        let routes = compile(self, &mut report);
        if report.is_clean() {
            Ok(Routes::new(routes))
        } else {
            Err(report.into_problems())
        }
    }
}

fn compile(settings: &Settings, report: &mut Report) -> Vec<Route> {
    let mut routes = Vec::new();
    for (index, route) in settings.routes.iter().enumerate() {
        let mut at = report.section(&format!("routes[{index}]"));
        match Route::compile(route) {
            Ok(route) => routes.push(route),
            Err(problems) => problems
                .into_iter()
                .for_each(|it| at.add(&it.column, it.problem, it.fix)),
        }
    }
    routes
}

/// Checks what routes say about each other, about connections and about sources; then their templates and state maps.
pub(super) fn check(settings: &Settings, report: &mut Report) {
    let mut names = BTreeMap::new();
    let mut served = BTreeMap::new();
    for (index, route) in settings.routes.iter().enumerate() {
        let mut at = report.section(&format!("routes[{index}]"));
        names::check(&mut at, "name", &route.name);
        check_references(settings, route, &mut at);
        check_ticket(route, &mut at);
        if let Some(first) = names.insert(&route.name, index) {
            let problem = format!("`{}` is also the name of routes[{first}]", route.name);
            at.add("name", problem, "give each route a name of its own");
        }
        if let Some(first) = served.insert((&route.source, &route.category), index) {
            let problem = format!(
                "routes[{first}] serves category `{}` of source `{}` as well",
                route.category, route.source
            );
            at.add("category", problem, "keep one of them");
        }
    }
    compile(settings, report);
}

fn check_references(settings: &Settings, route: &RouteSettings, at: &mut Section<'_>) {
    if route.source != "*" && !settings.sources.contains_key(&route.source) {
        let known = settings.sources.keys().map(String::as_str).chain(["*"]);
        at.add(
            "source",
            format!("there is no [sources.{}]", route.source),
            did_you_mean(&route.source, known),
        );
    }
    if route.category.trim().is_empty() {
        at.add(
            "category",
            "is empty",
            "name the category of the requests it serves",
        );
    }
    if settings.connections.is_empty() {
        at.add(
            "connection",
            "there is no connection at all",
            "describe the instance in [connections.main]",
        );
    } else if !settings.connections.contains_key(&route.connection) {
        let known = settings.connections.keys().map(String::as_str);
        let problem = format!("there is no [connections.{}]", route.connection);
        at.add(
            "connection",
            problem,
            did_you_mean(&route.connection, known),
        );
    }
}

fn check_ticket(route: &RouteSettings, at: &mut Section<'_>) {
    match (route.table.as_str(), route.catalog_item.as_str()) {
        ("", "") => at.add(
            "table",
            "neither a table nor a catalog item is given",
            "set table to a task table such as incident, or catalog_item to the sys_id of an item",
        ),
        ("", item) => {
            if item.len() != 32 || !item.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
                at.add(
                    "catalog_item",
                    format!("`{item}` is not a sys_id"),
                    "copy the 32 digits and letters a-f with \"Copy sys_id\" from the item's form",
                );
            }
        }
        (table, "") => {
            if !is_column(table) {
                at.add(
                    "table",
                    format!("`{table}` is not a table name"),
                    "write its name, not its label: sc_task",
                );
            }
            check_person(route, at);
        }
        _ => at.add(
            "catalog_item",
            "a table and a catalog item are given",
            "keep one: a route makes a row of a table, or orders an item",
        ),
    }
}

fn check_person(route: &RouteSettings, at: &mut Section<'_>) {
    let Some(person) = &route.person else { return };
    if person.field.is_empty() {
        at.add(
            "person.field",
            "no column is named for the person",
            "set it to a reference to sys_user, such as caller_id",
        );
    } else if !is_column(&person.field) {
        let problem = format!("`{}` is not a column name", person.field);
        at.add(
            "person.field",
            problem,
            "write the name, not the label: caller_id",
        );
    }
}

/// Names of tables and columns are lower case in ServiceNow, with `u_` or `x_` before those of customers.
fn is_column(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'))
}
