//! The long polling transport: the client asks again and again, and an answer waits until there are frames.

use super::{Door, Heard, Link, NotWritten, WAITING_SENDS, uncached};
use crate::listener::Scissors;
use crate::wire::Frame;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// What a client asks of its connection.
pub(crate) enum Ask {
    Poll(Poll),
    End,
}

/// A request that waits for frames.
pub(crate) struct Poll {
    /// Dropped without a value, it says that the connection is over for this poll.
    answer: oneshot::Sender<Bytes>,
    scissors: Scissors,
}

/// The connection's side of its polls.
pub(crate) struct Polls {
    asks: mpsc::Receiver<Ask>,
    sends: mpsc::Receiver<Bytes>,
    held: Option<Held>,
    patience: Duration,
}

struct Held {
    poll: Poll,
    until: Instant,
}

/// Polls that are answered empty after `patience`, and the door for them.
pub(crate) fn open(patience: Duration) -> (Polls, Door) {
    let (asked, asks) = mpsc::channel(1);
    let (sent, sends) = mpsc::channel(WAITING_SENDS);
    (Polls { asks, sends, held: None, patience }, Door::LongPolling { sends: sent, asks: asked })
}

/// The answer to the poll that opens a connection.
pub(crate) fn opened() -> Response {
    reply(Bytes::new())
}

/// Waits for the answer to a later poll; `None` when the connection ended before it asked.
pub(crate) async fn poll(asks: &mpsc::Sender<Ask>, scissors: Scissors) -> Option<Response> {
    let (answer, answered) = oneshot::channel();
    asks.send(Ask::Poll(Poll { answer, scissors })).await.ok()?;
    Some(match answered.await {
        Ok(frames) => reply(frames),
        Err(_) => (StatusCode::NO_CONTENT, uncached()).into_response(),
    })
}

fn reply(frames: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/octet-stream")], uncached(), frames).into_response()
}

impl Link for Polls {
    /// Clients poll at least as often as they would be pinged.
    const PINGED: bool = false;

    fn waits(&self) -> bool {
        self.held.is_some()
    }

    async fn receive(&mut self) -> Heard {
        tokio::select! {
            sent = self.sends.recv() => sent.map_or(Heard::Gone, Heard::Data),
            ask = self.asks.recv() => self.hear(ask),
            () = patience_ends(self.held.as_ref()) => {
                // A client that is gone by now shows by its silence.
                let _taken = self.held.take().map(|held| held.poll.answer.send(Bytes::new()));
                Heard::Sign
            }
        }
    }

    /// Waits for a poll if none is held. One whose client has left takes nothing, so the next one gets it all.
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

    /// The next poll learns that there is nothing to come.
    async fn say_goodbye(&mut self) {
        drop(self.next_poll().await);
    }

    fn cut(self) {
        if let Some(held) = self.held {
            held.poll.scissors.cut();
        }
    }
}

impl Polls {
    /// A poll replaces an older one, which ends without frames.
    fn hear(&mut self, ask: Option<Ask>) -> Heard {
        match ask {
            Some(Ask::Poll(poll)) => {
                self.held = Some(Held { poll, until: Instant::now() + self.patience });
                Heard::Sign
            }
            Some(Ask::End) | None => Heard::Gone,
        }
    }

    async fn next_poll(&mut self) -> Option<Poll> {
        if let Some(held) = self.held.take() {
            return Some(held.poll);
        }
        match self.asks.recv().await {
            Some(Ask::Poll(poll)) => Some(poll),
            Some(Ask::End) | None => None,
        }
    }
}

async fn patience_ends(held: Option<&Held>) {
    match held {
        Some(held) => sleep_until(held.until).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot::error::TryRecvError;

    fn asked() -> (Ask, oneshot::Receiver<Bytes>) {
        let (answer, answered) = oneshot::channel();
        (Ask::Poll(Poll { answer, scissors: Scissors::default() }), answered)
    }

    fn frame() -> Frame {
        Frame::Text("x".into())
    }

    #[tokio::test]
    async fn frames_are_not_lost_to_a_poll_that_was_given_up() {
        let (mut polls, door) = open(Duration::from_secs(5));
        let Door::LongPolling { asks, .. } = door else { panic!("another door") };
        let (given_up, _) = asked();
        polls.hear(Some(given_up));
        let (waiting, mut answered) = asked();
        assert!(asks.send(waiting).await.is_ok());
        assert!(polls.write(&[frame()]).await.is_ok());
        assert_eq!(answered.try_recv().as_deref(), Ok(b"x".as_slice()));
    }

    #[tokio::test]
    async fn the_newest_poll_gets_the_frames() {
        let (mut polls, _door) = open(Duration::from_secs(5));
        let ((older, mut ended), (newer, mut answered)) = (asked(), asked());
        polls.hear(Some(older));
        polls.hear(Some(newer));
        assert_eq!(ended.try_recv(), Err(TryRecvError::Closed));
        assert!(polls.write(&[frame()]).await.is_ok());
        assert_eq!(answered.try_recv().as_deref(), Ok(b"x".as_slice()));
    }
}
