//! The grammar: `^` ands, `^OR` binds to the term before it, `^NQ` starts a new query.

use super::operator::{Operator, SPELLINGS};

/// A parsed query: groups are ORed, the clauses of a group are ANDed, the terms of a clause ORed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) groups: Vec<Group>,
    pub(crate) order: Vec<Order>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) clauses: Vec<Vec<Term>>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Term {
    Field {
        field: String,
        operator: Operator,
        value: String,
    },
    /// `123TEXTQUERY321=words`
    Text(String),
    /// `RLQUERYtable.field,>=1[,m2m]^conditions^ENDRLQUERY`
    Related {
        table: String,
        field: String,
        count: String,
        condition: String,
    },
    /// `JOINa.x=b.y!condition`, as clients of the record API write it.
    Join {
        own: String,
        table: String,
        field: String,
        condition: String,
    },
    /// No operator in it: an invalid term.
    Broken(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) field: String,
    pub(crate) descending: bool,
}

/// Reads an encoded query. Nothing is an error: what makes no sense becomes [`Term::Broken`].
pub(crate) fn parse(text: &str) -> Query {
    let mut query = Query {
        groups: vec![Group::default()],
        order: Vec::new(),
    };
    let mut tokens = text.split('^');
    while let Some(token) = tokens.next() {
        match token {
            "" | "EQ" => {}
            _ if token.starts_with("RLQUERY") => {
                let condition: Vec<&str> = tokens
                    .by_ref()
                    .take_while(|token| *token != "ENDRLQUERY")
                    .collect();
                query.and(related(token, &condition.join("^")));
            }
            _ => query.take(token),
        }
    }
    query
}

impl Query {
    fn take(&mut self, token: &str) {
        if let Some(field) = token.strip_prefix("ORDERBYDESC") {
            self.order.push(Order {
                field: field.to_owned(),
                descending: true,
            });
        } else if let Some(field) = token.strip_prefix("ORDERBY") {
            self.order.push(Order {
                field: field.to_owned(),
                descending: false,
            });
        } else if let Some(rest) = token.strip_prefix("NQ") {
            self.groups.push(Group::default());
            self.take_if_any(rest);
        } else if let Some(rest) = token.strip_prefix("OR") {
            self.or(term(rest));
        } else if !token.starts_with("GROUPBY") {
            self.and(term(token));
        }
    }

    fn take_if_any(&mut self, token: &str) {
        if !token.is_empty() {
            self.take(token);
        }
    }

    fn and(&mut self, term: Term) {
        if let Some(group) = self.groups.last_mut() {
            group.clauses.push(vec![term]);
        }
    }

    fn or(&mut self, term: Term) {
        match self
            .groups
            .last_mut()
            .and_then(|group| group.clauses.last_mut())
        {
            Some(clause) => clause.push(term),
            None => self.and(term),
        }
    }
}

fn term(token: &str) -> Term {
    if let Some(words) = token.strip_prefix("123TEXTQUERY321=") {
        return Term::Text(words.to_owned());
    }
    if let Some(join) = token.strip_prefix("JOIN").and_then(join) {
        return join;
    }
    split(token).map_or_else(
        || Term::Broken(token.to_owned()),
        |(field, operator, value)| Term::Field {
            field: field.to_owned(),
            operator,
            value: value.to_owned(),
        },
    )
}

/// Splits at the first place where a name ends and an operator starts.
fn split(token: &str) -> Option<(&str, Operator, &str)> {
    for (at, letter) in token.char_indices() {
        if at > 0 {
            let rest = &token[at..];
            let found = SPELLINGS
                .iter()
                .find(|(spelling, _)| rest.starts_with(spelling));
            if let Some((spelling, operator)) = found {
                return Some((&token[..at], *operator, &rest[spelling.len()..]));
            }
        }
        if !(letter.is_ascii_alphanumeric() || letter == '_' || letter == '.') {
            return None;
        }
    }
    None
}

fn related(head: &str, condition: &str) -> Term {
    let head = head.trim_start_matches("RLQUERY");
    let mut parts = head.split(',');
    let target = parts.next().unwrap_or_default();
    match target.split_once('.') {
        Some((table, field)) => Term::Related {
            table: table.to_owned(),
            field: field.to_owned(),
            count: parts.next().unwrap_or(">=1").to_owned(),
            condition: condition.to_owned(),
        },
        None => Term::Broken(head.to_owned()),
    }
}

fn join(text: &str) -> Option<Term> {
    let (link, condition) = text.split_once('!').unwrap_or((text, ""));
    let (own, other) = link.split_once('=')?;
    let (_, own) = own.split_once('.')?;
    let (table, field) = other.split_once('.')?;
    Some(Term::Join {
        own: own.to_owned(),
        table: table.to_owned(),
        field: field.to_owned(),
        condition: condition.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(field: &str, operator: Operator, value: &str) -> Term {
        Term::Field {
            field: field.into(),
            operator,
            value: value.into(),
        }
    }

    #[test]
    fn or_binds_to_the_term_before_it() {
        let query = parse("a=1^b=2^ORb=3^c=4");
        let sizes: Vec<usize> = query.groups[0].clauses.iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 2, 1]);
    }

    #[test]
    fn nq_starts_a_new_group_and_orders_repeat() {
        let query = parse("a=1^NQb=2^ORDERBYx^ORDERBYDESCy^EQ");
        assert_eq!(query.groups.len(), 2);
        let order: Vec<(&str, bool)> = query
            .order
            .iter()
            .map(|order| (order.field.as_str(), order.descending))
            .collect();
        assert_eq!(order, [("x", false), ("y", true)]);
    }

    #[test]
    fn operators_are_found_by_their_longest_spelling() {
        for (text, expected) in [
            ("state==1", field("state", Operator::Equal, "=1")),
            ("aNOT INx,y", field("a", Operator::NotIn, "x,y")),
            ("a!*x", field("a", Operator::NotLike, "x")),
            ("aISNOTEMPTY", field("a", Operator::IsNotEmpty, "")),
            (
                "caller_id.emailSTARTSWITHx",
                field("caller_id.email", Operator::StartsWith, "x"),
            ),
            ("aONToday@s@e", field("a", Operator::On, "Today@s@e")),
            (
                "aGT_OR_EQUALS_FIELDb",
                field("a", Operator::GreaterOrEqualField, "b"),
            ),
            ("aINSTANCEOFtask", field("a", Operator::InstanceOf, "task")),
            ("nonsense", Term::Broken("nonsense".into())),
            (
                "123TEXTQUERY321=printer fire",
                Term::Text("printer fire".into()),
            ),
        ] {
            assert_eq!(term(text), expected, "{text}");
        }
    }

    #[test]
    fn a_related_list_condition_keeps_its_inner_query() {
        let query = parse(
            "active=true^RLQUERYsys_group_has_role.group,>0,m2m^role.nameLIKEadmin^active=true^ENDRLQUERY^x=1",
        );
        assert_eq!(query.groups[0].clauses.len(), 3);
        let expected = Term::Related {
            table: "sys_group_has_role".into(),
            field: "group".into(),
            count: ">0".into(),
            condition: "role.nameLIKEadmin^active=true".into(),
        };
        assert_eq!(query.groups[0].clauses[1][0], expected);
    }

    #[test]
    fn empty_parts_vanish() {
        assert_eq!(parse("^^^").groups[0].clauses.len(), 0);
        assert_eq!(parse("").groups.len(), 1);
    }

    proptest! {
        /// Nothing a client can send makes the parser fail or lose a caret.
        #[test]
        fn any_text_parses(text in ".{0,80}") {
            let query = parse(&text);
            prop_assert!(!query.groups.is_empty());
        }

        /// A value without a caret comes out as it went in, behind every operator that takes one.
        #[test]
        fn values_survive(value in "[^\\^]{0,30}") {
            let Term::Field { field, operator, value: read } = term(&format!("short_description={value}")) else {
                return Err(TestCaseError::fail("not a field term"));
            };
            prop_assert_eq!(field, "short_description");
            prop_assert_eq!(operator, Operator::Equal);
            prop_assert_eq!(read, value);
        }
    }
}
