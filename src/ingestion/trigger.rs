//! `EnvironmentEventTrigger`: a batch of telemetry. Anything but 2xx makes the host deliver the batch again, for ever.

use axum::http::StatusCode;

use crate::host::answer::Answer;
use crate::host::envelope;
use crate::ingestion::{Ingest, NewInvocation, Summary};
use crate::primitives::chain::chain;

/// What the trigger works with.
pub(crate) struct Trigger {
    pub(crate) ingest: Ingest,
    /// The moment and the dice of each batch.
    pub(crate) new_invocation: NewInvocation,
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
    format!(
        "partition {partition}: {events} events of {devices} devices, readings: {accepted} counted, \
         {skipped} known already, {rejected} rejected"
    )
}
