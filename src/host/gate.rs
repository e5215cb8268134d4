//! How many large answers are made at once. Each takes memory and time of the thread that counts events, so the others wait
//! for their turn, and those beyond them come again later.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::host::answer::Answer;

/// Answers that are made at once: enough that the store is asked while another one is rendered.
const MADE_AT_ONCE: usize = 4;

/// Callers who wait for their turn. A waiting call costs some kilobytes.
const MOST_WAITING: usize = 32;

/// The longest wait for a turn.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// When a caller who found no place may come again: a full queue is through by then.
const COME_AGAIN: Duration = Duration::from_secs(2);

/// Lets a few in, and a few more wait.
pub(crate) struct Gate {
    /// The code of the answer to those who find no place.
    code: &'static str,
    turns: Arc<Semaphore>,
    waiting: Semaphore,
}

/// Leave to make one answer. It ends when it is dropped.
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// Too many others are being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy(&'static str);

impl Gate {
    pub(crate) fn new(code: &'static str) -> Gate {
        let (turns, waiting) = (Arc::new(Semaphore::new(MADE_AT_ONCE)), Semaphore::new(MOST_WAITING));
        Gate { code, turns, waiting }
    }

    /// Waits for a turn, if few others do.
    pub(crate) async fn enter(&self) -> Result<Turn, Busy> {
        if let Ok(permit) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(Turn { _permit: permit });
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| Busy(self.code))?;
        match timeout(LONGEST_WAIT, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Turn { _permit: permit }),
            _ => Err(Busy(self.code)),
        }
    }
}

impl Busy {
    pub(crate) fn answer(self) -> Answer {
        let sentence = format!("too many callers ask at once; try again after the seconds in {RETRY_AFTER}");
        Answer::busy(self.0, &sentence, COME_AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_go_in_a_few_wait_and_the_others_are_sent_away() {
        let gate = Gate::new("too_many");
        let mut turns = Vec::new();
        for _ in 0..MADE_AT_ONCE {
            turns.push(gate.enter().await.ok().unwrap());
        }
        let began = tokio::time::Instant::now();
        let late = join_all((0..MOST_WAITING + 7).map(|_| async {
            let entered = gate.enter().await.is_ok();
            (entered, began.elapsed())
        }))
        .await;
        let refused = |waited: Duration| late.iter().filter(|one| **one == (false, waited)).count();
        // Nobody left, so those who waited gave up; the others were told at once.
        assert_eq!((refused(LONGEST_WAIT), refused(Duration::ZERO)), (MOST_WAITING, 7));
        drop(turns.pop());
        assert!(gate.enter().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_let_in_as_soon_as_somebody_leaves() {
        let gate = Gate::new("too_many");
        let mut turns = Vec::new();
        for _ in 0..MADE_AT_ONCE {
            turns.push(gate.enter().await.ok().unwrap());
        }
        let (next, ()) = tokio::join!(gate.enter(), async { drop(turns.pop()) });
        assert!(next.is_ok());
    }
}
