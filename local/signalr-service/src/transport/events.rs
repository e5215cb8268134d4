//! The server-sent events transport: frames are sent in one endless response, and each send of the client is a
//! request of its own.

use super::inbound::{InboundChannel, WAITING_SENDS};
use super::{Link, NotWritten, Received, uncached};
use crate::listener::ConnectionAborter;
use crate::wire::Frame;
use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{once, poll_fn};
use std::convert::Infallible;
use std::future::ready;
use tokio::sync::mpsc;

/// The connection's side of an event stream.
pub(crate) struct EventStream {
    events: mpsc::Sender<Bytes>,
    sends: mpsc::Receiver<Bytes>,
    aborter: ConnectionAborter,
}

/// A stream on the connection that `aborter` ends, the inbound channel for its sends, and the response that carries
/// it.
pub(crate) fn open(aborter: ConnectionAborter) -> (EventStream, InboundChannel, Response) {
    let (events, mut written) = mpsc::channel::<Bytes>(1);
    let (sender, sends) = mpsc::channel(WAITING_SENDS);
    // A browser reports the stream as open at its first bytes, which are this comment.
    let comment = once(ready(Bytes::from_static(b":\r\n\r\n")));
    let body = comment.chain(poll_fn(move |context| written.poll_recv(context)));
    let body = Body::from_stream(body.map(Ok::<_, Infallible>));
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CONTENT_ENCODING, "identity")];
    let response = (headers, uncached(), body).into_response();
    (EventStream { events, sends, aborter }, InboundChannel::ServerSentEvents { sends: sender }, response)
}

impl Link for EventStream {
    async fn receive(&mut self) -> Received {
        tokio::select! {
            sent = self.sends.recv() => sent.map_or(Received::Gone, Received::Data),
            () = self.events.closed() => Received::Gone,
        }
    }

    async fn write(&mut self, frames: &[Frame]) -> Result<(), NotWritten> {
        let events: String = frames.iter().map(event).collect();
        self.events.send(events.into()).await.map_err(|_| NotWritten)
    }

    /// Dropping the link ends the response; this transport has no other way to close.
    async fn close(&mut self) {}

    fn cut(self) {
        self.aborter.abort();
    }
}

/// Writes a frame as one event. Line ends in a frame are white space between JSON tokens; the client joins the lines.
fn event(frame: &Frame) -> String {
    let Frame::Text(text) = frame else {
        unreachable!("the handshake refuses binary protocols on this transport")
    };
    let mut event = String::with_capacity(text.len() + "data: \r\n\r\n".len());
    for line in text.replace("\r\n", "\n").split(['\r', '\n']) {
        event.push_str("data: ");
        event.push_str(line);
        event.push_str("\r\n");
    }
    event.push_str("\r\n");
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_end_of_a_frame_ends_its_event() {
        let event = |text: &str| event(&Frame::Text(text.into()));
        assert_eq!(event("{}\u{1e}"), "data: {}\u{1e}\r\n\r\n");
        let lines = "data: [\r\ndata: 1,\r\ndata: 2\r\ndata: ]\r\n\r\n";
        assert_eq!(event("[\r\n1,\n2\r]"), lines);
    }
}
