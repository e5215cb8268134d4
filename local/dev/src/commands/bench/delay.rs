//! Delays replies by a fixed time, exact to a fraction of a millisecond: tokio's timers count whole milliseconds,
//! which could add one to each delay of eight.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::sync::oneshot;

/// A delay that several connections share. It can be changed while they are in use, and clones share it.
#[derive(Clone)]
pub(super) struct Delay {
    nanoseconds: Arc<AtomicU64>,
    waiting: mpsc::Sender<Waiting>,
    keeper: Thread,
}

struct Waiting {
    since: Instant,
    released: oneshot::Sender<()>,
}

impl Delay {
    /// Starts the thread that measures the time. It ends with the last clone.
    pub(super) fn new(time: Duration) -> Result<Delay> {
        let (waiting, queue) = mpsc::channel();
        let nanoseconds = Arc::new(AtomicU64::new(in_nanoseconds(time)));
        let time = Arc::clone(&nanoseconds);
        let keeper = thread::Builder::new().name("delay".to_owned());
        let keeper =
            keeper.spawn(move || release_in_turn(&queue, &time)).context("no thread can be started")?;
        Ok(Delay { nanoseconds, waiting, keeper: keeper.thread().clone() })
    }

    /// Changes the delay, also for callers that wait already.
    pub(super) fn set(&self, time: Duration) {
        self.nanoseconds.store(in_nanoseconds(time), Ordering::Relaxed);
        self.keeper.unpark();
    }

    /// Waits for the delay. Callers wait independently: replies that arrive together are released together.
    pub(super) async fn wait(&self) {
        if self.nanoseconds.load(Ordering::Relaxed) == 0 {
            return;
        }
        let (released, release) = oneshot::channel();
        if self.waiting.send(Waiting { since: Instant::now(), released }).is_ok() {
            // Fails when the thread has ended, and then there is no delay any more.
            let _ = release.await;
        }
    }
}

fn in_nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// All wait equally long, so the first to arrive is the first to be released.
fn release_in_turn(queue: &mpsc::Receiver<Waiting>, time: &AtomicU64) {
    for Waiting { since, released } in queue {
        loop {
            let time = Duration::from_nanos(time.load(Ordering::Relaxed));
            let left = time.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            thread::park_timeout(left);
        }
        // Fails when the caller is gone, which needs no release.
        let _ = released.send(());
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future};
    use tokio::time::timeout;

    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);
    /// Time for what happens at once, unless it fails.
    const DEADLINE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_wait_ends_by_itself() -> Result<()> {
        let delay = Delay::new(Duration::from_millis(1))?;
        Ok(timeout(DEADLINE, delay.wait()).await?)
    }

    #[tokio::test]
    async fn nobody_is_released_early_and_everybody_when_the_delay_is_switched_off() -> Result<()> {
        let delay = Delay::new(HOUR)?;
        let mut waits: Vec<_> = (0..200).map(|_| Box::pin(delay.wait())).collect();
        let early = waits.iter_mut().filter_map(|wait| wait.now_or_never());
        assert_eq!(early.count(), 0);
        delay.set(Duration::ZERO);
        timeout(DEADLINE, future::join_all(waits)).await?;
        timeout(DEADLINE, delay.wait()).await?;
        Ok(())
    }

    /// The delays run at the same time: one after the other they would take hours.
    #[tokio::test]
    async fn everybody_waits_from_the_own_beginning() -> Result<()> {
        let (waiting, queue) = mpsc::channel();
        let long_ago = Instant::now().checked_sub(HOUR * 2).context("the clock began an hour ago")?;
        let mut releases = Vec::new();
        for _ in 0..3 {
            let (released, release) = oneshot::channel();
            waiting.send(Waiting { since: long_ago, released }).context("the queue is gone")?;
            releases.push(release);
        }
        let keeper = move || release_in_turn(&queue, &AtomicU64::new(in_nanoseconds(HOUR)));
        thread::spawn(keeper);
        timeout(DEADLINE, future::try_join_all(releases)).await??;
        Ok(())
    }
}
