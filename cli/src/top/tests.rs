use chrono::{DateTime, Utc};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Color;
use serde_json::{Value, json};

use super::data::Data;
use super::draw;
use super::state::{Deed, Screen, Wish};
use crate::exit::Failure;

fn now() -> DateTime<Utc> {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

fn lane(name: &str, due: u64, dead: u64, oldest: Option<&str>, paused: Option<&str>) -> Value {
    json!({"lane": name, "due": due, "rung": 2, "running": 1, "parked": 0, "dead": dead, "workers": 2,
        "oldest_due_at": oldest, "is_open": paused.is_none(), "paused": paused.map(|by| json!({ "by": by }))})
}

fn data() -> Data {
    let points: Vec<Value> = (0..60)
        .map(|minute| match minute {
            0..20 => json!({"done": null, "dead": null}),
            _ => json!({"done": minute % 9 * 4, "dead": minute % 30 / 29, "latency": {"p95_ms": 1_250}}),
        })
        .collect();
    Data {
        session: json!({"operator": "vera", "role": "operator", "environment": "production"}),
        overview: json!({
            "totals": {"due": 41, "rung": 6, "running": 3, "parked": 0, "dead": 2},
            "attention": 5,
            "queues": [
                lane("callback", 0, 0, None, None),
                lane("create-ticket@main", 40, 2, Some("2026-03-02T08:48:00Z"), None),
                lane("ticket-status@main", 1, 0, Some("2026-03-02T08:59:55Z"), Some("operator:omar")),
            ],
            "connections": [
                {"name": "main", "limit": 1000, "left": 120, "resets_at": "2026-03-02T10:00:00Z",
                    "throttled_until": "2026-03-02T09:00:30Z", "throttled_why": "the instance asked for quiet",
                    "circuits": [], "forecast": "41 jobs within this hour"},
                {"name": "other", "limit": null, "left": null, "resets_at": null, "throttled_until": null,
                    "circuits": [{"name": "other/incident", "reason": "the table is not there", "wants_a_hand": true}],
                    "forecast": "nothing waits"},
            ],
        }),
        history: json!({ "points": points }),
        workers: json!({"items": [
            {"id": "worker-1", "running": ["a", "b"], "heartbeat_at": "2026-03-02T08:59:58Z", "drain_at": null},
            {"id": "worker-2", "running": [], "heartbeat_at": "2026-03-02T08:59:59Z", "drain_at": "2026-03-02T08:59:00Z"},
        ]}),
        operations: json!({"items": [{"action": "retry", "state": "running", "done": 30, "matched": 100, "operator": "omar",
            "created_at": "2026-03-02T08:57:00Z"}]}),
    }
}

fn screen() -> Screen {
    let mut screen = Screen::new("https://bridge.example.com/".to_owned(), true);
    screen.show(data(), now());
    screen
}

fn drawn(screen: &Screen, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| draw::frame(screen, now(), frame))
        .unwrap();
    terminal
}

fn picture(screen: &Screen, width: u16, height: u16) -> String {
    drawn(screen, width, height).backend().to_string()
}

fn press(screen: &mut Screen, code: KeyCode) -> Option<Deed> {
    screen.press(KeyEvent::new(code, KeyModifiers::NONE))
}

fn type_in(screen: &mut Screen, text: &str) {
    for letter in text.chars() {
        assert_eq!(press(screen, KeyCode::Char(letter)), None);
    }
}

#[test]
fn frames_of_every_size() {
    insta::assert_snapshot!("frame_80x24", picture(&screen(), 80, 24));
    insta::assert_snapshot!("frame_120x40", picture(&screen(), 120, 40));
    insta::assert_snapshot!("frame_40x20", picture(&screen(), 40, 20));
    // Nothing is too small to be drawn on.
    for (width, height) in [(1, 1), (3, 2), (20, 5), (300, 3)] {
        let mut screen = screen();
        press(&mut screen, KeyCode::Char('?'));
        picture(&screen, width, height);
    }
}

#[test]
fn a_bridge_without_anything_is_drawn_too() {
    let screen = Screen::new("http://127.0.0.1:8080/".to_owned(), false);
    insta::assert_snapshot!("frame_without_data", picture(&screen, 60, 12));
}

#[test]
fn a_lane_is_paused_with_a_reason_and_only_when_confirmed() {
    let mut screen = screen();
    press(&mut screen, KeyCode::Down);
    press(&mut screen, KeyCode::Char('P'));
    assert_eq!(
        press(&mut screen, KeyCode::Enter),
        None,
        "it wants a reason"
    );
    type_in(&mut screen, "maintenance, quit not meanx");
    press(&mut screen, KeyCode::Backspace);
    insta::assert_snapshot!("a_question", picture(&screen, 80, 24));
    press(&mut screen, KeyCode::Esc);
    assert_eq!(screen.asked, None);
    press(&mut screen, KeyCode::Char('P'));
    type_in(&mut screen, "maintenance");
    let deed = press(&mut screen, KeyCode::Enter);
    let wish = Wish {
        lane: "create-ticket@main".to_owned(),
        on: false,
        reason: "maintenance".to_owned(),
    };
    assert_eq!(deed, Some(Deed::Switch(wish)));
    assert_eq!(screen.asked, None);
    // One that is paused is resumed, and nobody has to say why.
    press(&mut screen, KeyCode::End);
    press(&mut screen, KeyCode::Char('P'));
    assert!(picture(&screen, 80, 24).contains("Resume ticket-status@main?"));
    let deed = press(&mut screen, KeyCode::Enter);
    assert!(matches!(deed, Some(Deed::Switch(Wish { on: true, .. }))));
}

#[test]
fn keys_hold_help_and_quit() {
    let mut screen = screen();
    assert!(screen.is_live());
    press(&mut screen, KeyCode::Char('p'));
    assert!(!screen.is_live());
    assert!(picture(&screen, 80, 24).contains("held"));
    press(&mut screen, KeyCode::Char('p'));
    press(&mut screen, KeyCode::Char('?'));
    insta::assert_snapshot!("the_help", picture(&screen, 80, 24));
    assert_eq!(
        press(&mut screen, KeyCode::Char('q')),
        None,
        "it closes the help"
    );
    assert_eq!(press(&mut screen, KeyCode::Char('q')), Some(Deed::Quit));
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    press(&mut screen, KeyCode::Char('P'));
    assert_eq!(screen.press(interrupt), Some(Deed::Quit), "wherever one is");
}

#[test]
fn the_cursor_stays_on_its_lane() {
    let mut screen = screen();
    press(&mut screen, KeyCode::End);
    press(&mut screen, KeyCode::Down);
    let mut fewer = data();
    let lanes = fewer.overview["queues"].as_array_mut().unwrap();
    lanes.remove(0);
    screen.show(fewer.clone(), now());
    assert_eq!(screen.chosen, 1);
    fewer.overview["queues"].as_array_mut().unwrap().truncate(1);
    screen.show(fewer, now());
    assert_eq!(screen.chosen, 0);
}

#[test]
fn a_lost_connection_is_said_until_somebody_answers() {
    let mut screen = screen();
    let failure = Failure::Unreachable(anyhow::anyhow!("connection refused"));
    screen.lost(&failure, std::time::Duration::from_secs(4));
    let lost = picture(&screen, 80, 24);
    assert!(
        lost.contains("LOST") && lost.contains("No answer, next try in 4 s: connection refused"),
        "{lost}"
    );
    screen.show(data(), now());
    assert!(picture(&screen, 80, 24).contains("live"));
}

#[test]
fn without_colour_nothing_is_coloured() {
    let coloured = |screen: &Screen| {
        let terminal = drawn(screen, 80, 24);
        let cells = terminal.backend().buffer().content();
        cells.iter().filter(|cell| cell.fg != Color::Reset).count()
    };
    let mut screen = screen();
    assert!(coloured(&screen) > 0);
    screen.colour = false;
    assert_eq!(coloured(&screen), 0);
}
