//! Takes a message of an authenticated device into its partition, for every transport. Returns when the event is
//! stored, so that the transport can acknowledge it.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;

use crate::config::MESSAGE_SIZE_LIMIT;
use crate::faults::{FaultPoint, Faults};
use crate::identity::Sender;
use crate::message::{Message, UnnumberedEvent};
use crate::partition::{AppendError, Partition};
use crate::refusal::Refusal;
use crate::throttle::RateLimiter;

/// Applies limits and faults to messages, stamps them, chooses the partition and stores them.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) partitions: Vec<Arc<Partition>>,
    pub(crate) faults: Faults,
    limit: Option<Mutex<RateLimiter>>,
}

impl Intake {
    pub(crate) fn new(partitions: Vec<Arc<Partition>>, sends_per_second: Option<NonZeroU32>) -> Intake {
        let limit = sends_per_second.map(|rate| Mutex::new(RateLimiter::new(rate, Instant::now())));
        Intake { partitions, faults: Faults::default(), limit }
    }

    /// Stores the messages of one send, all or none, in order.
    ///
    /// # Errors
    /// The reason why none of them was stored. Only with [`Refusal::Injected`] they may have been stored all the same.
    pub(crate) async fn accept(&self, sender: &Sender, messages: &[Message]) -> Result<(), Refusal> {
        self.throttle()?;
        expect_sizes(messages)?;
        let (delay, failure) = self.faults.next_send();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match failure {
            None => self.store(sender, messages).await,
            Some(fault) => {
                if fault.point == FaultPoint::AfterStored {
                    self.store(sender, messages).await?;
                }
                Err(Refusal::Injected(fault.status))
            }
        }
    }

    /// Events stored since the start.
    pub(crate) fn accepted(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.accepted()).sum()
    }

    async fn store(&self, sender: &Sender, messages: &[Message]) -> Result<(), Refusal> {
        let now = Timestamp::now();
        let events: Vec<UnnumberedEvent> =
            messages.iter().map(|message| message.stamp(sender, now)).collect();
        let partition = &self.partitions[sender.device.partition(self.partitions.len())];
        partition.append(events).await.map_err(refused)
    }

    fn throttle(&self) -> Result<(), Refusal> {
        let Some(limit) = &self.limit else { return Ok(()) };
        let mut limiter = limit.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.take(Instant::now()).map_err(|wait| Refusal::Throttled { seconds: wait.as_secs() + 1 })
    }
}

fn expect_sizes(messages: &[Message]) -> Result<(), Refusal> {
    match messages.iter().any(|message| message.size() > MESSAGE_SIZE_LIMIT) {
        true => Err(Refusal::TooLarge),
        false => Ok(()),
    }
}

fn refused(error: AppendError) -> Refusal {
    match error {
        AppendError::Full => Refusal::Throttled { seconds: 1 },
        AppendError::Closed => Refusal::Unavailable("the hub is stopping"),
        AppendError::Disk => Refusal::Unavailable("the hub cannot write its log: is the disk full?"),
    }
}
