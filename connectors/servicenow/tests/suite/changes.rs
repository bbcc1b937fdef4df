//! Reading changes page by page: nothing visible is skipped, and nothing is believed that was not checked.

use proptest::prelude::*;
use servicenow_client::changes::{ChangesRequest, PageVerdict, judge, read_page};
use servicenow_client::{
    Cursor, Error, FieldValue, Page, Query, Record, UntrustworthyReason, zone_probe,
};

use crate::responder::{Act, Responder, json, json_with};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    second: u32,
    id: String,
    hidden: bool,
}

impl Row {
    fn stamp(&self) -> String {
        format!("2026-11-22 10:00:{:02}", self.second)
    }

    fn record(&self) -> Record {
        record(&self.stamp(), &self.id)
    }
}

fn record(stamp: &str, id: &str) -> Record {
    [
        ("sys_updated_on", stamp),
        ("sys_id", id),
        ("sys_class_name", "incident"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), FieldValue::plain(value)))
    .collect()
}

/// Answers as an instance does: the limit and the total come before the access rules.
fn instance(rows: &[Row], request: &ChangesRequest, counts: bool) -> Page {
    let cursor = &request.cursor;
    let after: Vec<&Row> = rows
        .iter()
        .filter(|row| {
            (row.stamp(), row.id.clone()) > (cursor.updated_on.clone(), cursor.sys_id.clone())
        })
        .collect();
    let (skipped, size) = request.window();
    let skip = usize::try_from(skipped).expect("an offset");
    Page {
        rows: after
            .iter()
            .skip(skip)
            .take(size as usize)
            .filter(|row| !row.hidden)
            .map(|row| row.record())
            .collect(),
        total: counts.then_some(after.len() as u64),
    }
}

fn filters() -> Query {
    Query::new()
        .eq("sys_class_name", "incident")
        .expect("a query")
}

fn request(limit: u32, cursor: Cursor) -> ChangesRequest {
    ChangesRequest {
        limit,
        ..ChangesRequest::new(filters(), cursor)
    }
}

/// Reads until nothing is left.
fn read_all(rows: &[Row], limit: u32, counts: bool) -> Vec<String> {
    let mut request = request(limit, Cursor::default());
    let mut read = Vec::new();
    for _ in 0..=(2 * rows.len() + 2) {
        let verdict = judge(&request, instance(rows, &request, counts)).expect("an honest page");
        read.extend(
            verdict
                .rows
                .iter()
                .filter_map(Record::sys_id)
                .map(str::to_owned),
        );
        if !verdict.more {
            return read;
        }
        request.offset = verdict.next_offset;
        request.cursor = verdict.next.unwrap_or(request.cursor);
    }
    panic!("the reading does not end");
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (0_u32..8, "[a-f0-9]{4}", any::<bool>());
    prop::collection::btree_set(row, 0..40).prop_map(|rows| {
        let mut seen = std::collections::BTreeSet::new();
        rows.into_iter()
            .filter(|(_, id, _)| seen.insert(id.clone()))
            .map(|(second, id, hidden)| Row { second, id, hidden })
            .collect()
    })
}

proptest! {
    #[test]
    fn every_visible_row_is_read_exactly_once(mut rows in rows(), limit in 1_u32..10) {
        rows.sort();
        let visible: Vec<String> = rows.iter().filter(|row| !row.hidden).map(|row| row.id.clone()).collect();
        prop_assert_eq!(read_all(&rows, limit, true), visible);
    }

    #[test]
    fn without_totals_pages_end_at_the_first_empty_one(mut rows in rows(), limit in 1_u32..10) {
        rows.sort();
        for row in &mut rows {
            row.hidden = false;
        }
        let all: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        prop_assert_eq!(read_all(&rows, limit, false), all);
    }

    #[test]
    fn a_page_out_of_order_is_never_believed(mut rows in rows(), seed in any::<prop::sample::Index>()) {
        rows.sort();
        rows.dedup_by_key(|row| row.second);
        prop_assume!(rows.len() >= 2);
        let at = seed.index(rows.len() - 1);
        rows.swap(at, at + 1);
        let page = Page { rows: rows.iter().map(Row::record).collect(), total: None };
        prop_assert_eq!(judge(&request(100, Cursor::default()), page), Err(UntrustworthyReason::OutOfOrder));
    }

    #[test]
    fn a_row_at_or_before_the_cursor_is_never_believed(mut rows in rows(), seed in any::<prop::sample::Index>()) {
        rows.sort();
        prop_assume!(!rows.is_empty());
        let at = &rows[seed.index(rows.len())];
        let page = Page { rows: rows.iter().map(Row::record).collect(), total: None };
        let refused = judge(&request(100, Cursor::after(at.stamp(), at.id.clone())), page);
        prop_assert_eq!(refused, Err(UntrustworthyReason::FilterIgnored { field: "sys_updated_on".to_owned() }));
    }
}

fn page(rows: Vec<Record>, total: Option<u64>) -> Page {
    Page { rows, total }
}

fn verdict(limit: u32, offset: u64, page: Page) -> PageVerdict {
    let request = ChangesRequest {
        offset,
        ..request(limit, Cursor::from_second("2026-11-22 10:00:00"))
    };
    judge(&request, page).expect("an honest page")
}

#[test]
fn hidden_rows_are_counted_and_stepped_over() {
    let row = || record("2026-11-22 10:00:01", "a");
    let short = verdict(3, 0, page(vec![row()], Some(7)));
    assert_eq!((short.hidden, short.more, short.next_offset), (2, true, 0));
    assert_eq!(short.next, Some(Cursor::after("2026-11-22 10:00:01", "a")));

    let all_hidden = verdict(3, 0, page(vec![], Some(7)));
    assert_eq!(
        (all_hidden.hidden, all_hidden.more, all_hidden.next_offset),
        (3, true, 3)
    );
    assert_eq!(all_hidden.next, None);

    let last_hidden = verdict(3, 6, page(vec![], Some(7)));
    assert_eq!(
        (
            last_hidden.hidden,
            last_hidden.more,
            last_hidden.next_offset
        ),
        (1, false, 0)
    );

    let nothing = verdict(3, 0, page(vec![], Some(0)));
    assert_eq!((nothing.hidden, nothing.more), (0, false));
}

#[test]
fn rows_known_to_be_hidden_are_asked_for_again_up_to_the_largest_page() {
    let window = |offset| {
        ChangesRequest {
            offset,
            ..request(200, Cursor::default())
        }
        .window()
    };
    assert_eq!(window(0), (0, 200));
    assert_eq!(window(400), (0, 600));
    assert_eq!(window(9_800), (0, 10_000));
    assert_eq!(window(10_000), (200, 10_000));
    assert_eq!(window(u64::MAX).1, 10_000);
}

#[test]
fn rows_that_cannot_be_checked_are_not_believed() {
    let judged = |record: Record| judge(&request(10, Cursor::default()), page(vec![record], None));
    let without = |field: &str| -> Record {
        record("2026-11-22 10:00:01", "a")
            .iter()
            .filter(|(name, _)| *name != field)
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect()
    };
    for field in ["sys_updated_on", "sys_id", "sys_class_name"] {
        let reason = UntrustworthyReason::MissingColumn {
            field: field.to_owned(),
        };
        assert_eq!(judged(without(field)), Err(reason));
    }
    assert_eq!(
        judged(record("22-11-2026 10:00:01", "a")),
        Err(UntrustworthyReason::BadTimestamp {
            field: "sys_updated_on".to_owned()
        })
    );
    let other_class = Query::new()
        .eq("sys_class_name", "problem")
        .expect("a query");
    let request = ChangesRequest::new(other_class, Cursor::default());
    assert_eq!(
        judge(
            &request,
            page(vec![record("2026-11-22 10:00:01", "a")], None)
        ),
        Err(UntrustworthyReason::FilterIgnored {
            field: "sys_class_name".to_owned()
        })
    );
    let two = vec![
        record("2026-11-22 10:00:01", "a"),
        record("2026-11-22 10:00:01", "b"),
    ];
    assert_eq!(
        judge(
            &ChangesRequest {
                limit: 1,
                ..self::request(1, Cursor::default())
            },
            page(two, None)
        ),
        Err(UntrustworthyReason::TooManyRows)
    );
}

#[tokio::test]
async fn a_page_is_asked_for_with_everything_needed_to_check_it() {
    let body = r#"{"result":[{"sys_id":"b","sys_updated_on":"2026-11-22 10:00:07","sys_mod_count":"3","sys_class_name":"incident","state":"2"}]}"#;
    let responder = Responder::always(json_with(200, &[("X-Total-Count", "1")], body));
    let table = responder.client().table("task");
    let request = ChangesRequest {
        fields: vec!["state".to_owned(), "sys_id".to_owned()],
        ..request(50, Cursor::after("2026-11-22 10:00:05", "a"))
    };
    let reply = read_page(&table, &request).await.expect("a page");
    assert_eq!(
        reply.value.next,
        Some(Cursor::after("2026-11-22 10:00:07", "b"))
    );
    assert!(!reply.value.more);
    let seen = &responder.seen()[0];
    let param = |name| seen.param(name).unwrap_or_default();
    assert_eq!(
        param("sysparm_fields"),
        "state,sys_id,sys_updated_on,sys_mod_count,sys_class_name"
    );
    assert_eq!(param("sysparm_limit"), "50");
    assert_eq!(
        param("sysparm_query"),
        "sys_class_name=incident^sys_updated_on=2026-11-22 10:00:05^sys_id>a^NQsys_class_name=incident^sys_updated_on>2026-11-22 10:00:05^ORDERBYsys_updated_on^ORDERBYsys_id"
    );
}

#[tokio::test]
async fn an_instance_that_drops_the_filter_is_found_out() {
    let body = r#"{"result":[{"sys_id":"b","sys_updated_on":"2026-11-22 09:00:00","sys_class_name":"incident"}]}"#;
    let responder = Responder::always(json(200, body));
    let request = request(50, Cursor::from_second("2026-11-22 10:00:00"));
    let error = read_page(&responder.client().table("task"), &request)
        .await
        .expect_err("an error");
    assert!(matches!(
        error,
        Error::Untrustworthy {
            reason: UntrustworthyReason::FilterIgnored { .. },
            ..
        }
    ));
    assert_eq!(error.class_name(), "untrustworthy");
    assert_eq!(error.transaction_id(), Some("89f9d2509783"));
    insta::assert_snapshot!(error.to_string());
}

/// Holds one record made at 07:05:14 UTC and reads literals in a zone so many hours off.
fn zoned(hours: i64) -> Responder {
    Responder::start(move |seen| {
        let query = seen.param("sysparm_query").unwrap_or_default();
        let (_, literal) = query.split_once("sys_created_on>").unwrap_or_default();
        let inclusive = literal.starts_with('=');
        let literal =
            servicenow_client::parse_time(literal.trim_start_matches('=')).expect("a stamp");
        let meant = literal - chrono::Duration::hours(hours);
        let made = servicenow_client::parse_time("2026-09-02 07:05:14").expect("a stamp");
        let matches = made > meant || (inclusive && made == meant);
        Act::Answer(json(
            200,
            if matches {
                r#"{"result":[{"sys_id":"abc"}]}"#
            } else {
                r#"{"result":[]}"#
            },
        ))
    })
}

#[tokio::test]
async fn a_zone_that_is_not_utc_is_found_out() {
    let record: Record = [("sys_id", "abc"), ("sys_created_on", "2026-09-02 07:05:14")]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), FieldValue::plain(value)))
        .collect();
    for (hours, expected) in [(0, (1, 0, true)), (-7, (0, 0, false)), (2, (1, 1, false))] {
        let responder = zoned(hours);
        let probe = zone_probe(&responder.client().table("incident"), &record)
            .await
            .expect("a probe")
            .value;
        assert_eq!(
            (probe.at_or_after, probe.after, probe.is_utc()),
            expected,
            "{hours}"
        );
    }
    let other = Responder::always(json(200, r#"{"result":[{"sys_id":"other"}]}"#));
    let error = zone_probe(&other.client().table("incident"), &record)
        .await
        .expect_err("an error");
    assert_eq!(error.class_name(), "untrustworthy");
    let unreadable = zone_probe(&other.client().table("incident"), &Record::default()).await;
    assert_eq!(unreadable.expect_err("an error").class_name(), "query");
}
