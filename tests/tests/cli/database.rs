//! `migrate`, and databases that cannot be used.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use tests::binary::{Ended, Home};

use crate::{CONFIGURATION, home, up};

/// A user that owns nothing.
const NOBODY: u32 = 65534;

#[test]
fn migrate_tells_what_is_pending_then_applies_it_once() {
    let home = home();
    let pending = home.run("migrate --dry-run").with_code(6);
    assert!(
        pending.stdout.lines().all(|it| it.starts_with("Pending m")),
        "{pending}"
    );
    let count = pending.stdout.lines().count();
    assert!(count > 5, "{pending}");
    let applied = home.run("migrate --json").with_code(0).json();
    assert_eq!(applied["applied"].as_array().unwrap().len(), count);
    let nothing = home.run("migrate --dry-run").with_code(0);
    assert_eq!(nothing.stdout, "Nothing is pending.\n");
    let again = home.run("migrate").with_code(0);
    assert_eq!(again.stdout, "The schema was up to date.\n");
}

#[test]
fn a_process_that_may_not_migrate_says_that_somebody_has_to() {
    let mut home = home();
    home.set("TICKETBRIDGE__DATABASE__MIGRATE_AT_START", "false");
    let ended = home.run("up").with_code(1);
    assert!(
        ended.stderr.contains("run `ticketbridge migrate`"),
        "{ended}"
    );
}

#[test]
fn commands_that_only_read_migrate_nothing() {
    let home = home();
    for command in [
        "operator list",
        "operator tokens",
        "token list",
        "audit verify",
        "drift show",
    ] {
        let ended = home.run(command).with_code(1);
        assert!(
            ended.stderr.contains("run `ticketbridge migrate`"),
            "{command} {ended}"
        );
    }
    home.run("migrate --dry-run").with_code(6);
}

#[test]
fn a_missing_folder_is_named() {
    let mut home = home();
    home.set(
        "TICKETBRIDGE__DATABASE__URL",
        "sqlite:///no-such-folder/ticketbridge.db",
    );
    for command in ["up", "migrate", "token list"] {
        let ended = home.run(command).with_code(3);
        assert!(
            ended.stderr.contains(
                "the folder `/no-such-folder` for the SQLite file does not exist; create it"
            ),
            "{command} {ended}"
        );
    }
}

#[test]
fn a_second_up_on_the_same_file_is_refused_and_the_first_goes_on() {
    let home = home();
    let (first, _) = up(&home);
    let second = home.run("up").with_code(1);
    assert!(
        second
            .stderr
            .contains("is in use by another `ticketbridge up`"),
        "{second}"
    );
    assert!(second.stderr.contains("stop it, or set database.url"));
    assert!(first.is_running());
    first.stop().with_code(0);
}

#[test]
fn a_read_only_file_is_named_with_its_fix() {
    let home = home();
    home.run("migrate").with_code(0);
    for command in ["up", "token list", "migrate"] {
        let ended = read_only(&home, command);
        assert_ne!(ended.code, Some(0), "{command} {ended}");
        assert!(
            ended
                .stderr
                .contains("the SQLite file is read-only; give this user write permission"),
            "{command} {ended}"
        );
        assert_eq!(
            ended.stderr.matches("read-only").count(),
            1,
            "it is said once: {ended}"
        );
    }
}

/// Runs a command where nothing may be written. Root may write everything, so it runs as somebody else then.
fn read_only(home: &Home, command: &str) -> Ended {
    let locked = Permissions::from_mode(0o555);
    for file in std::fs::read_dir(home.path()).expect("the folder reads") {
        let file = file.expect("the folder reads").path();
        permit(&file, Permissions::from_mode(0o444));
    }
    permit(home.path(), locked);
    let root = home.path().metadata().expect("the folder is there").uid() == 0;
    let ended = if root {
        home.run_as(NOBODY, command)
    } else {
        home.run(command)
    };
    permit(home.path(), Permissions::from_mode(0o755));
    ended
}

#[test]
fn processes_of_their_own_need_what_can_be_shared() {
    let home = Home::with(CONFIGURATION);
    for command in ["scheduler", "worker"] {
        let ended = home.run(command).with_code(3);
        assert!(
            ended.stderr.contains("set queue.kind = \"redis\""),
            "{command} {ended}"
        );
        assert!(
            ended.stderr.contains("name a PostgreSQL database"),
            "{command} {ended}"
        );
    }
}

fn permit(path: &std::path::Path, permissions: Permissions) {
    std::fs::set_permissions(path, permissions).expect("permissions can be set");
}
