//! One answer of a snapshot in the making: what is read becomes text in small turns, and the text leaves in pieces while the
//! rest is being read.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream::try_unfold;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout, timeout_at};

use super::reading::{Found, Reading};
use super::text::Text;
use crate::devices::rows::DeviceRows;
use crate::devices::state::DeviceState;
use crate::host::call::PATIENCE;
use crate::host::gate::Turn;
use crate::primitives::chain::chain;
use crate::store::StoreError;

/// Devices that are rendered before others get their turn: about half a millisecond.
const DEVICES_IN_A_TURN: usize = 128;

/// Bytes of a piece. An answer that fits in one is sent whole.
pub(super) const PIECE: usize = 64 * 1024;

/// How long somebody who does not take what was made keeps others from their turn.
const SLOW: Duration = Duration::from_secs(2);

/// The most bytes of those elsewhere that are kept until the devices are through.
const MOST_ELSEWHERE: usize = 1024 * 1024;

/// An answer in the making.
pub(super) struct Part {
    reading: Reading,
    /// Of the last page, not rendered yet.
    pending: std::vec::IntoIter<DeviceState>,
    text: Text,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// There is a piece, and more to come.
    Piece,
    /// There is no more for this answer.
    ToItsEnd,
}

/// What leaves.
enum Sent {
    Piece(Vec<u8>),
    Last(Vec<u8>),
}

/// Something went wrong while an answer was on its way, and it does not look like a whole one.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot could not be made to its end")]
struct CutOff;

impl Part {
    pub(super) fn new(devices: &Arc<DeviceRows>, reading: Reading) -> Part {
        let text = Text::new(Arc::clone(devices.catalogue()));
        Part { reading, pending: Vec::new().into_iter(), text }
    }

    /// Reads and renders until so many bytes can be sent, or to the end.
    pub(super) async fn fill(&mut self, bytes: usize) -> Result<Filled, StoreError> {
        loop {
            while !self.pending.as_slice().is_empty() {
                for state in self.pending.by_ref().take(DEVICES_IN_A_TURN) {
                    self.text.push(&state);
                }
                if !self.pending.as_slice().is_empty() {
                    yield_now().await;
                }
                if self.text.ready() >= bytes {
                    return Ok(Filled::Piece);
                }
            }
            let Some(Found { taken, elsewhere, damaged }) = self.reading.next().await? else {
                return Ok(Filled::ToItsEnd);
            };
            damaged.iter().for_each(|(device, problem)| self.text.push_damaged(device, problem));
            elsewhere.iter().for_each(|state| self.text.push_elsewhere(state));
            if self.text.len() - self.text.ready() > MOST_ELSEWHERE {
                self.reading.stop();
            }
            self.pending = taken.into_iter();
        }
    }

    /// Reads and renders until there are about so many bytes, and ends the answer there.
    pub(super) async fn fill_and_finish(&mut self, bytes: usize) -> Result<Filled, StoreError> {
        match self.fill(bytes).await? {
            Filled::Piece => self.finish().await,
            Filled::ToItsEnd => Ok(Filled::ToItsEnd),
        }
    }

    /// Renders what was read, and reads no more for this answer.
    async fn finish(&mut self) -> Result<Filled, StoreError> {
        self.reading.stop();
        self.fill(usize::MAX).await
    }

    /// The rest of the text, and what it stands for, if it is a whole answer to a whole question.
    pub(super) fn end(self) -> (Vec<u8>, Option<u64>) {
        let continuation = self.reading.continuation();
        let (text, version) = self.text.end(&self.reading.cursor(), continuation.as_ref());
        (text, continuation.is_none().then_some(version))
    }

    /// The body of an answer that goes on being made while it is sent. What is made waits for who reads it, so an answer
    /// takes the memory of a page of the store and of a few pieces.
    pub(super) fn into_body(mut self, turn: Turn) -> Body {
        let (sender, receiver) = mpsc::channel(1);
        let first = Bytes::from(self.text.take());
        tokio::spawn(self.send_to(sender, turn));
        Body::from_stream(try_unfold((Some(first), Some(receiver)), |(first, receiver)| async move {
            match (first, receiver) {
                (Some(first), receiver) => Ok(Some((first, (None, receiver)))),
                (None, None) => Ok(None),
                (None, Some(mut receiver)) => match receiver.recv().await {
                    Some(Sent::Piece(text)) => Ok(Some((text.into(), (None, Some(receiver))))),
                    Some(Sent::Last(text)) => Ok(Some((text.into(), (None, None)))),
                    None => Err(CutOff),
                },
            }
        }))
    }

    /// Ends when everything was sent, when nobody reads any more, or after [`PATIENCE`].
    async fn send_to(mut self, sender: mpsc::Sender<Sent>, turn: Turn) {
        let deadline = Instant::now() + PATIENCE;
        if let Err(error) = self.send_pieces(&sender).await {
            tracing::error!("a snapshot was cut off, because it could not be read on: {}", chain(&error));
            return;
        }
        drop(turn);
        let (text, _) = self.end();
        // A reader who does not take this either gets an answer that is cut off.
        let _ = timeout_at(deadline, sender.send(Sent::Last(text))).await;
    }

    /// Sends all but the end, which is there at last. A slow reader does not keep others waiting: the rest of the devices
    /// is then for another answer.
    async fn send_pieces(&mut self, sender: &mpsc::Sender<Sent>) -> Result<(), StoreError> {
        while self.fill(PIECE).await? == Filled::Piece {
            match timeout(SLOW, sender.reserve()).await {
                Ok(Ok(place)) => place.send(Sent::Piece(self.text.take())),
                Ok(Err(_)) => return Ok(()),
                Err(_) => return self.finish().await.map(drop),
            }
        }
        Ok(())
    }
}
