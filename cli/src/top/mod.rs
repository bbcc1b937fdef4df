//! `top`: what moves and what waits, live in a terminal, over the operator API alone.
//!
//! `state` decides what a key means, `draw` makes a frame of it, `data` asks the bridge; only this file touches the terminal.

mod data;
mod draw;
mod state;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal as _, stdout};
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event};
use ratatui::{DefaultTerminal, Terminal};
use shared::clock::{Clock as _, SystemClock};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use self::data::{Data, fetch, switch};
use self::state::{Deed, Screen};
use crate::api::Api;
use crate::args;
use crate::exit::Failure;
use crate::output::Output;

/// Between two tries while nobody answers: the first, and the longest.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A frame for a script, which has no size of its own.
const SHEET: (u16, u16) = (100, 40);
/// The clock of the head and the ages move on this often.
const REDRAW: Duration = Duration::from_secs(1);

pub(crate) async fn run(top: args::Top, api: &Api, output: Output) -> Result<(), Failure> {
    let is_terminal = stdout().is_terminal();
    if !(top.once || output.json || is_terminal) {
        return Err(Failure::Configuration(
            "standard output is no terminal: give --once for one frame as text, or --json".into(),
        ));
    }
    // The first answer is waited for outside of the screen: who has the wrong address or token is told as by any other command.
    let data = fetch(api).await?;
    if output.json {
        output.show(&data, |_| String::new());
        return Ok(());
    }
    let colour = anstream::AutoStream::choice(&stdout()) != anstream::ColorChoice::Never;
    let mut screen = Screen::new(top.api.url.to_string(), colour && !top.once);
    screen.show(data, now());
    if top.once {
        let size = ratatui::crossterm::terminal::size().ok();
        let size = size.filter(|_| is_terminal).unwrap_or(SHEET);
        anstream::println!("{}", sheet(&screen, size)?);
        return Ok(());
    }
    let mut terminal = ratatui::try_init().context("the terminal cannot be taken over")?;
    let ended = live(
        &mut terminal,
        &mut screen,
        api,
        Duration::from_secs(top.every),
    )
    .await;
    ratatui::restore();
    ended
}

fn now() -> DateTime<Utc> {
    SystemClock.now()
}

/// One frame as text.
fn sheet(screen: &Screen, (width, height): (u16, u16)) -> anyhow::Result<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height))?;
    terminal.draw(|frame| draw::frame(screen, now(), frame))?;
    let buffer = terminal.backend().buffer();
    // The keys in the last line are of no use there.
    let rows = usize::from(height.saturating_sub(1));
    let rows = buffer.content().chunks(usize::from(width)).take(rows);
    let lines = rows.map(|cells| {
        let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned()
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    Ok(text.trim_end().to_owned())
}

/// What is under way, if anything.
type Asking<'a> = Pin<Box<dyn Future<Output = Answer> + 'a>>;

enum Answer {
    Looked(Result<Data, Failure>),
    Acted(Result<String, Failure>),
}

/// Shows, listens and asks until somebody quits or the bridge refuses for good.
async fn live(
    terminal: &mut DefaultTerminal,
    screen: &mut Screen,
    api: &Api,
    every: Duration,
) -> Result<(), Failure> {
    let mut keys = keys();
    let mut asking: Option<Asking<'_>> = None;
    let mut next = Instant::now() + every;
    let mut wait = AGAIN.0;
    loop {
        terminal
            .draw(|frame| draw::frame(screen, now(), frame))
            .context("the terminal cannot be drawn on")?;
        tokio::select! {
            event = keys.recv() => match event {
                Some(Event::Key(key)) => match screen.press(key) {
                    Some(Deed::Quit) => return Ok(()),
                    Some(Deed::Switch(wish)) => asking = Some(Box::pin(async move { Answer::Acted(switch(api, &wish).await) })),
                    None => {}
                },
                Some(_) => {}
                None => return Ok(()),
            },
            answer = under_way(&mut asking) => {
                asking = None;
                match answer {
                    Answer::Looked(Ok(data)) => {
                        screen.show(data, now());
                        (next, wait) = (Instant::now() + every, AGAIN.0);
                    }
                    Answer::Looked(Err(failure)) if failure.may_pass() => {
                        screen.lost(&failure, wait);
                        next = Instant::now() + wait;
                        wait = (wait * 2).min(AGAIN.1);
                    }
                    Answer::Looked(Err(failure)) => return Err(failure),
                    Answer::Acted(said) => {
                        screen.say(said.unwrap_or_else(|failure| failure.to_string()));
                        next = Instant::now();
                    }
                }
            },
            () = sleep_until(next), if asking.is_none() && screen.is_live() => {
                asking = Some(Box::pin(async { Answer::Looked(fetch(api).await) }));
            },
            () = sleep(REDRAW) => {}
        }
    }
}

/// The answer to what is under way; none for ever when nothing is.
async fn under_way(asking: &mut Option<Asking<'_>>) -> Answer {
    match asking {
        Some(asking) => asking.await,
        None => std::future::pending().await,
    }
}

/// What is typed. The terminal is read by a thread of its own, because reading it waits; the thread ends with the process.
fn keys() -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(64);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(event).is_err() {
                return;
            }
        }
    });
    receiver
}
