//! How PostgreSQL ran each statement, in its own words.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use tests::past::LARGE;

/// Most rows that one step may read of a large table: the largest page and the largest number that is counted are below.
pub(super) const MOST: f64 = 5_000.0;

/// The same for what operators filter and search: they look at the newest so many, and say so.
pub(super) const WINDOW: f64 = 50_001.0;

/// Once a month: its rows are counted, and those that stay are moved.
const OF_A_DROPPED_MONTH: [&str; 2] = ["SELECT COUNT(*) AS rows FROM", "WITH held AS MATERIALIZED"];

/// From now on the sessions of this database report each statement to their client.
pub(super) async fn switch_on(conn: &DatabaseConnection) {
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_analyze = on",
        "auto_explain.log_timing = off",
        "auto_explain.log_format = 'json'",
        "auto_explain.log_level = 'notice'",
    ] {
        let change = format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {}', current_database()); END $$",
            setting.replace('\'', "''")
        );
        conn.execute_unprepared(&change).await.unwrap();
    }
}

/// What was reported.
#[derive(Debug, Clone, Default)]
pub(super) struct Explained(Arc<Mutex<Vec<String>>>);

/// Listens to what the database reports to the clients of this process.
pub(super) fn listen() -> Explained {
    let explained = Explained::default();
    let subscriber = tracing_subscriber::registry().with(explained.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    explained
}

impl<S: Subscriber> Layer<S> for Explained {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::postgres::notice" {
            event.record(&mut Message(&self.0));
        }
    }
}

struct Message<'a>(&'a Mutex<Vec<String>>);

impl Visit for Message<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl Explained {
    /// The reports that are plans.
    pub(super) fn plans(&self) -> Vec<Plan> {
        let told = self.0.lock().unwrap();
        told.iter()
            .filter_map(|text| serde_json::from_str(text.get(text.find('{')?..)?).ok())
            .map(|json: Value| Plan(json))
            .collect()
    }
}

/// How a statement was run.
#[derive(Debug)]
pub(super) struct Plan(Value);

impl Plan {
    pub(super) fn reads(&self, table: &str) -> bool {
        let mut found = false;
        each(&self.0["Plan"], &mut |step| {
            found |= step["Relation Name"] == table;
        });
        found
    }

    /// Whether its statement has this in it.
    pub(super) fn says(&self, part: &str) -> bool {
        let text = self.0["Query Text"].as_str();
        text.is_some_and(|text| text.contains(part))
    }

    /// Why it would not do in years to come, when a step may read up to `most` rows.
    pub(super) fn problem(&self, most: f64) -> Option<String> {
        let mut problems = Vec::new();
        each(&self.0["Plan"], &mut |step| {
            problems.extend(too_much(step, most));
        });
        let text = self.0["Query Text"].as_str().unwrap_or_default();
        if OF_A_DROPPED_MONTH.iter().any(|it| text.starts_with(it)) {
            return None;
        }
        // The columns of a list say nothing.
        let text = text.find(" FROM ").map_or(text, |from| &text[from..]);
        (!problems.is_empty()).then(|| format!("{text}\n  {}", problems.join("\n  ")))
    }
}

fn each(step: &Value, look: &mut impl FnMut(&Value)) {
    look(step);
    for inner in step["Plans"].as_array().into_iter().flatten() {
        each(inner, look);
    }
}

fn too_much(step: &Value, most: f64) -> Option<String> {
    let (kind, table) = (step["Node Type"].as_str()?, step["Relation Name"].as_str());
    let of = |field: &str| step[field].as_f64().unwrap_or_default();
    let loops = of("Actual Loops").max(1.0);
    let compared = of("Rows Removed by Join Filter") * loops;
    if compared > most {
        return Some(format!("{kind} compares {compared} pairs of rows in vain"));
    }
    let index = step["Index Name"].as_str();
    // A scan of a bitmap names its index only; ours begin with the name of their table.
    let large = |name: &str| LARGE.iter().any(|table| name.starts_with(table));
    if !table.or(index).is_some_and(large) || kind == "ModifyTable" {
        return None;
    }
    let seen =
        of("Actual Rows") + of("Rows Removed by Filter") + of("Rows Removed by Index Recheck");
    let rows = seen * loops;
    let shown = format!(
        "{kind} {} {} reads {rows} rows",
        table.unwrap_or_default(),
        index.unwrap_or_default()
    );
    (kind == "Seq Scan" || rows > most).then_some(shown)
}
