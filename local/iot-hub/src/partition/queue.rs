//! The queue from many senders to the one writer of a partition. It is bounded: a slow disk makes senders wait or fail
//! instead of filling the memory.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::message::UnnumberedEvent;

/// The most bytes that wait for the writer: 64 of the largest messages, and far more than a disk writes while a device
/// waits for its answer.
const WAITING_BYTES: usize = 16 << 20;

/// Why events were not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppendError {
    /// Too much is waiting to be written: try again.
    Full,
    /// The hub is stopping.
    Closed,
    /// The log cannot be written.
    Disk,
}

/// Events that are stored together, and where the result is sent.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) events: Vec<UnnumberedEvent>,
    pub(super) done: oneshot::Sender<Result<(), AppendError>>,
}

/// The queue of one partition.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Append>,
    bytes: usize,
    closed: bool,
}

impl Queue {
    /// Adds events to the queue.
    ///
    /// # Errors
    /// The queue is full or closed.
    pub(super) fn push(&self, append: Append) -> Result<(), AppendError> {
        let bytes: usize = append.events.iter().map(|event| event.members().len()).sum();
        let mut state = self.state();
        if state.closed {
            return Err(AppendError::Closed);
        }
        if state.bytes + bytes > WAITING_BYTES {
            return Err(AppendError::Full);
        }
        state.bytes += bytes;
        state.waiting.push(append);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits for events and takes all of them; `None` when the queue is closed and empty.
    pub(super) fn take_all(&self) -> Option<Vec<Append>> {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let mut state = self.filled.wait_while(self.state(), idle).unwrap_or_else(PoisonError::into_inner);
        state.bytes = 0;
        let taken = std::mem::take(&mut state.waiting);
        (!taken.is_empty()).then_some(taken)
    }

    /// Refuses further events.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.filled.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{DeviceId, Scope, Sender};
    use crate::message::Message;

    fn append(body: usize) -> Append {
        let sender = Sender {
            device: DeviceId::parse("d").expect("valid"),
            module: None,
            scope: Scope::Device,
            generation: "1".to_owned(),
        };
        let message = Message { body: vec![0; body].into(), ..Message::default() };
        Append {
            events: vec![message.stamp(&sender, jiff::Timestamp::UNIX_EPOCH)],
            done: oneshot::channel().0,
        }
    }

    #[test]
    fn everything_queued_is_taken_at_once_and_in_order() {
        let queue = Queue::default();
        for body in [1, 2, 3] {
            queue.push(append(body)).expect("room");
        }
        let sizes: Vec<usize> =
            queue.take_all().expect("events").iter().map(|a| a.events[0].members().len()).collect();
        assert!(sizes.len() == 3 && sizes.is_sorted(), "{sizes:?}");
    }

    #[test]
    fn a_full_queue_refuses_until_it_was_emptied() {
        let queue = Queue::default();
        let refused = (0..100).map(|_| queue.push(append(1 << 20))).position(|pushed| pushed.is_err());
        assert_eq!(refused, Some(11), "16 MiB hold 11 bodies of 1 MiB in base64");
        assert_eq!(queue.take_all().map(|taken| taken.len()), Some(11));
        assert_eq!(queue.push(append(1 << 20)), Ok(()));
    }

    #[test]
    fn a_closed_queue_gives_out_the_rest_and_takes_no_more() {
        let queue = Queue::default();
        queue.push(append(1)).expect("room");
        queue.close();
        assert_eq!(queue.push(append(1)), Err(AppendError::Closed));
        assert_eq!(queue.take_all().map(|taken| taken.len()), Some(1));
        assert!(queue.take_all().is_none());
    }
}
