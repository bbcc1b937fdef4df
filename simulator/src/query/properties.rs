//! Properties of the query engine over small random tables, against plain Rust as the judge.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Plan, parse, select};
use crate::clock::Clock;
use crate::dice::Dice;
use crate::knobs::Knobs;
use crate::world::column::Column;
use crate::world::dictionary::Table;
use crate::world::{Act, Actor, Input, World};

/// A row of the test table: three columns with few values, so that they often meet.
type Cells = (u8, String, u8);

fn cells() -> impl Strategy<Value = Vec<Cells>> {
    prop::collection::vec((0_u8..5, "[abAB]{0,2}", 0_u8..4), 0..12)
}

/// Asks a table of these rows, and gives the positions of the rows that match, in order.
fn ask(rows: &[Cells], query: &str) -> Vec<usize> {
    let mut world = World::new(1);
    let column = |spec: &str| Column::parse(spec);
    let columns = [
        ("n", column("N; integer")),
        ("t", column("T; string 40")),
        ("m", column("M; integer")),
    ];
    let columns = columns
        .into_iter()
        .map(|(name, column)| (name.to_owned(), column))
        .collect();
    world.dictionary.add(
        "things",
        Table {
            columns,
            ..Table::of_users()
        },
    );
    let (actor, knobs) = (Actor::system(), Knobs::default());
    let act = Act {
        actor: &actor,
        knobs: &knobs,
        now: Clock::manual_default().now(),
    };
    for (index, (n, t, m)) in rows.iter().enumerate() {
        let values = [
            ("sys_id", format!("{index:04}")),
            ("n", n.to_string()),
            ("t", t.clone()),
            ("m", m.to_string()),
        ];
        let given = values
            .into_iter()
            .map(|(column, value)| (column.to_owned(), value))
            .collect();
        world.insert(&act, "things", &given, Input::Raw).unwrap();
    }
    let plan = Plan::new(&world, &act, "things", &parse(query)).unwrap();
    let found = select(&world, &act, "things", &plan, &mut Dice::new(7));
    found
        .iter()
        .map(|row| row.fields.sys_id().parse().unwrap())
        .collect()
}

fn set(rows: &[usize]) -> BTreeSet<usize> {
    rows.iter().copied().collect()
}

fn expected(rows: &[Cells], holds: impl Fn(&Cells) -> bool) -> BTreeSet<usize> {
    rows.iter()
        .enumerate()
        .filter(|(_, row)| holds(row))
        .map(|(index, _)| index)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// `a^b^ORc^d` is a and (b or c) and d; `^NQ` adds another such query.
    #[test]
    fn binding(rows in cells(), a in 0_u8..5, b in 0_u8..4, c in 0_u8..4, d in "[ab]{1,2}") {
        let found = ask(&rows, &format!("n<={a}^m={b}^ORm={c}^t!={d}^NQt={d}"));
        let same = |t: &str| t.eq_ignore_ascii_case(&d);
        let wanted = expected(&rows, |(n, t, m)| (*n <= a && (*m == b || *m == c) && !same(t)) || same(t));
        prop_assert_eq!(set(&found), wanted);
    }

    /// IN is an OR of equals, NOT IN all the rest.
    #[test]
    fn lists(rows in cells(), values in prop::collection::vec(0_u8..5, 1..4)) {
        let list = values.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
        let ors = values.iter().map(|value| format!("n={value}")).collect::<Vec<_>>().join("^OR");
        let inside = set(&ask(&rows, &format!("nIN{list}")));
        prop_assert_eq!(&inside, &set(&ask(&rows, &ors)));
        let outside = set(&ask(&rows, &format!("nNOT IN{list}")));
        prop_assert_eq!(inside.len() + outside.len(), rows.len());
        prop_assert!(inside.is_disjoint(&outside));
    }

    /// Texts compare and search without regard to case; an empty value is found by ISEMPTY only.
    #[test]
    fn texts(rows in cells(), part in "[abAB]{1,2}") {
        let lower = |text: &str| text.to_lowercase();
        let wanted = expected(&rows, |(_, t, _)| lower(t).contains(&lower(&part)));
        prop_assert_eq!(set(&ask(&rows, &format!("tLIKE{part}"))), wanted);
        let wanted = expected(&rows, |(_, t, _)| lower(t).starts_with(&lower(&part)));
        prop_assert_eq!(set(&ask(&rows, &format!("tSTARTSWITH{part}"))), wanted);
        let wanted = expected(&rows, |(_, t, _)| lower(t) != lower(&part));
        prop_assert_eq!(set(&ask(&rows, &format!("t!={part}"))), wanted);
        prop_assert_eq!(set(&ask(&rows, "tISEMPTY")), expected(&rows, |(_, t, _)| t.is_empty()));
    }

    /// Orders are followed, the first one first, whatever the shuffle before them.
    #[test]
    fn orders(rows in cells()) {
        let found = ask(&rows, "ORDERBYn^ORDERBYDESCm^ORDERBYsys_id");
        let mut wanted: Vec<usize> = (0..rows.len()).collect();
        wanted.sort_by_key(|index| (rows[*index].0, std::cmp::Reverse(rows[*index].2), *index));
        prop_assert_eq!(found, wanted);
    }

    /// Two fields compare as numbers.
    #[test]
    fn fields(rows in cells()) {
        prop_assert_eq!(set(&ask(&rows, "nGT_FIELDm")), expected(&rows, |(n, _, m)| n > m));
        prop_assert_eq!(set(&ask(&rows, "nSAMEASm")), expected(&rows, |(n, _, m)| n == m));
    }

    /// A keyset cursor over an order with ties visits every row once.
    #[test]
    fn cursors(rows in cells(), page in 1_usize..4) {
        let (mut seen, mut last) = (Vec::new(), (String::from("-1"), String::new()));
        loop {
            let (n, id) = &last;
            let found = ask(&rows, &format!("n={n}^sys_id>{id}^NQn>{n}^ORDERBYn^ORDERBYsys_id"));
            let Some(next) = found.iter().take(page).next_back() else { break };
            last = (rows[*next].0.to_string(), format!("{next:04}"));
            seen.extend(found.into_iter().take(page));
        }
        prop_assert_eq!(seen.len(), rows.len());
        prop_assert_eq!(set(&seen).len(), rows.len());
    }

    /// Nothing a client can send makes the engine fail on the system's behalf.
    #[test]
    fn any_query_runs(rows in cells(), query in "[a-z@^=<>!*%A-Z, 0-9:.()']{0,60}") {
        prop_assert!(ask(&rows, &query).len() <= rows.len());
    }
}
