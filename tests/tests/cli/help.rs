use tests::binary::Home;

const COMMANDS: [&str; 22] = [
    "",
    "demo",
    "up",
    "scheduler",
    "worker",
    "migrate",
    "check",
    "doctor",
    "simulator",
    "token",
    "token create",
    "token list",
    "token revoke",
    "queues history",
    "top",
    "requests",
    "requests list",
    "requests show",
    "requests create",
    "requests cancel",
    "health",
    "completions",
];

#[test]
fn every_command_has_help_without_colours_when_nobody_looks() {
    let home = Home::new();
    for command in COMMANDS {
        let ended = home.run(&format!("{command} --help")).with_code(0);
        assert!(ended.stdout.contains("Usage: ticketbridge"), "{ended}");
        assert!(ended.stderr.is_empty(), "{ended}");
        assert!(!ended.stdout.contains('\u{1b}'), "{ended}");
        // The first line says what it does.
        let about = ended.stdout.lines().next().unwrap_or_default();
        assert!(about.len() > 10 && !about.starts_with("Usage"), "{ended}");
    }
}

#[test]
fn help_names_the_exit_codes() {
    let ended = Home::new().run("--help").with_code(0);
    assert!(ended.stdout.contains("Exit codes: 0 done;"), "{ended}");
}

#[test]
fn what_cannot_be_understood_is_wrong_usage_and_names_the_nearest() {
    let home = Home::new();
    for (line, hint) in [
        ("--frobnicate check", "--frobnicate"),
        ("chek", "check"),
        ("worker --queues create-tickets", "create-ticket"),
        ("demo --requests 0", "1..=100000"),
        ("requests create --external-id R-1", "--category"),
        ("requests show not-an-id", "not-an-id"),
        ("", "Usage"),
    ] {
        let ended = home.run(line).with_code(2);
        assert!(ended.stderr.contains(hint), "{line}: {ended}");
        assert!(ended.stdout.is_empty(), "{line}: {ended}");
        assert!(!ended.stderr.contains('\u{1b}'), "{line}: {ended}");
    }
}

#[test]
fn completions_name_every_command() {
    let home = Home::new();
    for (shell, mark) in [
        ("bash", "complete -F _ticketbridge"),
        ("zsh", "#compdef ticketbridge"),
        ("fish", "complete -c ticketbridge"),
    ] {
        let ended = home.run(&format!("completions {shell}")).with_code(0);
        assert!(ended.stdout.contains(mark), "{shell}: {ended}");
        for command in ["demo", "migrate", "doctor", "simulator", "requests"] {
            assert!(ended.stdout.contains(command), "{shell}: {command}");
        }
    }
}
