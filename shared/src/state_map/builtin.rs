//! The maps of the stock tables (wire contract 3.2, 3.3, 3.5, 3.6).

use std::collections::BTreeMap;

use crate::request::RequestState::{self, Cancelled, Denied, Fulfilled, InProgress, OnHold, Open};

type Columns<'a> = &'a [(&'a str, &'a str)];

pub(super) fn states_in(table: &str) -> BTreeMap<String, RequestState> {
    let pairs: &[(&str, RequestState)] = match table {
        "incident" => &[
            ("1", Open),
            ("2", InProgress),
            ("3", OnHold),
            ("6", Fulfilled),
            ("7", Fulfilled),
            ("8", Cancelled),
        ],
        "change_request" => &[
            ("-5", Open),
            ("-4", Open),
            ("-3", Open),
            ("-2", Open),
            ("-1", InProgress),
            ("0", InProgress),
            ("3", Fulfilled),
            ("4", Cancelled),
        ],
        "problem" => &[
            ("101", Open),
            ("102", InProgress),
            ("103", InProgress),
            ("104", InProgress),
            ("106", Fulfilled),
            ("107", Fulfilled),
        ],
        _ => &[
            ("-5", OnHold),
            ("1", Open),
            ("2", InProgress),
            ("3", Fulfilled),
            ("4", Denied),
            ("7", Cancelled),
        ],
    };
    pairs
        .iter()
        .map(|(value, state)| ((*value).to_owned(), *state))
        .collect()
}

pub(super) fn approvals_in() -> BTreeMap<String, RequestState> {
    BTreeMap::from([("rejected".to_owned(), Denied)])
}

const FULFILLED: &str = "{{ reason or 'Fulfilled in the identity system.' }}";
const DENIED: &str = "{{ reason or 'Denied in the identity system.' }}";
const CANCELLED: &str = "{{ reason or 'Withdrawn in the identity system.' }}";

type Out<'a> = &'a [(RequestState, Columns<'a>)];

const INCIDENT_OUT: Out<'_> = &[
    (Open, &[("state", "1")]),
    (InProgress, &[("state", "2")]),
    (OnHold, &[("state", "3"), ("hold_reason", "1")]),
    (
        Fulfilled,
        &[
            ("state", "6"),
            ("close_code", "Solution provided"),
            ("close_notes", FULFILLED),
        ],
    ),
    (
        Denied,
        &[
            ("state", "8"),
            ("close_code", "No resolution provided"),
            ("close_notes", DENIED),
        ],
    ),
    (
        Cancelled,
        &[
            ("state", "8"),
            ("close_code", "No resolution provided"),
            ("close_notes", CANCELLED),
        ],
    ),
];

const CHANGE_OUT: Out<'_> = &[
    (InProgress, &[("state", "-1")]),
    (
        Fulfilled,
        &[
            ("state", "3"),
            ("close_code", "successful"),
            ("close_notes", FULFILLED),
        ],
    ),
    (
        Denied,
        &[
            ("state", "4"),
            ("close_code", "unsuccessful"),
            ("close_notes", DENIED),
        ],
    ),
    (
        Cancelled,
        &[
            ("state", "4"),
            ("close_code", "unsuccessful"),
            ("close_notes", CANCELLED),
        ],
    ),
];

const PROBLEM_OUT: Out<'_> = &[
    (InProgress, &[("state", "104")]),
    (
        Fulfilled,
        &[
            ("state", "106"),
            ("resolution_code", "fix_applied"),
            ("close_notes", FULFILLED),
        ],
    ),
    (
        Denied,
        &[
            ("state", "107"),
            ("resolution_code", "canceled"),
            ("close_notes", DENIED),
        ],
    ),
    (
        Cancelled,
        &[
            ("state", "107"),
            ("resolution_code", "canceled"),
            ("close_notes", CANCELLED),
        ],
    ),
];

const TASK_OUT: Out<'_> = &[
    (Open, &[("state", "1")]),
    (InProgress, &[("state", "2")]),
    (OnHold, &[("state", "-5")]),
    (Fulfilled, &[("state", "3"), ("close_notes", FULFILLED)]),
    (Denied, &[("state", "4"), ("close_notes", DENIED)]),
    (Cancelled, &[("state", "7"), ("close_notes", CANCELLED)]),
];

pub(super) fn states_out(table: &str) -> BTreeMap<RequestState, BTreeMap<String, String>> {
    let map = match table {
        "incident" => INCIDENT_OUT,
        "change_request" => CHANGE_OUT,
        "problem" => PROBLEM_OUT,
        _ => TASK_OUT,
    };
    map.iter()
        .map(|(state, columns)| (*state, owned(columns)))
        .collect()
}

pub(super) fn paths_out(table: &str) -> BTreeMap<(String, String), Vec<String>> {
    let paths: &[(&str, &str, &[&str])] = match table {
        "incident" => &[("1", "6", &["2"]), ("3", "6", &["2"])],
        "change_request" => &[
            ("-5", "-1", &["-4", "-3", "-2"]),
            ("-5", "3", &["-4", "-3", "-2", "-1", "0"]),
            ("-2", "3", &["-1", "0"]),
            ("-1", "3", &["0"]),
        ],
        "problem" => &[
            ("101", "104", &["102", "103"]),
            ("101", "106", &["102", "103", "104"]),
            ("104", "107", &["106"]),
        ],
        _ => &[("1", "3", &["2"]), ("-5", "3", &["1", "2"])],
    };
    paths
        .iter()
        .map(|(from, to, through)| {
            (
                ((*from).to_owned(), (*to).to_owned()),
                through.iter().map(|step| (*step).to_owned()).collect(),
            )
        })
        .collect()
}

fn owned(columns: Columns<'_>) -> BTreeMap<String, String> {
    columns
        .iter()
        .map(|(column, template)| ((*column).to_owned(), (*template).to_owned()))
        .collect()
}
