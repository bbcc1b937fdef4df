//! One connection, from its first byte to its end.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::Peer;
use super::patient::Patient;
use super::seats::{Answering, Seat};

/// Most bytes of a head, and of what is read ahead of a body.
const BUFFER: usize = 64 * 1024;

/// Answers what comes over `stream` until it ends, waits for longer than `patience`, has to go, or `stop` comes.
pub(super) async fn serve(
    stream: TcpStream,
    peer: Peer,
    seat: Arc<Seat>,
    router: Router,
    patience: Duration,
    stop: CancellationToken,
) {
    // Answers are small and clients wait for them: sending at once matters more than packing.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the socket refused TCP_NODELAY");
    }
    let at = Arc::clone(&seat);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let answering = at.answering();
        let answer = router.clone().oneshot(request.map(Body::new));
        async move {
            let Ok(response) = answer.await;
            Ok::<_, Infallible>(held(response, answering))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Patient::new(stream, patience)), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = seat.has_to_go() => return,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = seat.has_to_go() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection was given up");
    }
}

/// A body that keeps its connection from being taken for a waiting one.
struct Held {
    body: Body,
    _answering: Answering,
}

fn held(response: Response<Body>, answering: Answering) -> Response<Held> {
    response.map(|body| Held {
        body,
        _answering: answering,
    })
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
