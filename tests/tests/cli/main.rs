//! The command line, as people and scripts meet it: every command of the real program, its output and its exit code.

use std::net::TcpListener;

use insta::Settings;
use tests::binary::{Home, Running};

mod chart;
mod check;
mod dashboards;
mod database;
mod demo;
mod doctor;
mod drift;
mod generate;
mod help;
mod operators;
mod requests;
mod token;
mod tools;
mod up;

/// One source, one route, nobody at the instance's address.
const CONFIGURATION: &str = r#"
[server]
listen = "127.0.0.1:0"
[telemetry]
format = "json"
[connections.main]
base_url = "http://127.0.0.1:1"
auth = "basic"
user = "bridge"
password = "fictional-password"
choices_hours = 0
[sources.idm]
[[routes]]
name = "access"
category = "access"
connection = "main"
table = "incident"
[routes.fields]
short_description = "{{ item }} for {{ requested_for }}"
"#;

/// A home with [`CONFIGURATION`].
fn home() -> Home {
    Home::with(CONFIGURATION)
}

/// Starts `up` and gives its address once it answers.
fn up(home: &Home) -> (Running, String) {
    let process = home.start("up");
    let line = process.logged("the scheduler answers");
    process.logged("worker starts");
    let address = line["address"].as_str().expect("an address");
    let url = format!("http://{address}");
    (process, url)
}

/// A port that somebody has, for as long as the listener lives.
fn taken_port() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    (listener, address)
}

/// Snapshots without what is different each time: ids, times, folders, ports, tokens.
fn redacted(home: &Home, check: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    settings.add_filter(&home.path().display().to_string(), "[home]");
    settings.add_filter(
        r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[id]",
    );
    settings.add_filter(
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| UTC)?",
        "[time]",
    );
    settings.add_filter(r"tb_[A-Za-z0-9_-]{40,}", "[token]");
    settings.add_filter(r"127\.0\.0\.1:\d{2,}", "127.0.0.1:[port]");
    settings.add_filter(r"in \d+ ms", "in [n] ms");
    settings.add_filter(r"\[transaction [0-9a-f]+\]", "[transaction]");
    settings.bind(check);
}
