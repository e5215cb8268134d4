//! `EnvironmentEventTrigger`: a batch of telemetry. Anything but 2xx makes the host deliver the batch again, for ever.

use axum::http::StatusCode;

use crate::app::App;
use crate::host::answer::Answer;
use crate::host::envelope;
use crate::ingestion::Summary;

pub(crate) async fn run(app: &App, request: Vec<u8>) -> Answer {
    let batch = match envelope::read_batch(request) {
        Ok(batch) => batch,
        Err(error) => {
            tracing::error!("an invocation could not be read: {error}");
            return Answer::error(StatusCode::BAD_REQUEST, "bad_envelope", &error.to_string());
        }
    };
    let partition = batch.partition.clone();
    match app.ingest.run(batch, (app.invocations)()).await {
        Ok(summary) => {
            // The host logs the line with the invocation, so it is not printed as well.
            let line = log_line(partition.as_str(), &summary);
            if let Err(error) = &summary.push {
                tracing::warn!("{line}; screens were not told and catch up later: {error}");
            }
            Answer::json(StatusCode::OK, envelope::trigger_reply(&line))
        }
        Err(error) => {
            tracing::error!("partition {}: the batch failed and comes again: {error}", partition.as_str());
            Answer::error(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", &error.to_string())
        }
    }
}

fn log_line(partition: &str, summary: &Summary) -> String {
    let Summary { events, accepted, skipped, refused, devices, .. } = summary;
    format!(
        "partition {partition}: {events} events of {devices} devices, readings: {accepted} counted, \
         {skipped} known already, {refused} refused"
    )
}
