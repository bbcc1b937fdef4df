//! A mail server that keeps what it is given and answers as it is told. It knows no TLS.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A server on a free port, gone when dropped.
pub struct MailServer {
    port: u16,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

/// A mail that came in.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// The argument of `AUTH`, when somebody logged in.
    pub login: Option<String>,
    /// Who sends.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// Headers and text, as they came.
    pub data: String,
}

#[derive(Default)]
struct Shared {
    taken: Mutex<Vec<Mail>>,
    /// What is answered to a verb in the place of the usual.
    answers: Mutex<HashMap<String, String>>,
    /// What is offered after the greeting, beside logging in.
    offers: Mutex<Vec<String>>,
}

impl MailServer {
    /// Listens.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (shared, stop) = (Arc::new(Shared::default()), CancellationToken::new());
        let serving = serve(listener, Arc::clone(&shared), stop.clone());
        TaskTracker::new().spawn(serving);
        Self { port, shared, stop }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers this to a verb from now on: `RCPT`, `451 4.3.0 later`.
    pub fn answer(&self, verb: &str, line: &str) {
        hold(&self.shared.answers).insert(verb.to_owned(), line.to_owned());
    }

    /// Offers this after the greeting: `STARTTLS`.
    pub fn offer(&self, word: &str) {
        hold(&self.shared.offers).push(word.to_owned());
    }

    /// Answers as usual again.
    pub fn mend(&self) {
        hold(&self.shared.answers).clear();
    }

    /// Everything that was taken.
    pub fn taken(&self) -> Vec<Mail> {
        hold(&self.shared.taken).clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Mail {
    /// A header.
    pub fn header(&self, name: &str) -> &str {
        let beginning = format!("{name}: ");
        let mut lines = self.data.lines().take_while(|line| !line.is_empty());
        lines
            .find_map(|line| line.strip_prefix(&beginning))
            .unwrap_or_default()
    }

    /// What stands after the headers.
    pub fn text(&self) -> &str {
        let body = self.data.split_once("\r\n\r\n").map(|(_, text)| text);
        body.unwrap_or_default().trim_end()
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted {
            let talk = talk(stream, Arc::clone(&shared));
            // A client that hangs up in the middle of a word is no matter of ours.
            tasks.spawn(async move { drop(talk.await) });
        }
    }
}

async fn talk(mut stream: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 mail.example.com ready\r\n").await?;
    let mut mail = Mail::default();
    while let Some(line) = lines.next_line().await? {
        let verb = line
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_uppercase();
        let said = hold(&shared.answers).get(&verb).cloned();
        let refused = said.as_ref().is_some_and(|it| !it.starts_with(['2', '3']));
        let answer = said.unwrap_or_else(|| usual(&verb, &shared));
        writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
        match verb.as_str() {
            "QUIT" => return Ok(()),
            _ if refused => {}
            "AUTH" => mail.login = line.split_once(' ').map(|(_, how)| how.to_owned()),
            "MAIL" => mail.from = address(&line),
            "RCPT" => mail.to.push(address(&line)),
            "DATA" => {
                mail.data.clear();
                while let Some(line) = lines.next_line().await? {
                    if line == "." {
                        break;
                    }
                    mail.data.push_str(line.strip_prefix('.').unwrap_or(&line));
                    mail.data.push_str("\r\n");
                }
                let end = hold(&shared.answers).get(".").cloned();
                if end.is_none() {
                    hold(&shared.taken).push(std::mem::take(&mut mail));
                }
                let end = end.unwrap_or_else(|| "250 2.0.0 queued as 4711".to_owned());
                writer.write_all(format!("{end}\r\n").as_bytes()).await?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn usual(verb: &str, shared: &Shared) -> String {
    match verb {
        "EHLO" => {
            let mut lines = vec!["mail.example.com".to_owned(), "AUTH PLAIN LOGIN".to_owned()];
            lines.extend(hold(&shared.offers).iter().cloned());
            let last = lines.pop().unwrap_or_default();
            let first = lines.iter().map(|line| format!("250-{line}\r\n"));
            format!("{}250 {last}", first.collect::<String>())
        }
        "AUTH" => "235 2.7.0 welcome".to_owned(),
        "DATA" => "354 go on".to_owned(),
        "QUIT" => "221 2.0.0 bye".to_owned(),
        "MAIL" | "RCPT" | "RSET" | "NOOP" | "HELO" => "250 2.0.0 ok".to_owned(),
        _ => "502 5.5.1 not known here".to_owned(),
    }
}

/// `a@example.com` of `RCPT TO:<a@example.com> …`.
fn address(line: &str) -> String {
    let rest = line.split_once('<').map(|(_, rest)| rest);
    let address = rest.and_then(|rest| rest.split_once('>'));
    address.map_or_else(String::new, |(address, _)| address.to_owned())
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds this")
}
