//! The queue between the world and one client's transport. It is bounded in bytes: the service never holds more than
//! [`CAPACITY`] for a client, and one that does not read loses its connection.

use crate::wire::Frame;
use crate::wire::hub_protocol::{Broadcast, Protocol, ServerMessage};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The most bytes that wait for one client: eight of the largest sends of the REST API (1 MiB). A burst of large
/// messages to a healthy client fits, and a thousand stuck clients stay far below the memory of a laptop, because
/// clients share the frames of a broadcast.
pub(crate) const CAPACITY: usize = 8 * 1024 * 1024;

/// The overhead of one queued frame, which also limits the number of tiny frames.
const FRAME_OVERHEAD: usize = 64;

/// The world adds frames under its lock, and the client's transport takes them.
#[derive(Default)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
    end: Option<End>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    AfterFrames,
    Now,
}

/// The result of adding a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Queued,
    /// The connection had already ended; the frame is dropped.
    Ended,
    /// The frame did not fit, so that the connection was cut.
    Overflow,
}

/// What the transport does next.
#[derive(Debug, PartialEq)]
pub(crate) enum OutboxStep {
    /// Write these frames, in this order.
    Write(Vec<Frame>),
    /// Everything is written: close the transport gracefully.
    Close,
    /// Drop the transport at once.
    Cut,
}

impl Outbox {
    pub(crate) fn push(&self, frame: Frame) -> Pushed {
        let mut queue = self.lock();
        if queue.end.is_some() {
            return Pushed::Ended;
        }
        let bytes = queue.bytes + cost(&frame);
        if bytes > CAPACITY {
            queue.cut();
            self.changed.notify_one();
            return Pushed::Overflow;
        }
        queue.bytes = bytes;
        queue.frames.push_back(frame);
        self.changed.notify_one();
        Pushed::Queued
    }

    /// Ends the connection when everything added so far is written.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.end.get_or_insert(End::AfterFrames);
        self.changed.notify_one();
    }

    /// Ends the connection now, and drops the frames that wait.
    pub(crate) fn cut(&self) {
        self.lock().cut();
        self.changed.notify_one();
    }

    /// Waits for the next step. Cancel safe: frames leave the queue only when this returns.
    pub(crate) async fn next(&self) -> OutboxStep {
        loop {
            if let Some(next) = self.lock().take() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    /// Resolves when the connection is cut. Used beside a write that may never finish.
    pub(crate) async fn until_cut(&self) {
        while self.lock().end != Some(End::Now) {
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn take(&mut self) -> Option<OutboxStep> {
        match self.end {
            Some(End::Now) => Some(OutboxStep::Cut),
            _ if !self.frames.is_empty() => {
                self.bytes = 0;
                Some(OutboxStep::Write(self.frames.drain(..).collect()))
            }
            Some(End::AfterFrames) => Some(OutboxStep::Close),
            None => None,
        }
    }

    fn cut(&mut self) {
        self.frames.clear();
        self.bytes = 0;
        self.end = Some(End::Now);
    }
}

/// A client that receives messages: its queue, and the protocol it uses.
#[derive(Clone, Default)]
pub(crate) struct Recipient {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) protocol: Protocol,
}

impl Recipient {
    /// A message that the client's protocol cannot express ends the connection, as in ASP.NET Core: otherwise the
    /// client would miss it without notice.
    pub(crate) fn tell(&self, message: &Broadcast) -> Pushed {
        match message.frame(self.protocol) {
            Some(frame) => self.outbox.push(frame),
            None => {
                let error = Some("A message cannot be expressed in the client's protocol.".into());
                self.end_with(&ServerMessage::Close { error }.into());
                Pushed::Ended
            }
        }
    }

    /// Sends the client its last message, then ends the connection.
    pub(crate) fn end_with(&self, last_message: &Broadcast) {
        if let Some(frame) = last_message.frame(self.protocol) {
            self.outbox.push(frame);
        }
        self.outbox.close();
    }
}

fn cost(frame: &Frame) -> usize {
    frame.bytes().len() + FRAME_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_come_out_in_order_and_before_the_close() {
        let outbox = Outbox::default();
        let frames: Vec<Frame> = (0..3).map(|n| Frame::Text(format!("{n}").into())).collect();
        for frame in &frames {
            assert_eq!(outbox.push(frame.clone()), Pushed::Queued);
        }
        outbox.close();
        assert_eq!(outbox.push(Frame::Text("late".into())), Pushed::Ended);
        assert_eq!(outbox.next().await, OutboxStep::Write(frames));
        assert_eq!(outbox.next().await, OutboxStep::Close);
    }

    #[tokio::test]
    async fn what_does_not_fit_cuts_the_connection_and_frees_the_queue() {
        let outbox = Outbox::default();
        let large = Frame::Text("x".repeat(CAPACITY / 2).into());
        assert_eq!(outbox.push(large.clone()), Pushed::Queued);
        assert_eq!(outbox.push(large.clone()), Pushed::Overflow);
        assert_eq!(outbox.push(large), Pushed::Ended);
        assert_eq!(outbox.lock().frames.len(), 0);
        outbox.until_cut().await;
        assert_eq!(outbox.next().await, OutboxStep::Cut);
    }

    #[test]
    fn tiny_frames_are_bounded_as_well() {
        let outbox = Outbox::default();
        let queued = std::iter::repeat_with(|| outbox.push(Frame::Text("".into())))
            .take(2 * CAPACITY / FRAME_OVERHEAD)
            .take_while(|pushed| *pushed == Pushed::Queued)
            .count();
        assert_eq!(queued, CAPACITY / FRAME_OVERHEAD);
    }
}
