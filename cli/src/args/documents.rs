//! Every command that a document names is one: a runbook that is wrong is found out at night.

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::Cli;

const DOCUMENTS: [(&str, &str); 6] = [
    ("README.md", include_str!("../../../README.md")),
    (
        "docs/operating.md",
        include_str!("../../../docs/operating.md"),
    ),
    (
        "docs/guarantees.md",
        include_str!("../../../docs/guarantees.md"),
    ),
    ("docs/redis.md", include_str!("../../../docs/redis.md")),
    (
        "docs/retention.md",
        include_str!("../../../docs/retention.md"),
    ),
    ("docs/scaling.md", include_str!("../../../docs/scaling.md")),
];

/// A command as a document has it.
#[derive(Debug)]
struct Named {
    text: String,
    /// In a block of its own, to be typed as it stands; otherwise it may be a part of one.
    is_whole: bool,
}

/// What stands in code, `in a line` or in a block, from `ticketbridge` on.
fn named(document: &str) -> Vec<Named> {
    let mut found = Vec::new();
    for (place, part) in document.split("```").enumerate() {
        let is_whole = place % 2 == 1;
        let codes: Vec<String> = if is_whole {
            let joined = part.replace("\\\n", " ");
            joined.lines().map(str::to_owned).collect()
        } else {
            let codes = part.split('`').skip(1).step_by(2);
            codes.map(|code| code.replace('\n', " ")).collect()
        };
        for code in codes {
            let begins = code.match_indices("ticketbridge ").filter(|(at, _)| {
                let before = &code[..*at];
                // Not the name of a namespace, a file or a comment.
                !before.contains('#')
                    && !before.ends_with("-n ")
                    && (before.is_empty() || before.ends_with(' '))
            });
            found.extend(begins.map(|(at, _)| Named {
                text: command(&code[at..]).to_owned(),
                is_whole,
            }));
        }
    }
    found
}

/// What the shell would hand to the program.
fn command(code: &str) -> &str {
    let ends = [" #", " | ", " > ", " && ", ";", "$("];
    let end = ends.iter().filter_map(|end| code.find(end)).min();
    code[..end.unwrap_or(code.len())].trim()
}

/// Its words, with something in the place of what is to be filled in; one list for each of `a|b`.
fn words(text: &str) -> Vec<Vec<String>> {
    const ID: &str = "019c0000-0000-7000-8000-000000000000";
    let mut filled = String::new();
    for (place, part) in text.split('<').enumerate() {
        let after = part.split_once('>').filter(|_| place > 0);
        if let Some((_, rest)) = after {
            filled.push_str(ID);
            filled.push_str(rest);
        } else {
            filled.push_str(part);
        }
    }
    let mut all = vec![Vec::new()];
    for (place, quoted) in filled.split('"').enumerate() {
        if place % 2 == 1 {
            for words in &mut all {
                words.push(quoted.to_owned());
            }
            continue;
        }
        for word in quoted.split_whitespace() {
            let word = if word == "ID" { ID } else { word };
            let choices = word.split('|').map(str::to_owned);
            let with = |choice: String| {
                all.iter().map(move |words: &Vec<String>| {
                    let mut words = words.clone();
                    words.push(choice.clone());
                    words
                })
            };
            all = choices.flat_map(with).collect();
        }
    }
    all
}

fn wrong(text: &str, is_whole: bool) -> Option<String> {
    let wrong = words(text).into_iter().find_map(|words| {
        let error = Cli::command().try_get_matches_from(words).err()?;
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => None,
            ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                if !is_whole =>
            {
                None
            }
            _ => Some(error.to_string()),
        }
    });
    wrong.map(|why| format!("{text}\n{why}"))
}

#[test]
fn every_command_that_a_document_names_is_understood() {
    let mut seen = 0;
    for (document, text) in DOCUMENTS {
        // "…" stands for words that the reader chooses.
        let all = named(text).into_iter().filter(|it| !it.text.ends_with('…'));
        for it in all {
            seen += 1;
            let wrong = wrong(&it.text, it.is_whole);
            assert!(wrong.is_none(), "{document}: {}", wrong.unwrap_or_default());
        }
    }
    assert!(seen > 100, "only {seen} were found");
}

#[test]
fn the_command_beside_each_page_is_one() {
    let runbook = DOCUMENTS[1].1;
    let (_, table) = runbook
        .split_once("| console | what it says | command |\n|---|---|---|\n")
        .expect("the table of pages is there");
    let (table, _) = table.split_once("\n\n").expect("it ends");
    for row in table.lines() {
        let column = row.split(" | ").last().unwrap_or_default();
        for code in column.split('`').skip(1).step_by(2) {
            let wrong = wrong(&format!("ticketbridge {code}"), true);
            assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
        }
    }
}

#[test]
fn what_is_wrong_is_found() {
    for (text, is_whole) in [
        ("ticketbridge queue list", false),
        ("ticketbridge jobs retry --per-hour 10", false),
        ("ticketbridge operator create|remove", false),
        ("ticketbridge jobs show", true),
    ] {
        assert!(wrong(text, is_whole).is_some(), "{text}");
    }
    let document = "`ticketbridge queues\nlist` and\n```\nfor it in 1; do ticketbridge jobs show ID > file; done\n```\n";
    let texts: Vec<String> = named(document).into_iter().map(|it| it.text).collect();
    assert_eq!(
        texts,
        ["ticketbridge queues list", "ticketbridge jobs show ID"]
    );
}
