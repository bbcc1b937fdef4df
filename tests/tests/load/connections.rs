//! Ten thousand who say nothing.

use tests::files::most_open_files;
use tokio::net::TcpStream;

use crate::{Bridge, is_closed, until};

/// Connections of the tests below; fewer, where the machine does not let a process have as many.
fn many() -> usize {
    let most = most_open_files().saturating_sub(500);
    if most < 10_000 {
        say(&format!(
            "the limit of open files allows {most} connections only"
        ));
    }
    most.min(10_000)
}

#[expect(clippy::print_stderr, reason = "shown by the test runner")]
fn say(text: &str) {
    eprintln!("{text}");
}

async fn idle(bridge: &Bridge, many: usize) -> Vec<TcpStream> {
    let mut idle = Vec::with_capacity(many);
    for number in 0..many {
        idle.push(bridge.connect().await);
        if number % 1_000 == 999 {
            bridge.answers_others(&format!("R{number}")).await;
        }
    }
    idle
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_are_held_and_others_answered() {
    let bridge = Bridge::start("max_connections = 12000").await;
    bridge.answers_others("before").await;
    let (before, many) = (bridge.process.memory_kib(), many());
    let idle = idle(&bridge, many).await;
    bridge.answers_others("with all of them").await;
    assert!(!idle.iter().any(is_closed), "there is room for all");
    let each = bridge.process.memory_kib().saturating_sub(before) / many as u64;
    say(&format!("{many} idle connections: {each} KiB each"));
    assert!(each < 32, "{each} KiB for a connection that says nothing");
    bridge.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_keep_nobody_out_where_fewer_have_room() {
    let bridge = Bridge::start("").await;
    let most = 4_096;
    let idle = idle(&bridge, many()).await;
    bridge.answers_others("at the end").await;
    until("only so many are open", async || {
        idle.iter().filter(|it| !is_closed(it)).count() <= most
    })
    .await;
    let first_open = idle.iter().position(|it| !is_closed(it));
    assert!(
        first_open.is_some_and(|first| idle[first..].iter().all(|it| !is_closed(it))),
        "the oldest went, the others stayed"
    );
    drop(idle);
    bridge.answers_others("afterwards").await;
    bridge.stop();
}
