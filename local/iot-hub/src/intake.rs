//! The way of a message from an authenticated device into its partition, for every transport. Returns only when the
//! event is stored, so that a transport may acknowledge.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;

use crate::door::Sender;
use crate::faults::{FaultPoint, Faults};
use crate::message::{Draft, Message, SIZE_LIMIT};
use crate::partition::{AppendError, Partition};
use crate::refusal::Refusal;
use crate::throttle::Bucket;

/// Takes messages in: limits, faults, stamping, choice of the partition, storing.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) partitions: Vec<Arc<Partition>>,
    pub(crate) faults: Faults,
    limit: Option<Mutex<Bucket>>,
}

impl Intake {
    pub(crate) fn new(partitions: Vec<Arc<Partition>>, sends_per_second: Option<NonZeroU32>) -> Intake {
        let limit = sends_per_second.map(|rate| Mutex::new(Bucket::new(rate, Instant::now())));
        Intake { partitions, faults: Faults::default(), limit }
    }

    /// Stores the messages of one send, all or none, in order.
    ///
    /// # Errors
    /// The reason why none of them was stored; [`Refusal::Injected`] may also stand for "stored, but say no".
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
        let drafts: Vec<Draft> = messages.iter().map(|message| message.stamp(sender, now)).collect();
        let partition = &self.partitions[sender.device.partition(self.partitions.len())];
        partition.append(drafts).await.map_err(refused)
    }

    fn throttle(&self) -> Result<(), Refusal> {
        let Some(limit) = &self.limit else { return Ok(()) };
        let mut bucket = limit.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(Instant::now()).map_err(|wait| Refusal::Throttled { seconds: wait.as_secs() + 1 })
    }
}

fn expect_sizes(messages: &[Message]) -> Result<(), Refusal> {
    match messages.iter().any(|message| message.size() > SIZE_LIMIT) {
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
