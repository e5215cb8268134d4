//! How one call of the store travels: it is sent, it is done later or never, and it is answered later or never.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use crate::plan::{Fault, StoreCall, StoreTrouble};
use crate::world::World;

/// Writes of one handler that it has not heard of yet.
#[derive(Default)]
pub(crate) struct Writes {
    sent: AtomicUsize,
    done: AtomicUsize,
}

impl Writes {
    /// What a handler that dies now leaves behind.
    pub(crate) fn left_behind(&self) -> Option<&'static str> {
        match (self.done.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed)) {
            (0, 0) => None,
            (0, _) => Some("kills while a write was on its way"),
            _ => Some("kills between a write and its answer"),
        }
    }
}

/// What the sender hears.
pub(super) enum Answer<T> {
    Done(T),
    /// 503, nothing done.
    Unavailable,
    /// The connection broke.
    Broken,
}

/// A call on its way.
pub(super) struct Journey {
    there: Duration,
    back: Duration,
    trouble: Option<StoreTrouble>,
}

impl Journey {
    pub(super) fn new(world: &World, call: StoreCall) -> Journey {
        let (number, trouble) = world.faults.store_call(call);
        if let Some(trouble) = trouble {
            world.injected(Fault::Store { call, number, trouble }.kind());
        }
        let mut dice = world.dice("latency", number.wrapping_mul(8) + call as u64);
        let mut some = || Duration::from_millis(dice.between(1, 12));
        Journey { there: some(), back: some(), trouble }
    }

    /// There, the work, and back; `None` when no answer ever comes. `work` is told of the trouble that it has to meet.
    pub(super) async fn travel<T, W: Future<Output = T>>(
        self,
        world: &World,
        writes: Option<&Writes>,
        work: impl FnOnce(Option<StoreTrouble>) -> W,
    ) -> Option<Answer<T>> {
        let sent = writes.map(|writes| Counted::new(&writes.sent));
        sleep(self.there).await;
        if let Some(StoreTrouble::Late(delay)) = self.trouble {
            sleep(Duration::from_millis(delay)).await;
        }
        if let Some(kind) = world.faults.store_outage(world.now()) {
            world.injected(kind);
            return (kind == "store: outage, 503").then_some(Answer::Unavailable);
        }
        match self.trouble {
            Some(StoreTrouble::TimeoutBefore) => return None,
            Some(StoreTrouble::Unavailable) => {
                sleep(self.back).await;
                return Some(Answer::Unavailable);
            }
            _ => {}
        }
        let result = work(self.trouble).await;
        let done = writes.map(|writes| Counted::new(&writes.done));
        sleep(self.back).await;
        if let Some(StoreTrouble::SlowAnswer(delay)) = self.trouble {
            sleep(Duration::from_millis(delay)).await;
        }
        drop((sent, done));
        match self.trouble {
            Some(StoreTrouble::TimeoutAfter) => None,
            Some(StoreTrouble::LostAnswer) => Some(Answer::Broken),
            _ => Some(Answer::Done(result)),
        }
    }
}

/// Counts while it lives.
struct Counted<'a>(&'a AtomicUsize);

impl Counted<'_> {
    fn new(counter: &AtomicUsize) -> Counted<'_> {
        counter.fetch_add(1, Ordering::Relaxed);
        Counted(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
