//! `EnvironmentEventTrigger`: a batch of telemetry. Anything but 2xx makes the host deliver the batch again, for ever.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;

use crate::host::answer::Answer;
use crate::host::envelope;
use crate::ingestion::{Ingest, NewInvocation, Summary};
use crate::primitives::chain::chain;
use crate::primitives::ids::HubPartition;

/// What the trigger works with.
pub(crate) struct Trigger {
    pub(crate) ingest: Ingest,
    /// The moment and the dice of each batch.
    pub(crate) new_invocation: NewInvocation,
    pub(crate) new_streams: NewStreams,
}

impl Trigger {
    pub(crate) async fn answer(&self, request: Vec<u8>) -> Answer {
        let batch = match envelope::read_batch(request) {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!("an invocation could not be read: {error}");
                return Answer::error(StatusCode::BAD_REQUEST, "bad_envelope", &error.to_string());
            }
        };
        let partition = batch.partition.clone();
        match self.ingest.run(batch, (self.new_invocation)()).await {
            Ok(summary) => {
                // The host logs the line with the invocation, so it is not printed as well.
                let line = log_line(partition.as_str(), &summary);
                if let Err(error) = &summary.push {
                    tracing::warn!("{line}; screens were not told and catch up later: {error}");
                }
                if summary.noted.new_streams > 0 && self.new_streams.is_first_of(&partition) {
                    let partition = partition.as_str();
                    tracing::warn!(
                        "partition {partition}: its numbers begin again, so its hub was deleted and made again under the \
                         same name; its events are counted as new ones"
                    );
                }
                Answer::json(StatusCode::OK, envelope::trigger_reply(&line))
            }
            Err(error) => {
                let cause = chain(&error);
                tracing::error!(
                    "partition {}: the batch failed and comes again: {cause}",
                    partition.as_str()
                );
                // The host does not read it, and who posts by hand may be anybody.
                let sentence =
                    "the batch could not be counted and may be sent again; the log of the app says why";
                Answer::error(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", sentence)
            }
        }
    }
}

fn log_line(partition: &str, summary: &Summary) -> String {
    let Summary { events, accepted, skipped, rejected, devices, .. } = summary;
    let mut line = format!(
        "partition {partition}: {events} events of {devices} devices, readings: {accepted} counted, \
         {skipped} known already, {rejected} rejected"
    );
    if summary.noted.not_telemetry > 0 {
        line.push_str(&format!("; not telemetry: {} events", summary.noted.not_telemetry));
    }
    if summary.noted.absurd_clocks > 0 {
        line.push_str(&format!("; clocks not believed: {} readings", summary.noted.absurd_clocks));
    }
    line
}

/// Partitions of which it was said that their numbers begin again: every device that speaks next finds it out.
#[derive(Default)]
pub(crate) struct NewStreams(Mutex<BTreeSet<HubPartition>>);

impl NewStreams {
    fn is_first_of(&self, partition: &HubPartition) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(partition.clone())
    }
}
