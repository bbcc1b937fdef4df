//! `up` and `health`.

use crate::{home, taken_port, up};

#[test]
fn up_is_ready_and_ends_in_good_order() {
    let home = home();
    let (process, url) = up(&home);
    let ready = home.run(&format!("health --url {url}/readyz")).with_code(0);
    assert_eq!(ready.stdout, "ready\n");
    let answer = home
        .run(&format!("health --json --url {url}/readyz"))
        .with_code(0)
        .json();
    assert_eq!(answer["ready"], true);
    assert_eq!(answer["answer"]["checks"][0]["name"], "database");
    let ended = process.stop().with_code(0);
    assert!(ended.stdout.is_empty() || !ended.stdout.contains('\u{1b}'));
    assert!(!ended.stderr.contains('\u{1b}'), "{ended}");
}

#[test]
fn health_of_nobody_is_exit_code_5() {
    let (listener, address) = taken_port();
    drop(listener);
    let ended = home()
        .run(&format!("health --url http://{address}/readyz"))
        .with_code(5);
    assert!(
        ended
            .stderr
            .contains(&format!("no answer from http://{address}/readyz")),
        "{ended}"
    );
}

#[test]
fn a_port_that_is_taken_is_named_with_its_fix() {
    let (_listener, address) = taken_port();
    let mut home = home();
    home.set("TICKETBRIDGE__SERVER__LISTEN", &address);
    let ended = home.run("up").with_code(3);
    assert!(
        ended.stderr.contains(&format!(
            "{address} is in use by another program; stop that program, or set server.listen to another port"
        )),
        "{ended}"
    );
    let ended = home.run(&format!("simulator --listen {address}"));
    assert_ne!(ended.code, Some(0));
    assert!(
        ended.stderr.contains(&format!("{address} is in use")),
        "{ended}"
    );
}
