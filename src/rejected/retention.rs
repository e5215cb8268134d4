//! `RejectedRetention`: a timer function that deletes rejected readings older than `RejectedDays`. A tick may come twice,
//! late or not at all: each deletes what is too old by then, as far as its time allows.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::Instant;

use super::rows::{Deleted, RejectedRows};
use crate::host::answer::Answer;
use crate::host::envelope;
use crate::primitives::chain::chain;
use crate::primitives::instant::Millis;

/// How long a tick works: an invocation's 30 seconds, less what an answer needs.
const TIME: Duration = Duration::from_secs(25);

/// How long rejected readings are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// They are never deleted.
    Forever,
    /// Until so many days after the hub enqueued them; where that is not known, after they were rejected.
    Days(NonZeroU32),
}

impl Retention {
    /// The retention of a number of days, of which 0 means for ever.
    pub fn of_days(days: u32) -> Retention {
        NonZeroU32::new(days).map_or(Retention::Forever, Retention::Days)
    }

    /// What was rejected before this moment is too old; `None` where nothing ever is.
    pub fn end(self, now: Millis) -> Option<Millis> {
        const DAY: i64 = 24 * 60 * 60 * 1_000;
        match self {
            Retention::Forever => None,
            Retention::Days(days) => Some(Millis(now.0.saturating_sub(i64::from(days.get()) * DAY))),
        }
    }
}

/// What the function works with.
pub(crate) struct RejectedRetention {
    pub(crate) rows: Arc<RejectedRows>,
    pub(crate) retention: Retention,
    /// What time it is.
    pub(crate) clock: Arc<dyn Fn() -> Millis + Send + Sync>,
}

impl RejectedRetention {
    /// Answers a tick. Of a failure the host tells in its log; the next tick does what this one did not.
    pub(crate) async fn answer(&self) -> Answer {
        let Some(before) = self.retention.end((self.clock)()) else {
            let line = "rejected readings are kept for ever (RejectedDays is 0)";
            return Answer::json(StatusCode::OK, envelope::trigger_reply(line));
        };
        match self.rows.delete_before(before, Instant::now() + TIME).await {
            Ok(deleted) => Answer::json(StatusCode::OK, envelope::trigger_reply(&log_line(before, deleted))),
            Err(error) => {
                let cause = chain(&error);
                tracing::error!("old rejected readings were not deleted, the next tick tries again: {cause}");
                let sentence = "old rejected readings were not deleted; the next tick tries again";
                Answer::error(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", sentence)
            }
        }
    }
}

fn log_line(before: Millis, deleted: Deleted) -> String {
    let rest = if deleted.is_complete { "" } else { "; incomplete, the next tick goes on" };
    format!("{} rows of readings rejected before {} were deleted{rest}", deleted.rows, before.to_text())
}

#[cfg(test)]
mod tests;
