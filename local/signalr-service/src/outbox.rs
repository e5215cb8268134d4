//! The queue between the world and one client's transport. It is bounded in bytes: a client that does not
//! read loses its connection, and the service never holds more for it than [`CAPACITY`].

use crate::wire::Frame;
use crate::wire::hub_protocol::{Broadcast, Protocol, ServerMessage};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// Bytes that may wait for one client: eight of the largest sends the REST API takes (1 MiB), so that a
/// burst of large messages to a healthy client passes, while a thousand stuck clients stay far below what
/// a laptop has (frames of a broadcast are shared between clients).
pub(crate) const CAPACITY: usize = 8 * 1024 * 1024;

/// What one queued frame costs beside its bytes; it bounds the number of tiny frames too.
const FRAME_OVERHEAD: usize = 64;

/// One producer side under the world's lock, one consumer: the client's transport.
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

/// What became of a pushed frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Queued,
    /// The connection had already ended; the frame is dropped.
    Ended,
    /// The frame did not fit; the connection has been cut by this push.
    Overflow,
}

/// What the transport does next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Write these, in this order.
    Write(Vec<Frame>),
    /// Everything is written: close the transport in its polite way.
    Close,
    /// Drop the transport as it is.
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

    /// Ends the connection once everything pushed so far is written.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.end.get_or_insert(End::AfterFrames);
        self.changed.notify_one();
    }

    /// Ends the connection now; what waits is dropped.
    pub(crate) fn cut(&self) {
        self.lock().cut();
        self.changed.notify_one();
    }

    /// Waits for something to do. Cancel safe: frames leave the queue only with the value.
    pub(crate) async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.lock().take() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    /// Resolves when the connection is to be dropped; raced against a write that may never finish.
    pub(crate) async fn until_cut(&self) {
        while self.lock().end != Some(End::Now) {
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics while it holds an outbox")
    }
}

impl Queue {
    fn take(&mut self) -> Option<Next> {
        match self.end {
            Some(End::Now) => Some(Next::Cut),
            _ if !self.frames.is_empty() => {
                self.bytes = 0;
                Some(Next::Write(self.frames.drain(..).collect()))
            }
            Some(End::AfterFrames) => Some(Next::Close),
            None => None,
        }
    }

    fn cut(&mut self) {
        self.frames.clear();
        self.bytes = 0;
        self.end = Some(End::Now);
    }
}

/// A client to whom the world speaks: its queue, and the protocol it understands.
#[derive(Clone, Default)]
pub(crate) struct Recipient {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) protocol: Protocol,
}

impl Recipient {
    /// A message that the client's protocol cannot express ends the connection, as in ASP.NET Core: the client
    /// would miss it without knowing.
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

    /// The client's last message.
    pub(crate) fn end_with(&self, farewell: &Broadcast) {
        if let Some(frame) = farewell.frame(self.protocol) {
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
        assert_eq!(outbox.next().await, Next::Write(frames));
        assert_eq!(outbox.next().await, Next::Close);
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
        assert_eq!(outbox.next().await, Next::Cut);
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
