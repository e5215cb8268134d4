//! Holds replies back for a fixed time, to a fraction of a millisecond: the timers of tokio count whole milliseconds,
//! which would add up to one to each of eight.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::sync::oneshot;

/// A delay that several connections share; it can be changed while they are in use. Clones are the same delay.
#[derive(Clone)]
pub(super) struct Delay {
    nanoseconds: Arc<AtomicU64>,
    waiting: mpsc::Sender<Waiting>,
}

struct Waiting {
    until: Instant,
    released: oneshot::Sender<()>,
}

impl Delay {
    /// Starts the thread that keeps the time; it ends with the last clone.
    pub(super) fn new(time: Duration) -> Result<Delay> {
        let (waiting, queue) = mpsc::channel();
        let keeper = thread::Builder::new().name("delay".to_owned());
        keeper.spawn(move || release_in_turn(&queue)).context("no thread can be started")?;
        let delay = Delay { nanoseconds: Arc::default(), waiting };
        delay.set(time);
        Ok(delay)
    }

    pub(super) fn set(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.store(nanoseconds, Ordering::Relaxed);
    }

    /// Each caller waits for itself: replies that come together are released together.
    pub(super) async fn wait(&self) {
        let time = Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed));
        if time.is_zero() {
            return;
        }
        let (released, release) = oneshot::channel();
        if self.waiting.send(Waiting { until: Instant::now() + time, released }).is_ok() {
            // An error means that the thread is gone, and with it the reason to wait.
            let _ = release.await;
        }
    }
}

/// As all wait equally long, the first to come is the first to go.
fn release_in_turn(queue: &mpsc::Receiver<Waiting>) {
    for Waiting { until, released } in queue {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            thread::park_timeout(left);
        }
        // Whoever has gone away needs no release.
        let _ = released.send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_millis(40);

    #[tokio::test]
    async fn nobody_is_released_early() -> Result<()> {
        let delay = Delay::new(TIME)?;
        let began = Instant::now();
        delay.wait().await;
        assert!(began.elapsed() >= TIME);
        Ok(())
    }

    /// One after the other, two hundred would take eight seconds.
    #[tokio::test]
    async fn those_who_wait_together_are_released_together() -> Result<()> {
        let delay = Delay::new(TIME)?;
        let began = Instant::now();
        futures_util::future::join_all((0..200).map(|_| delay.wait())).await;
        assert!(began.elapsed() < TIME * 200);
        Ok(())
    }

    #[tokio::test]
    async fn a_delay_can_be_switched_off() -> Result<()> {
        let delay = Delay::new(Duration::from_secs(3600))?;
        delay.set(Duration::ZERO);
        delay.wait().await;
        Ok(())
    }
}
