//! Calibrations of all devices, read in one query and kept for a while, so that a changed row takes effect without a
//! restart and the hot path makes no request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Calibration;
use crate::primitives::ids::DeviceId;
use crate::store::{StateStore, StoreError};

/// Every device's calibration; a device without a row has none.
pub type Calibrations = HashMap<DeviceId, Calibration>;

/// The last answer of the store and when it was given. One invocation refreshes, the others wait for it.
pub struct CalibrationCache {
    time_to_live: Duration,
    last: Mutex<Option<(Instant, Arc<Calibrations>)>>,
}

impl CalibrationCache {
    /// An empty cache: the first batch loads it.
    pub fn new(time_to_live: Duration) -> CalibrationCache {
        CalibrationCache { time_to_live, last: Mutex::new(None) }
    }

    /// The calibrations, at most `time_to_live` old. When the store does not answer, the previous ones stay in force;
    /// when there are none yet, that is an error: a failed read does not mean that there is no calibration.
    pub async fn get(
        &self,
        store: &dyn StateStore,
        deadline: Instant,
    ) -> Result<Arc<Calibrations>, StoreError> {
        let mut last = self.last.lock().await;
        if let Some((read_at, known)) = &*last
            && read_at.elapsed() < self.time_to_live
        {
            return Ok(Arc::clone(known));
        }
        match (store.calibrations(deadline).await, &mut *last) {
            (Ok(fresh), slot) => {
                let fresh = Arc::new(fresh);
                *slot = Some((Instant::now(), Arc::clone(&fresh)));
                Ok(fresh)
            }
            (Err(error), Some((read_at, known))) => {
                tracing::warn!(error = %error, "calibrations could not be read again, the previous ones stay in force");
                *read_at = Instant::now();
                Ok(Arc::clone(known))
            }
            (Err(error), None) => Err(error),
        }
    }
}
