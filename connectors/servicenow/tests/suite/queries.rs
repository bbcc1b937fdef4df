//! The query builder under arbitrary values: whatever it accepts, the instance reads as it was meant.

use proptest::prelude::*;
use servicenow_client::{Cursor, Query, QueryError, Term};

/// Splits an encoded query as an instance does: at every `^`.
fn terms(query: &Query) -> Vec<String> {
    query.to_string().split('^').map(str::to_owned).collect()
}

proptest! {
    #[test]
    fn a_value_never_becomes_another_condition(value in "\\PC{0,40}") {
        if let Ok(query) = Query::new().eq("active", "true").and_then(|query| query.eq("number", &value)) {
            prop_assert_eq!(terms(&query), vec!["active=true".to_owned(), format!("number={value}")]);
            prop_assert!(!value.trim().is_empty());
        }
    }

    #[test]
    fn values_that_would_split_a_query_are_refused(
        start in "[a-z ]{0,10}",
        character in prop_oneof![Just('^'), Just('\r'), Just('\n')],
        end in "[a-z=]{0,10}",
    ) {
        let value = format!("{start}{character}{end}");
        let expected = QueryError::ForbiddenCharacter { field: "number".to_owned(), character };
        prop_assert_eq!(Term::eq("number", &value), Err(expected.clone()));
        prop_assert_eq!(Term::ne("number", &value), Err(expected.clone()));
        prop_assert_eq!(Term::like("number", &value), Err(expected.clone()));
        prop_assert_eq!(Term::starts_with("number", &value), Err(expected.clone()));
        prop_assert_eq!(Term::gt("number", &value), Err(expected.clone()));
        prop_assert_eq!(Term::ge("number", &value), Err(expected.clone()));
        prop_assert_eq!(Term::lt("number", &value), Err(expected.clone()));
        prop_assert_eq!(Term::le("number", &value), Err(expected.clone()));
        prop_assert_eq!(Term::in_list("number", &["a", &value]), Err(expected.clone()));
        prop_assert_eq!(Term::not_in("number", &[&value]), Err(expected));
    }

    #[test]
    fn scripts_are_refused_in_any_case_and_behind_blanks(
        blanks in "[ \u{a0}\u{200b}]{0,4}",
        upper in prop::collection::vec(any::<bool>(), 11),
        rest in "[a-z.()]{0,10}",
    ) {
        let word: String = "javascript:"
            .chars()
            .zip(upper)
            .map(|(letter, upper)| if upper { letter.to_ascii_uppercase() } else { letter })
            .collect();
        let value = format!("{blanks}{word}{rest}");
        let expected = QueryError::Script { field: "user_name".to_owned() };
        prop_assert_eq!(Term::eq("user_name", &value), Err(expected.clone()));
        prop_assert_eq!(Term::in_list("user_name", &["a", value.as_str()]), Err(expected));
    }

    #[test]
    fn names_never_become_keywords_or_values(name in "\\PC{0,20}") {
        if let Ok(query) = Query::new().eq(&name, "1") {
            prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c)));
            prop_assert_eq!(terms(&query), vec![format!("{name}=1")]);
        }
    }

    #[test]
    fn encoding_is_reversible_and_never_writes_a_plus(value in "[^\\^\\p{C}]{1,40}") {
        if let Ok(query) = Query::new().like("description", &value) {
            let encoded = query.encoded();
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%-._~,".contains(&byte)));
            let decoded = percent_encoding::percent_decode_str(&encoded).decode_utf8_lossy().into_owned();
            prop_assert_eq!(decoded, query.to_string());
            prop_assert_eq!(query.encoded_len(), encoded.len());
        }
    }

    #[test]
    fn lists_keep_their_items(items in prop::collection::vec("[a-z0-9]{1,8}", 1..20)) {
        let query = Query::new().in_list("sys_id", &items).expect("a query");
        prop_assert_eq!(query.to_string(), format!("sys_idIN{}", items.join(",")));
    }

    #[test]
    fn every_keyset_half_repeats_every_filter(
        groups in prop::collection::vec(prop::collection::vec("[a-z]{1,5}", 1..4), 0..4),
    ) {
        let group = |values: &Vec<String>| {
            values.iter().try_fold(Query::new(), |query, value| query.eq("state", value)).expect("a query")
        };
        let filters = groups.iter().map(group).reduce(Query::new_query).unwrap_or_default();
        let cursor = Cursor::after("2026-11-22 10:00:00", "abc");
        let text = Query::changed_since(&filters, &cursor).expect("a query").to_string();
        let (conditions, orders) = text.split_once("^ORDERBY").expect("orders");
        prop_assert_eq!(orders, "sys_updated_on^ORDERBYsys_id");
        let halves: Vec<&str> = conditions.split("^NQ").collect();
        prop_assert_eq!(halves.len(), 2 * groups.len().max(1));
        let same = halves.iter().filter(|half| half.ends_with("sys_updated_on=2026-11-22 10:00:00^sys_id>abc")).count();
        let later = halves.iter().filter(|half| half.ends_with("sys_updated_on>2026-11-22 10:00:00")).count();
        prop_assert_eq!((same, later), (groups.len().max(1), groups.len().max(1)));
        for (index, values) in groups.iter().enumerate() {
            let start: Vec<String> = values.iter().map(|value| format!("state={value}^")).collect();
            prop_assert!(halves[index].starts_with(&start.concat()));
            prop_assert!(halves[index + groups.len()].starts_with(&start.concat()));
        }
    }
}

#[test]
fn refusals_name_the_field_and_never_the_value() {
    let errors = [
        Term::eq("email", "secret^x"),
        Term::eq("email", "javascript:secret"),
        Term::eq("email", "  "),
        Term::gt("email", "=secret"),
        Term::in_list("email", &["secret,x"]),
        Term::in_list::<&str>("email", &[]),
        Term::eq("E mail", "secret"),
    ];
    let text: Vec<String> = errors
        .map(|error| error.expect_err("an error").to_string())
        .into();
    assert!(!text.join("").contains("secret"));
    insta::assert_snapshot!(text.join("\n"));
}
