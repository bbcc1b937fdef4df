//! The functions that run for each ticket or each row: `cargo bench -p tests`. The suite runs each of them once.

use std::collections::BTreeMap;
use std::hint::black_box;

use chrono::DateTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use servicenow_client::{Cursor, Query, canned::Canned};
use shared::queue::Doorbell;
use shared::request::{Asked, RequestState};
use shared::state_map::{Observed, StateMap, StateMapParts};
use shared::template::{FieldTemplates, TemplateInput};
use uuid::Uuid;

/// Rows of a page, as many as the bridge asks for.
const ROWS: u64 = 1_000;

fn asked() -> Asked {
    let asked = json!({
        "external_id": "R-1", "category": "access", "item": "Ledger: read access", "requester": "sam.sample",
        "requested_for": "fern.example", "justification": "Month-end closing", "priority": 3,
        "attributes": {"role": "Z_FI_CLERK", "system": "P01"},
    });
    serde_json::from_value(asked).expect("what a source asks")
}

fn input(asked: &Asked) -> TemplateInput<'_> {
    TemplateInput {
        bridge: "bridge",
        request_id: Uuid::nil(),
        source: "idm",
        asked,
        state: Some(RequestState::Fulfilled),
        reason: None,
    }
}

fn templates(criterion: &mut Criterion) {
    let fields = BTreeMap::from([
        ("short_description", "{{ item }} for {{ requested_for }}"),
        (
            "description",
            "{{ justification or 'No justification given.' }}",
        ),
        (
            "comments",
            "{% for name in attributes %}{{ name }}: {{ attributes[name] }}\n{% endfor %}",
        ),
    ]);
    let fields = fields
        .into_iter()
        .map(|(column, template)| (column.to_owned(), template.to_owned()))
        .collect();
    let compiled = FieldTemplates::compile(&fields, |_| None).expect("templates that compile");
    let asked = asked();
    criterion.bench_function("render the columns of a ticket", |bench| {
        bench.iter(|| compiled.render(black_box(&input(&asked))));
    });
}

fn state_map(criterion: &mut Criterion) {
    let map = StateMap::compile("incident", StateMapParts::default()).expect("the built-in map");
    let seen = Observed {
        state: "6",
        approval: "not requested",
        close_code: "Solved (Permanently)",
    };
    criterion.bench_function("map the state of a ticket in", |bench| {
        bench.iter(|| map.read(black_box(&seen)));
    });
    let asked = asked();
    criterion.bench_function("map the state of a request out", |bench| {
        bench.iter(|| map.write(black_box(&input(&asked))));
    });
}

fn queries(criterion: &mut Criterion) {
    let ids: Vec<String> = (0..100_u128)
        .map(|number| format!("{number:032x}"))
        .collect();
    criterion.bench_function("build a query for 100 ids", |bench| {
        bench.iter(|| {
            Query::new()
                .in_list("sys_id", black_box(&ids))
                .map(|it| it.encoded())
        });
    });
    let filters = Query::new()
        .is_not_empty("correlation_id")
        .expect("a query that can be built");
    let cursor = Cursor::after("2026-03-02 09:00:00", &ids[7]);
    criterion.bench_function("build the query of changes", |bench| {
        bench.iter(|| Query::changed_since(black_box(&filters), &cursor).map(|it| it.encoded()));
    });
}

fn doorbells(criterion: &mut Criterion) {
    let bell = Doorbell {
        job: Uuid::nil(),
        kind: "create_ticket.v1".to_owned(),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
    };
    criterion.bench_function("encode a doorbell", |bench| {
        bench.iter(|| black_box(&bell).encode());
    });
    let wire = bell.encode();
    criterion.bench_function("decode a doorbell", |bench| {
        bench.iter(|| Doorbell::decode(black_box(wire.as_bytes())));
    });
}

fn pages(criterion: &mut Criterion) {
    let row = |number: u64| {
        json!({
            "sys_id": format!("{number:032x}"), "number": format!("INC{number:07}"), "state": "2", "approval": "not requested",
            "stage": "", "close_code": "", "close_notes": "", "assigned_to": {"value": "", "display_value": ""},
            "assignment_group": "", "sys_mod_count": "3", "sys_updated_on": "2026-03-02 09:00:00", "correlation_id": "",
        })
    };
    let rows: Vec<Value> = (0..ROWS).map(row).collect();
    let body = json!({ "result": rows }).to_string();
    let headers = HeaderMap::from_iter([(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json;charset=UTF-8"),
    )]);
    let mut group = criterion.benchmark_group("pages");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("decode a page of 1,000 rows", |bench| {
        bench.iter(|| {
            let canned = Canned {
                status: 200,
                headers: headers.clone(),
                body: black_box(body.as_bytes()),
                is_cut: false,
                now: DateTime::UNIX_EPOCH,
            };
            canned.page("incident").expect("a page")
        });
    });
    group.finish();
}

criterion_group!(benches, templates, state_map, queries, doorbells, pages);
criterion_main!(benches);
