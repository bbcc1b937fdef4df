//! A small HTTP/1.1 server on a real socket that can also misbehave in ways a framework would not allow.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use servicenow_client::{Auth, Client, ClientOptions};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Counts the connections of one server.
    pub(crate) connection: usize,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// A query parameter, decoded.
    pub(crate) fn param(&self, name: &str) -> Option<String> {
        pairs(&self.query, name)
    }

    /// A form field of the body, decoded.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        pairs(&self.body, name)
    }
}

fn pairs(encoded: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(encoded.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// What the server does with a request.
pub(crate) enum Act {
    /// Send these bytes and keep the connection.
    Answer(Vec<u8>),
    /// Send these bytes and close the connection.
    AnswerAndClose(Vec<u8>),
    /// Close without an answer.
    Close,
    /// Say nothing until the client leaves.
    Silence,
    /// Send these bytes, then say nothing until the client leaves.
    AnswerAndSilence(Vec<u8>),
}

pub(crate) struct Responder {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Responder {
    pub(crate) fn start(act: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (act, log) = (Arc::new(act), seen.clone());
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().flatten().enumerate() {
                let (act, log) = (act.clone(), log.clone());
                thread::spawn(move || serve(&stream, connection, act.as_ref(), &log));
            }
        });
        Self { address, seen }
    }

    /// Answers every request with the same bytes.
    pub(crate) fn always(answer: Vec<u8>) -> Self {
        Self::start(move |_| Act::Answer(answer.clone()))
    }

    pub(crate) fn url(&self, scheme: &str) -> url::Url {
        format!("{scheme}://{}", self.address)
            .parse()
            .expect("a URL")
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("the log").clone()
    }

    pub(crate) fn seen_on(&self, path: &str) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|seen| seen.path == path);
        seen
    }

    pub(crate) fn options(&self, auth: Auth) -> ClientOptions {
        ClientOptions::new(self.url("http"), auth)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.options(basic())).expect("a client")
    }

    /// A client that gives up soon.
    pub(crate) fn impatient_client(&self) -> Client {
        let options = ClientOptions {
            request_timeout: Duration::from_millis(300),
            ..self.options(basic())
        };
        Client::new(options).expect("a client")
    }
}

pub(crate) fn basic() -> Auth {
    Auth::Basic {
        user: "bridge".to_owned(),
        password: "pass-word-1".into(),
    }
}

/// An answer with a correct length.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let lines: String = headers
        .iter()
        .flat_map(|(name, value)| [*name, ": ", *value, "\r\n"])
        .collect();
    let length = body.len();
    format!("HTTP/1.1 {status} Status\r\n{lines}Content-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// A JSON answer as an instance sends it.
pub(crate) fn json(status: u16, body: &str) -> Vec<u8> {
    json_with(status, &[], body)
}

pub(crate) fn json_with(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut all = vec![
        ("Content-Type", "application/json;charset=UTF-8"),
        ("X-Transaction-ID", "89f9d2509783"),
        ("Date", "Sun, 22 Nov 2026 10:00:00 GMT"),
        ("Server", "ServiceNow"),
    ];
    all.extend_from_slice(headers);
    answer(status, &all, body)
}

pub(crate) fn html(status: u16, body: &str) -> Vec<u8> {
    answer(status, &[("Content-Type", "text/html;charset=UTF-8")], body)
}

fn serve(
    stream: &TcpStream,
    connection: usize,
    act: &(impl Fn(&Seen) -> Act + ?Sized),
    log: &Mutex<Vec<Seen>>,
) {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Some(seen) = read_request(&mut reader, connection) {
        log.lock().expect("the log").push(seen.clone());
        let (bytes, then_silent, then_close) = match act(&seen) {
            Act::Answer(bytes) => (bytes, false, false),
            Act::AnswerAndClose(bytes) => (bytes, false, true),
            Act::AnswerAndSilence(bytes) => (bytes, true, true),
            Act::Close => (Vec::new(), false, true),
            Act::Silence => (Vec::new(), true, true),
        };
        if writer
            .write_all(&bytes)
            .and_then(|()| writer.flush())
            .is_err()
        {
            return;
        }
        if then_silent {
            // The client ends this by leaving.
            drop(reader.read(&mut [0; 1]));
        }
        if then_close {
            return;
        }
    }
}

fn read_request(reader: &mut impl BufRead, connection: usize) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut parts = line.split_whitespace();
    let method = parts.next()?.to_owned();
    let target = parts.next()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => break,
        }
    }
    let mut seen = Seen {
        method,
        path,
        query,
        headers,
        body: String::new(),
        connection,
    };
    let length = seen
        .header("content-length")
        .and_then(|text| text.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    seen.body = String::from_utf8(body).ok()?;
    Some(seen)
}
