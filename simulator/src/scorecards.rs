//! Performance Analytics scorecards, `/api/now/pa/scorecards` (wire contract 9). Indicators are
//! rows of `pa_indicators`; their values are counted from the rows of the instance.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::http::answer::Answer;
use crate::http::routes::Api;
use crate::query;
use crate::refusal::Refusal;
use crate::table_api::params::Params;
use crate::world::time::stamp;
use crate::world::{Fields, World};

/// Days of history behind `sysparm_include_scores`.
const DAYS: i64 = 7;
const DEFAULT_PER_PAGE: usize = 10;
const MOST_PER_PAGE: usize = 100;

pub(crate) fn answer(api: &Api<'_>) -> Result<Answer, Refusal> {
    if !api.actor.has("pa_viewer") {
        return Err(Refusal::Unauthenticated {
            text: api.knobs.auth_text,
            mfa: false,
        });
    }
    let params = Params::of(api.call);
    let mut indicators: Vec<&Fields> = api.world.dump("pa_indicators");
    indicators.retain(|indicator| is_wanted(&params, indicator));
    let mut cards: Vec<(f64, Value)> = indicators
        .into_iter()
        .map(|indicator| card(api, &params, indicator))
        .collect();
    sort(&params, &mut cards);
    let number = |name: &str| params.get(name).and_then(|text| text.parse::<usize>().ok());
    let per_page = number("sysparm_per_page").unwrap_or(DEFAULT_PER_PAGE);
    let per_page = per_page.clamp(1, MOST_PER_PAGE);
    let page = number("sysparm_page").unwrap_or(1).max(1);
    let cards = cards.into_iter().skip((page - 1) * per_page).take(per_page);
    let cards: Vec<Value> = cards.map(|(_, card)| card).collect();
    Ok(Answer::list(&cards))
}

fn is_wanted(params: &Params, indicator: &Fields) -> bool {
    let uuid = params.get("sysparm_uuid").filter(|uuid| !uuid.is_empty());
    let id = uuid.and_then(|uuid| uuid.split([':', ';']).next());
    let texts =
        format!("{} {}", indicator.get("name"), indicator.get("description")).to_lowercase();
    let words = params
        .get("sysparm_contains")
        .unwrap_or_default()
        .to_lowercase();
    let all_words = words.split(',').all(|word| texts.contains(word.trim()));
    let all = params.get("sysparm_display") == Some("all");
    let key = !params.is_true("sysparm_key") || indicator.is_true("key");
    id.is_none_or(|id| id == indicator.sys_id())
        && all_words
        && key
        && (all || uuid.is_some() || indicator.is_true("display"))
}

fn sort(params: &Params, cards: &mut [(f64, Value)]) {
    if matches!(params.get("sysparm_sortby"), Some("name" | "order")) {
        cards.sort_by_key(|(_, card)| card["name"].as_str().unwrap_or_default().to_lowercase());
    } else {
        cards.sort_by(|(left, _), (right, _)| left.total_cmp(right));
    }
    if params.get("sysparm_sortdir") != Some("asc") {
        cards.reverse();
    }
}

fn card(api: &Api<'_>, params: &Params, indicator: &Fields) -> (f64, Value) {
    let id = indicator.sys_id();
    let collected = indicator.is_true("collected");
    let now = value(api, indicator, api.now);
    let before = value(api, indicator, api.now - TimeDelta::days(1));
    let change = now - before;
    let fraction = if before == 0.0 { 0.0 } else { change / before };
    let scored = |number: f64| {
        if collected {
            json!(number)
        } else {
            Value::Null
        }
    };
    let text = |text: String| if collected { text } else { String::new() };
    let link = format!("{}/api/now/v1/table/pa_indicators/{id}", api.sim.base_url);
    let period = api.now.format("%b %-d").to_string();
    let mut card = json!({
        "name": indicator.get("name"), "uuid": id, "description": indicator.get("description"),
        "indicator": {"display_value": indicator.get("name"), "link": link, "value": id},
        "unit": {"display_value": "#", "type": "formatted"},
        "value": scored(now), "value_formatted": text(format!("{now:.0}")), "value_unit": text(format!("{now:.0}")),
        "change": scored(change), "change_formatted": text(format!("{change:.0}")),
        "changeperc": scored(fraction), "changeperc_formatted": text(format!("{:.1}%", fraction * 100.0)),
        "target": null, "target_formatted": "", "gap": null, "gap_formatted": "", "gapperc": null, "gapperc_formatted": "",
        "period": if collected { json!(period) } else { Value::Null },
        "period_title": if collected { json!(period) } else { Value::Null },
        "direction": 2, "direction_label": "Minimize", "frequency": 10, "frequency_label": "Daily", "precision": 0,
        "key": indicator.is_true("key"), "favorite": false, "benchmarking": false, "realtime_enabled": false,
        "facts_table": {"name": indicator.get("facts_table"), "label": label(api.world, indicator)},
        "query": indicator.get("conditions"),
    });
    if let (Value::Object(card), true) = (&mut card, params.is_true("sysparm_include_scores")) {
        card.insert(
            "scores".to_owned(),
            scores(api, params, indicator, collected),
        );
    }
    (now, card)
}

fn label<'w>(world: &'w World, indicator: &'w Fields) -> &'w str {
    let table = indicator.get("facts_table");
    world
        .dictionary
        .table(table)
        .map_or(table, |table| &table.label)
}

/// One score a day, newest first.
fn scores(api: &Api<'_>, params: &Params, indicator: &Fields, collected: bool) -> Value {
    let limit = params
        .get("sysparm_limit")
        .and_then(|text| text.parse().ok())
        .unwrap_or(usize::MAX);
    let days = (0..DAYS).filter(|_| collected).take(limit);
    let scores = days.map(|day| {
        let at = api.now - TimeDelta::days(day);
        let number = value(api, indicator, at);
        let mut score = Map::new();
        let start = at.format("%Y-%m-%dT00:00:00Z").to_string();
        let end = at.format("%Y-%m-%dT23:59:59Z").to_string();
        score.insert("start_at".to_owned(), json!(start));
        score.insert("end_at".to_owned(), json!(end));
        score.insert("period".to_owned(), json!(at.format("%b %-d").to_string()));
        score.insert("value".to_owned(), json!(number));
        score.insert("value_formatted".to_owned(), json!(format!("{number:.0}")));
        Value::Object(score)
    });
    Value::Array(scores.collect())
}

/// How many rows of the facts table meet the conditions and were open at an instant.
fn value(api: &Api<'_>, indicator: &Fields, at: DateTime<Utc>) -> f64 {
    let table = indicator.get("facts_table");
    let (act, at) = (api.act(), stamp(at));
    let rows = api.world.dump(table).into_iter().filter(|row| {
        let closed = row.get("closed_at");
        let open =
            row.get("sys_created_on") <= at.as_str() && (closed.is_empty() || closed > at.as_str());
        let class = row.class_or(table);
        open && query::matches(api.world, &act, class, row, indicator.get("conditions"))
    });
    u32::try_from(rows.count()).map_or(f64::MAX, f64::from)
}
