//! The long polling transport: the client asks again and again, and each response waits until there are frames.

use super::inbound::{InboundChannel, Poll, PollingRequest, WAITING_SENDS};
use super::{Link, NotWritten, Received, uncached};
use crate::listener::ConnectionAborter;
use crate::wire::Frame;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// The connection's side of its polls.
pub(crate) struct Polls {
    requests: mpsc::Receiver<PollingRequest>,
    sends: mpsc::Receiver<Bytes>,
    waiting: Option<WaitingPoll>,
    patience: Duration,
}

struct WaitingPoll {
    poll: Poll,
    until: Instant,
}

/// A connection's polls, each of which is answered without frames after `patience`, and their inbound channel.
pub(crate) fn open(patience: Duration) -> (Polls, InboundChannel) {
    let (asked, requests) = mpsc::channel(1);
    let (sent, sends) = mpsc::channel(WAITING_SENDS);
    (
        Polls { requests, sends, waiting: None, patience },
        InboundChannel::LongPolling { sends: sent, requests: asked },
    )
}

/// The response to the poll that opens a connection.
pub(crate) fn opened() -> Response {
    reply(Bytes::new())
}

/// Waits for the response to a later poll; `None` when the connection had ended already.
pub(crate) async fn poll(
    requests: &mpsc::Sender<PollingRequest>,
    aborter: ConnectionAborter,
) -> Option<Response> {
    let (answer, answered) = oneshot::channel();
    requests.send(PollingRequest::Poll(Poll { answer, aborter })).await.ok()?;
    Some(match answered.await {
        Ok(frames) => reply(frames),
        Err(_) => (StatusCode::NO_CONTENT, uncached()).into_response(),
    })
}

fn reply(frames: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/octet-stream")], uncached(), frames).into_response()
}

impl Link for Polls {
    /// Clients poll at least as often as a ping would be sent.
    const PINGED: bool = false;

    fn waits(&self) -> bool {
        self.waiting.is_some()
    }

    async fn receive(&mut self) -> Received {
        tokio::select! {
            sent = self.sends.recv() => sent.map_or(Received::Gone, Received::Data),
            request = self.requests.recv() => self.take_request(request),
            () = patience_ends(self.waiting.as_ref()) => {
                // A client that is gone by now will be closed for its silence.
                let _taken = self.waiting.take().map(|waiting| waiting.poll.answer.send(Bytes::new()));
                Received::SignOfLife
            }
        }
    }

    /// Waits for a poll if none is waiting. When the client of a poll has left, the next poll gets the frames.
    async fn write(&mut self, frames: &[Frame]) -> Result<(), NotWritten> {
        let mut body = Bytes::from(frames.iter().map(Frame::bytes).collect::<Vec<_>>().concat());
        loop {
            let poll = self.next_poll().await.ok_or(NotWritten)?;
            match poll.answer.send(body) {
                Ok(()) => return Ok(()),
                Err(untaken) => body = untaken,
            }
        }
    }

    /// Ends the next poll without frames.
    async fn close(&mut self) {
        drop(self.next_poll().await);
    }

    fn cut(self) {
        if let Some(waiting) = self.waiting {
            waiting.poll.aborter.abort();
        }
    }
}

impl Polls {
    /// Takes a request. A new poll replaces the waiting one, which ends without frames.
    fn take_request(&mut self, request: Option<PollingRequest>) -> Received {
        match request {
            Some(PollingRequest::Poll(poll)) => {
                self.waiting = Some(WaitingPoll { poll, until: Instant::now() + self.patience });
                Received::SignOfLife
            }
            Some(PollingRequest::End) | None => Received::Gone,
        }
    }

    async fn next_poll(&mut self) -> Option<Poll> {
        if let Some(waiting) = self.waiting.take() {
            return Some(waiting.poll);
        }
        match self.requests.recv().await {
            Some(PollingRequest::Poll(poll)) => Some(poll),
            Some(PollingRequest::End) | None => None,
        }
    }
}

async fn patience_ends(waiting: Option<&WaitingPoll>) {
    match waiting {
        Some(waiting) => sleep_until(waiting.until).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot::error::TryRecvError;

    fn asked() -> (PollingRequest, oneshot::Receiver<Bytes>) {
        let (answer, answered) = oneshot::channel();
        (PollingRequest::Poll(Poll { answer, aborter: ConnectionAborter::default() }), answered)
    }

    fn frame() -> Frame {
        Frame::Text("x".into())
    }

    #[tokio::test]
    async fn frames_are_not_lost_to_a_poll_that_was_given_up() {
        let (mut polls, inbound) = open(Duration::from_secs(5));
        let InboundChannel::LongPolling { requests, .. } = inbound else { panic!("another transport") };
        let (given_up, _) = asked();
        polls.take_request(Some(given_up));
        let (waiting, mut answered) = asked();
        assert!(requests.send(waiting).await.is_ok());
        assert!(polls.write(&[frame()]).await.is_ok());
        assert_eq!(answered.try_recv().as_deref(), Ok(b"x".as_slice()));
    }

    #[tokio::test]
    async fn the_newest_poll_gets_the_frames() {
        let (mut polls, _door) = open(Duration::from_secs(5));
        let ((older, mut ended), (newer, mut answered)) = (asked(), asked());
        polls.take_request(Some(older));
        polls.take_request(Some(newer));
        assert_eq!(ended.try_recv(), Err(TryRecvError::Closed));
        assert!(polls.write(&[frame()]).await.is_ok());
        assert_eq!(answered.try_recv().as_deref(), Ok(b"x".as_slice()));
    }
}
