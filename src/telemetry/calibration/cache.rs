//! Calibrations of all devices, read in one query and kept for a while, so that a changed row takes effect without a
//! restart and the hot path makes no request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as Turn;
use tokio::time::Instant;

use super::source::{CalibrationSource, Calibrations};
use crate::primitives::chain::chain;
use crate::store::StoreError;

/// The share of an invocation's time that reading the calibrations again may take while earlier ones are known: then it
/// is no reason to fail a batch, and the commits need the rest.
const REFRESH: Duration = Duration::from_secs(3);

/// The last calibrations that were read, and when.
pub struct CalibrationCache {
    source: CalibrationSource,
    time_to_live: Duration,
    last: Mutex<Option<Read>>,
    /// Held while it is read, so that only one invocation reads at a time.
    turn: Turn<()>,
}

#[derive(Clone)]
struct Read {
    at: Instant,
    calibrations: Arc<Calibrations>,
}

impl CalibrationCache {
    /// An empty cache: the first batch loads it.
    pub fn new(source: CalibrationSource, time_to_live: Duration) -> CalibrationCache {
        CalibrationCache { source, time_to_live, last: Mutex::new(None), turn: Turn::new(()) }
    }

    /// The calibrations, at most `time_to_live` old. When the store does not answer soon, or while another invocation
    /// reads, the previous ones stay in force. When there are none yet, a failed read is an error: it does not mean that
    /// there is no calibration.
    ///
    /// # Errors
    /// [`StoreError`] only when none were ever read.
    pub async fn get(&self, deadline: Instant) -> Result<Arc<Calibrations>, StoreError> {
        let known = self.last().clone();
        if let Some(read) = &known
            && read.at.elapsed() < self.time_to_live
        {
            return Ok(Arc::clone(&read.calibrations));
        }
        match known {
            Some(previous) => Ok(self.refresh(previous, deadline).await),
            None => self.read_first(deadline).await,
        }
    }

    async fn refresh(&self, previous: Read, deadline: Instant) -> Arc<Calibrations> {
        let Ok(_turn) = self.turn.try_lock() else { return previous.calibrations };
        let deadline = deadline.min(Instant::now() + REFRESH);
        let calibrations = match self.source.read(deadline).await {
            Ok(fresh) => Arc::new(fresh),
            Err(error) => {
                let cause = chain(&error);
                tracing::warn!(
                    "calibrations could not be read again, the previous ones stay in force: {cause}"
                );
                previous.calibrations
            }
        };
        self.keep(Arc::clone(&calibrations));
        calibrations
    }

    async fn read_first(&self, deadline: Instant) -> Result<Arc<Calibrations>, StoreError> {
        let late = || StoreError::Unavailable("the calibrations were not read in time".into());
        let _turn = tokio::time::timeout_at(deadline, self.turn.lock()).await.map_err(|_| late())?;
        if let Some(read) = self.last().clone() {
            return Ok(read.calibrations);
        }
        let calibrations = Arc::new(self.source.read(deadline).await?);
        self.keep(Arc::clone(&calibrations));
        Ok(calibrations)
    }

    fn keep(&self, calibrations: Arc<Calibrations>) {
        *self.last() = Some(Read { at: Instant::now(), calibrations });
    }

    fn last(&self) -> MutexGuard<'_, Option<Read>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
