//! An identity system that takes callbacks: keeps what it hears and answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A receiver on a free port, gone when dropped.
pub struct Receiver {
    url: String,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

/// What came in.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Headers.
    pub headers: HeaderMap,
    /// Body, byte for byte.
    pub body: Vec<u8>,
    /// The status it was answered with.
    pub status: u16,
}

#[derive(Default)]
struct Shared {
    heard: Mutex<Vec<Delivery>>,
    answers: Mutex<VecDeque<Answer>>,
}

/// An answer to be given: status and headers.
type Answer = (u16, Vec<(String, String)>);

impl Receiver {
    /// Listens.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("there is a free port");
        let url = format!(
            "http://{}/hooks/tickets?key=private",
            listener.local_addr().expect("it is bound")
        );
        let shared = Arc::new(Shared::default());
        let stop = CancellationToken::new();
        let router = Router::new()
            .route("/hooks/tickets", post(hear))
            .with_state(Arc::clone(&shared));
        let serving =
            axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        TaskTracker::new().spawn(serving.into_future());
        Self { url, shared, stop }
    }

    /// Where callbacks go.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next answer that has not been planned yet; without a plan the answer is 204.
    pub fn plan(&self, status: u16, headers: &[(&str, &str)]) {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        hold(&self.shared.answers).push_back((status, headers));
    }

    /// Everything heard so far.
    pub fn heard(&self) -> Vec<Delivery> {
        hold(&self.shared.heard).clone()
    }

    /// Forgets what was heard and what was planned.
    pub fn clear(&self) {
        hold(&self.shared.heard).clear();
        hold(&self.shared.answers).clear();
    }

    /// The types of the events heard so far.
    pub fn types(&self) -> Vec<String> {
        self.heard()
            .iter()
            .map(|it| it.json()["type"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

impl Delivery {
    /// The body.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("callbacks are JSON")
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn hear(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let (status, more) = hold(&shared.answers)
        .pop_front()
        .unwrap_or((204, Vec::new()));
    hold(&shared.heard).push(Delivery {
        headers,
        body: body.to_vec(),
        status,
    });
    let mut response = StatusCode::from_u16(status)
        .expect("a planned status")
        .into_response();
    for (name, value) in more {
        let name: axum::http::HeaderName = name.parse().expect("a header name");
        response
            .headers_mut()
            .insert(name, value.parse().expect("a header value"));
    }
    response
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds this")
}
