//! Count and checksum of rows in a window of `sys_updated_on`, by one call of the Aggregate API (wire contract 8).
//!
//! An aggregate shows no rows, so a condition that the instance dropped would not be seen in them. The call therefore groups by the
//! column of its control condition and asks for the oldest and the newest stamp: both show at once what was counted.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use crate::call::Call;
use crate::changes::untrustworthy;
use crate::cursor::parse_time;
use crate::decode::wrong_shape;
use crate::error::Error;
use crate::kinds::UntrustworthyReason;
use crate::meta::Reply;
use crate::names::{check_field, check_table};
use crate::params::Params;
use crate::query::Query;
use crate::query_error::QueryError;
use crate::table::Table;

const STAMP: &str = "sys_updated_on";
const VERSION: &str = "sys_mod_count";

/// Rows to count: those whose control column has this value, and whose stamp lies in the window. Both ends belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryRequest {
    /// The column that tells these rows from all others, such as `correlation_display`.
    pub control: String,
    /// Its value.
    pub value: String,
    /// First `sys_updated_on`, UTC, `YYYY-MM-DD HH:MM:SS`.
    pub from: String,
    /// Last `sys_updated_on`.
    pub to: String,
}

/// What the instance counted. Row scripts may hide some of these rows from lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub count: u64,
    /// The sum of `sys_mod_count`: any change of any row raises it. `None` when the account cannot read the column.
    pub versions: Option<i64>,
    /// The newest `sys_updated_on`; `None` without rows.
    pub newest: Option<String>,
}

#[derive(Deserialize)]
struct Group {
    stats: Stats,
    #[serde(default)]
    groupby_fields: Vec<GroupField>,
}

#[derive(Deserialize)]
struct GroupField {
    field: String,
    value: String,
}

#[derive(Deserialize)]
struct Stats {
    count: Option<Value>,
    #[serde(default)]
    sum: HashMap<String, Value>,
    #[serde(default)]
    min: HashMap<String, Value>,
    #[serde(default)]
    max: HashMap<String, Value>,
}

impl SummaryRequest {
    /// The rows of the window, for a list of them.
    pub fn query(&self) -> Result<Query, QueryError> {
        Query::new()
            .eq(&self.control, &self.value)?
            .ge(STAMP, &self.from)?
            .le(STAMP, &self.to)
    }
}

impl Table {
    /// Counts the rows of a window: GET `/api/now/stats/{table}`. [`Error::Untrustworthy`] when a condition was dropped, or when it
    /// cannot be seen that it was not.
    pub async fn summary(&self, request: &SummaryRequest) -> Result<Reply<Summary>, Error> {
        check_table(self.name())?;
        check_field(&request.control)?;
        let mut params = Params::default();
        params.add("sysparm_query", &request.query()?.to_string());
        params.add("sysparm_count", "true");
        params.add("sysparm_sum_fields", VERSION);
        params.add("sysparm_min_fields", STAMP);
        params.add("sysparm_max_fields", STAMP);
        params.add("sysparm_group_by", &request.control);
        let path = format!("/api/now/stats/{}", self.name());
        let call = Call::get(path, params)?.about(self.name());
        let answer = self.client().answer(&call).await?;
        let reply: Reply<Value> = self.client().decoded(&answer)?;
        // Without groups the column of the control was left out: nothing shows what was counted.
        if reply.value.is_object() {
            return Err(untrustworthy(&reply.meta, missing(&request.control)));
        }
        let groups: Vec<Group> = serde_json::from_value(reply.value.clone())
            .map_err(|_unfit| wrong_shape(&answer, "the groups have another form"))?;
        let judged =
            judge(request, &groups).map_err(|reason| untrustworthy(&reply.meta, reason))?;
        Ok(reply.map(|_| judged))
    }
}

fn judge(request: &SummaryRequest, groups: &[Group]) -> Result<Summary, UntrustworthyReason> {
    let mut all = Summary {
        versions: Some(0),
        ..Summary::default()
    };
    for group in groups {
        check_control(request, group)?;
        let stats = &group.stats;
        let count = stats.count.as_ref().and_then(whole).unwrap_or(0);
        all.count += u64::try_from(count).unwrap_or(0);
        let versions = stats.sum.get(VERSION).and_then(whole);
        all.versions = all.versions.zip(versions).map(|(all, more)| all + more);
        let newest = check_window(request, stats)?;
        all.newest = all.newest.max(Some(newest));
    }
    Ok(all)
}

fn check_control(request: &SummaryRequest, group: &Group) -> Result<(), UntrustworthyReason> {
    let control = group
        .groupby_fields
        .iter()
        .find(|it| it.field == request.control)
        .ok_or_else(|| missing(&request.control))?;
    // The database of an instance compares without case.
    if control
        .value
        .trim_end()
        .eq_ignore_ascii_case(&request.value)
    {
        Ok(())
    } else {
        Err(ignored(&request.control))
    }
}

/// The newest stamp, when oldest and newest lie in the window.
fn check_window(request: &SummaryRequest, stats: &Stats) -> Result<String, UntrustworthyReason> {
    let stamp = |of: &HashMap<String, Value>| {
        let text = of.get(STAMP).and_then(Value::as_str).unwrap_or_default();
        if text.is_empty() {
            return Err(missing(STAMP));
        }
        parse_time(text)
            .map(|_| text.to_owned())
            .ok_or_else(|| UntrustworthyReason::BadTimestamp {
                field: STAMP.to_owned(),
            })
    };
    let (oldest, newest) = (stamp(&stats.min)?, stamp(&stats.max)?);
    if oldest < request.from || newest > request.to {
        return Err(ignored(STAMP));
    }
    Ok(newest)
}

fn missing(field: &str) -> UntrustworthyReason {
    UntrustworthyReason::MissingColumn {
        field: field.to_owned(),
    }
}

fn ignored(field: &str) -> UntrustworthyReason {
    UntrustworthyReason::FilterIgnored {
        field: field.to_owned(),
    }
}

/// Numbers come as text, sums perhaps with a fraction of zeros.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.split('.').next().unwrap_or_default().parse().ok(),
        other => other.as_i64(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request() -> SummaryRequest {
        SummaryRequest {
            control: "correlation_display".into(),
            value: "TicketBridge".into(),
            from: "2026-01-01 00:00:00".into(),
            to: "2026-01-31 23:59:59".into(),
        }
    }

    fn group(name: &str, oldest: &str, newest: &str) -> Group {
        let group = json!({
            "stats": {"count": "2", "sum": {"sys_mod_count": "7.0000"}, "min": {"sys_updated_on": oldest}, "max": {"sys_updated_on": newest}},
            "groupby_fields": [{"field": "correlation_display", "value": name}],
        });
        serde_json::from_value(group).unwrap()
    }

    #[test]
    fn what_was_counted_must_show_its_conditions() {
        let good = group("TicketBridge", "2026-01-01 00:00:00", "2026-01-02 00:00:00");
        let expected = Summary {
            count: 2,
            versions: Some(7),
            newest: Some("2026-01-02 00:00:00".into()),
        };
        assert_eq!(judge(&request(), std::slice::from_ref(&good)), Ok(expected));
        assert_eq!(judge(&request(), &[]).unwrap().count, 0);
        let others = group("", "2026-01-01 00:00:00", "2026-01-02 00:00:00");
        let refused = judge(&request(), &[good, others]);
        assert_eq!(refused, Err(ignored("correlation_display")));
        let early = group("TicketBridge", "2025-12-31 23:59:59", "2026-01-02 00:00:00");
        assert_eq!(judge(&request(), &[early]), Err(ignored(STAMP)));
        let late = group("TicketBridge", "2026-01-01 00:00:00", "2026-02-01 00:00:00");
        assert_eq!(judge(&request(), &[late]), Err(ignored(STAMP)));
        let blind = group("TicketBridge", "", "");
        assert_eq!(judge(&request(), &[blind]), Err(missing(STAMP)));
    }
}
