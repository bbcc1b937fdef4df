//! Encoded queries as the simulator reads and runs them.

use std::sync::LazyLock;

use simulator::encoded_query::{Condition, Reading, read};
use simulator::{Options, Simulator};

/// Longer ones do not fit into a URL that an instance takes (wire contract 11.4).
const LONGEST: usize = 8_192;

/// One instance for all runs: reading changes nothing.
static INSTANCE: LazyLock<(tokio::runtime::Runtime, Simulator)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime starts");
    let instance = runtime
        .block_on(Simulator::start(Options::for_tests()))
        .expect("an instance starts");
    (runtime, instance)
});

/// Reads the bytes as a query, and asks tickets and people with it. What was understood can be written again and is
/// understood alike.
pub fn encoded_query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if text.len() > LONGEST {
        return;
    }
    let reading = read(&text);
    assert!(!reading.groups.is_empty());
    if let Some(written) = written(&reading) {
        assert_eq!(read(&written), reading, "{written}");
    }
    let instance = &INSTANCE.1;
    for table in ["incident", "sys_user"] {
        let all = instance.rows(table, "").len();
        assert!(instance.rows(table, &text).len() <= all);
    }
}

/// The query as text, where it holds nothing but conditions on columns; `None` for others.
fn written(reading: &Reading) -> Option<String> {
    let mut groups = Vec::new();
    for group in &reading.groups {
        let mut clauses = Vec::new();
        for clause in group {
            let terms: Option<Vec<String>> = clause.iter().map(condition).collect();
            clauses.push(terms?.join("^OR"));
        }
        groups.push(clauses.join("^"));
    }
    let orders = reading.orders.iter().map(|(column, descending)| {
        let keyword = if *descending {
            "ORDERBYDESC"
        } else {
            "ORDERBY"
        };
        format!("^{keyword}{column}")
    });
    Some(groups.join("^NQ") + &orders.collect::<String>())
}

/// Columns are in lower case; a name in capitals may run into the operator.
fn condition(condition: &Condition) -> Option<String> {
    match condition {
        Condition::Field(column, operator, value)
            if !column.contains(|letter: char| letter.is_ascii_uppercase()) =>
        {
            Some(format!("{column}{operator}{value}"))
        }
        _ => None,
    }
}
