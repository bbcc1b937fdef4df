//! What is on the screen, and what a key does to it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::data::Data;
use crate::exit::Failure;

/// Longest reason that the API takes.
const LONGEST_REASON: usize = 500;

/// The screen.
#[derive(Debug)]
pub(super) struct Screen {
    pub(super) url: String,
    pub(super) colour: bool,
    pub(super) data: Data,
    /// When the data came.
    pub(super) at: DateTime<Utc>,
    /// The lane under the cursor.
    pub(super) chosen: usize,
    /// Whether somebody keeps the picture as it is.
    pub(super) is_held: bool,
    pub(super) shows_help: bool,
    /// A lane that is to be paused or resumed when somebody confirms it.
    pub(super) asked: Option<Wish>,
    /// What became of the last deed.
    pub(super) said: Option<String>,
    /// Why the data is old.
    pub(super) trouble: Option<String>,
}

/// A lane that is to be switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) lane: String,
    pub(super) on: bool,
    pub(super) reason: String,
}

/// What a key asks for beyond the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    Quit,
    Switch(Wish),
}

impl Screen {
    pub(super) fn new(url: String, colour: bool) -> Self {
        Self {
            url,
            colour,
            data: Data::default(),
            at: DateTime::UNIX_EPOCH,
            chosen: 0,
            is_held: false,
            shows_help: false,
            asked: None,
            said: None,
            trouble: None,
        }
    }

    /// Shows what has come. The cursor stays on its lane, wherever that is now.
    pub(super) fn show(&mut self, data: Data, at: DateTime<Utc>) {
        let lane = self.lane();
        (self.data, self.at, self.trouble) = (data, at, None);
        let place = |it: &serde_json::Value| lane.as_deref() == it["lane"].as_str();
        let last = self.data.lanes().len().saturating_sub(1);
        let found = self.data.lanes().iter().position(place);
        self.chosen = found.unwrap_or(self.chosen.min(last));
    }

    /// Nobody answers; the next try is in `wait`.
    pub(super) fn lost(&mut self, failure: &Failure, wait: Duration) {
        let text = failure.to_string();
        let line = text.lines().next().unwrap_or_default();
        self.trouble = Some(format!(
            "No answer, next try in {} s: {line}",
            wait.as_secs()
        ));
    }

    /// Says what became of a deed.
    pub(super) fn say(&mut self, text: String) {
        self.said = Some(text);
    }

    /// Whether new data is wanted.
    pub(super) fn is_live(&self) -> bool {
        !self.is_held
    }

    /// The lane under the cursor.
    fn lane(&self) -> Option<String> {
        let lane = self.data.lanes().get(self.chosen)?;
        lane["lane"].as_str().map(str::to_owned)
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Deed> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return (key.code == KeyCode::Char('c')).then_some(Deed::Quit);
        }
        if self.asked.is_some() {
            return self.answer(key.code);
        }
        if self.shows_help {
            self.shows_help = false;
            return None;
        }
        self.said = None;
        let last = self.data.lanes().len().saturating_sub(1);
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Some(Deed::Quit),
            KeyCode::Char('p') => self.is_held = !self.is_held,
            KeyCode::Char('?' | 'h') => self.shows_help = true,
            KeyCode::Down | KeyCode::Char('j') => self.chosen = (self.chosen + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => self.chosen = self.chosen.saturating_sub(1),
            KeyCode::Home => self.chosen = 0,
            KeyCode::End => self.chosen = last,
            KeyCode::Char('P') => self.asked = self.wish(),
            _ => {}
        }
        None
    }

    /// The opposite of what the lane under the cursor is: its own switch, not that of all lanes.
    fn wish(&self) -> Option<Wish> {
        let lane = self.data.lanes().get(self.chosen)?;
        Some(Wish {
            lane: lane["lane"].as_str()?.to_owned(),
            on: !lane["paused"].is_null(),
            reason: String::new(),
        })
    }

    /// A key while a lane is to be switched: the reason, and whether to do it.
    fn answer(&mut self, code: KeyCode) -> Option<Deed> {
        match code {
            KeyCode::Esc => self.asked = None,
            KeyCode::Enter => {
                let wish = self.asked.take()?;
                let reason = wish.reason.trim().to_owned();
                // Others see why a lane stands still; the console wants it said, too.
                if !wish.on && reason.is_empty() {
                    self.asked = Some(wish);
                    return None;
                }
                return Some(Deed::Switch(Wish { reason, ..wish }));
            }
            KeyCode::Backspace => {
                self.asked.as_mut()?.reason.pop();
            }
            KeyCode::Char(letter) => {
                let wish = self.asked.as_mut()?;
                if !wish.on && wish.reason.chars().count() < LONGEST_REASON {
                    wish.reason.push(letter);
                }
            }
            _ => {}
        }
        None
    }
}
