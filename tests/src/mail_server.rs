//! A mail server that keeps what it is given and answers as it is told: in the clear, with STARTTLS, or with TLS from the beginning.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, Lines, Result,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
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
    /// Whether it came over TLS.
    pub is_private: bool,
}

#[derive(Default)]
struct Shared {
    taken: Mutex<Vec<Mail>>,
    /// What is answered to a verb in the place of the usual.
    answers: Mutex<HashMap<String, String>>,
    /// What is offered after the greeting, beside logging in.
    offers: Mutex<Vec<String>>,
    /// Every line that was read before TLS, or without it.
    read_in_the_clear: Mutex<Vec<String>>,
    line: Line,
}

/// How the line is kept private.
#[derive(Default)]
enum Line {
    /// Not at all.
    #[default]
    Clear,
    /// After STARTTLS; nothing else is answered before.
    Starttls(TlsAcceptor),
    /// From the beginning.
    Tls(TlsAcceptor),
}

impl MailServer {
    /// Listens; it knows no TLS.
    pub async fn start() -> Self {
        Self::with(Line::Clear).await
    }

    /// Listens, and wants STARTTLS before anything else.
    pub async fn starttls(acceptor: TlsAcceptor) -> Self {
        let server = Self::with(Line::Starttls(acceptor)).await;
        server.offer("STARTTLS");
        server
    }

    /// Listens, and speaks nothing but TLS.
    pub async fn tls(acceptor: TlsAcceptor) -> Self {
        Self::with(Line::Tls(acceptor)).await
    }

    async fn with(line: Line) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            line,
            ..Shared::default()
        });
        let stop = CancellationToken::new();
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

    /// Every line that was read before TLS, or without it.
    pub fn read_in_the_clear(&self) -> Vec<String> {
        hold(&self.shared.read_in_the_clear).clone()
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

const GREETING: &[u8] = b"220 mail.example.com ready\r\n";

async fn talk(mut stream: TcpStream, shared: Arc<Shared>) -> Result<()> {
    if let Line::Tls(acceptor) = &shared.line {
        let mut stream = acceptor.accept(stream).await?;
        stream.write_all(GREETING).await?;
        return converse(stream, &shared, true).await.map(drop);
    }
    stream.write_all(GREETING).await?;
    let left = converse(stream, &shared, false).await?;
    if let (Some(stream), Line::Starttls(acceptor)) = (left, &shared.line) {
        let stream = acceptor.accept(stream).await?;
        converse(stream, &shared, true).await?;
    }
    Ok(())
}

/// Until the client quits, or wants TLS: then the line is given back.
async fn converse<S>(stream: S, shared: &Shared, is_private: bool) -> Result<Option<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut lines = BufReader::new(stream).lines();
    let mut mail = Mail {
        is_private,
        ..Mail::default()
    };
    while let Some(line) = lines.next_line().await? {
        if !is_private {
            hold(&shared.read_in_the_clear).push(line.clone());
        }
        let verb = line
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_uppercase();
        let said = hold(&shared.answers).get(&verb).cloned();
        let answer = said.unwrap_or_else(|| shared.usual(&verb, is_private));
        let is_refused = !answer.starts_with(['2', '3']);
        say(&mut lines, &answer).await?;
        match verb.as_str() {
            "QUIT" => return Ok(None),
            _ if is_refused => {}
            "STARTTLS" => return Ok(Some(lines.into_inner().into_inner())),
            "AUTH" => mail.login = line.split_once(' ').map(|(_, how)| how.to_owned()),
            "MAIL" => mail.from = address(&line),
            "RCPT" => mail.to.push(address(&line)),
            "DATA" => {
                mail.data = data(&mut lines).await?;
                let end = hold(&shared.answers).get(".").cloned();
                if end.is_none() {
                    hold(&shared.taken).push(mail.clone());
                    mail = Mail {
                        is_private,
                        ..Mail::default()
                    };
                }
                let end = end.unwrap_or_else(|| "250 2.0.0 queued as 4711".to_owned());
                say(&mut lines, &end).await?;
            }
            _ => {}
        }
    }
    Ok(None)
}

async fn say<S>(lines: &mut Lines<BufReader<S>>, answer: &str) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = lines.get_mut().get_mut();
    stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    // TLS may keep what was written until there is more of it.
    stream.flush().await
}

/// What is between DATA and the dot.
async fn data<S>(lines: &mut Lines<BufReader<S>>) -> Result<String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut data = String::new();
    while let Some(line) = lines.next_line().await? {
        if line == "." {
            break;
        }
        data.push_str(line.strip_prefix('.').unwrap_or(&line));
        data.push_str("\r\n");
    }
    Ok(data)
}

impl Shared {
    fn usual(&self, verb: &str, is_private: bool) -> String {
        let wants_tls = matches!(self.line, Line::Starttls(_)) && !is_private;
        match verb {
            "EHLO" => {
                let mut lines = vec!["mail.example.com".to_owned(), "AUTH PLAIN LOGIN".to_owned()];
                let offers = hold(&self.offers).clone();
                let offers = offers.into_iter();
                lines.extend(offers.filter(|it| !(is_private && it == "STARTTLS")));
                let last = lines.pop().unwrap_or_default();
                let first = lines.iter().map(|line| format!("250-{line}\r\n"));
                format!("{}250 {last}", first.collect::<String>())
            }
            "STARTTLS" if wants_tls => "220 2.0.0 go on".to_owned(),
            "AUTH" | "MAIL" | "RCPT" | "DATA" if wants_tls => {
                "530 5.7.0 Must issue a STARTTLS command first".to_owned()
            }
            "AUTH" => "235 2.7.0 welcome".to_owned(),
            "DATA" => "354 go on".to_owned(),
            "QUIT" => "221 2.0.0 bye".to_owned(),
            "MAIL" | "RCPT" | "RSET" | "NOOP" | "HELO" => "250 2.0.0 ok".to_owned(),
            _ => "502 5.5.1 not known here".to_owned(),
        }
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
