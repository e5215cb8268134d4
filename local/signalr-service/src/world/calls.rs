//! The calls to one client that wait for its results.

use crate::wire::hub_protocol::CallResult;
use std::collections::HashMap;
use tokio::sync::oneshot;

/// Dropping it ends every wait, as at the end of a connection.
#[derive(Default)]
pub(crate) struct Calls {
    made: u64,
    waiting: HashMap<String, oneshot::Sender<CallResult>>,
}

impl Calls {
    /// The id of a new call, and the receiver of its result.
    pub(crate) fn begin(&mut self) -> (String, oneshot::Receiver<CallResult>) {
        self.waiting.retain(|_, caller| !caller.is_closed());
        let id = self.made.to_string();
        self.made += 1;
        let (caller, outcome) = oneshot::channel();
        self.waiting.insert(id.clone(), caller);
        (id, outcome)
    }

    /// The client answered. An answer without a call, or after its caller has left, is ignored.
    pub(crate) fn end(&mut self, id: &str, outcome: CallResult) {
        if let Some(caller) = self.waiting.remove(id) {
            let _still_waiting = caller.send(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reaches_its_own_caller_once() {
        let mut calls = Calls::default();
        let ((first, mut one), (second, mut other)) = (calls.begin(), calls.begin());
        assert_ne!(first, second);
        calls.end("unknown", CallResult::Returned("0".into()));
        calls.end(&second, CallResult::Returned("2".into()));
        calls.end(&second, CallResult::Returned("3".into()));
        assert_eq!(other.try_recv(), Ok(CallResult::Returned("2".into())));
        assert!(one.try_recv().is_err(), "still waits");
        drop(calls);
        assert_eq!(one.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn calls_that_were_given_up_do_not_pile_up() {
        let mut calls = Calls::default();
        for _ in 0..100 {
            drop(calls.begin());
        }
        assert_eq!(calls.waiting.len(), 1);
    }
}
