//! Measures what batches cost that are made to cost much: as many bytes as the host sends at once, of nothing but readings
//! that are rejected or say nothing. Each on a fresh handler and a fresh Azurite.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::{
    backend::Backend,
    cell::{BenchPlan, Environment},
    handler::Handler,
    outcome::MeasurementOutcome,
    statistics::{Milliseconds, milliseconds},
    system::{Candidate, System},
    workload::batch_of,
};
use crate::text::{self, say};

/// Longer than an invocation of the handler, which gives up by itself.
const PATIENCE: Duration = Duration::from_secs(120);

/// Bytes of most bodies: what one device can send day and night.
const BODY: usize = 40 * 1024;

/// Elements of a body that are looked at one by one; a body with more is rejected as one.
const MOST_ELEMENTS: usize = 20_000;

/// What the bodies of a batch hold, and the element that they repeat; bodies of no array repeat a text.
const CONTENTS: [(&str, &str); 5] = [
    ("[5,5,...]", "5"),
    ("[{},{},...]", "{}"),
    ("readings out of range", r#"{"temperature":999}"#),
    ("waveforms of 5,000 samples", "0.1234"),
    ("garbage", ""),
];

/// A batch of one content.
#[derive(Serialize)]
pub(super) struct HostileFigure {
    pub(super) content: &'static str,
    pub(super) outcome: MeasurementOutcome<Hostile>,
}

/// What it took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Hostile {
    pub(super) bodies: usize,
    /// Bytes of the request with the batch.
    pub(super) request_bytes: u64,
    pub(super) milliseconds: Milliseconds,
    /// The most memory that the handler ever had.
    pub(super) peak_bytes: u64,
}

/// One after the other; of fieldcast alone, since the others keep nothing of such bodies.
pub(super) async fn of(candidates: &[Candidate], plan: &BenchPlan) -> Vec<HostileFigure> {
    let mut found = Vec::new();
    for candidate in candidates.iter().filter(|candidate| candidate.system == System::Fieldcast) {
        for (content, element) in CONTENTS.into_iter().filter(|(content, _)| plan.wants_hostile(content)) {
            say!("a batch of {content}");
            let outcome = match measure(candidate, plan, element).await {
                Ok(hostile) => MeasurementOutcome::Measured(hostile),
                Err(error) => {
                    let reason = text::one_line(&error);
                    say!("a batch of {content} failed: {reason}");
                    MeasurementOutcome::Failed { reason }
                }
            };
            found.push(HostileFigure { content, outcome });
        }
    }
    found
}

async fn measure(candidate: &Candidate, plan: &BenchPlan, element: &str) -> Result<Hostile> {
    let backend = Backend::start(Environment::Azurite, plan.known).await?;
    let mut handler = Handler::start(candidate, &backend.settings()).await?;
    let body = body(element);
    // The host sends at most a thousand events.
    let bodies = (plan.hostile_bytes / body.len()).clamp(1, 1_000);
    let batch = batch_of(&vec![body; bodies]);
    let took = handler.post(&batch, PATIENCE).await?;
    let peak_bytes = handler.peak()?;
    handler.stop().await?;
    let request_bytes = u64::try_from(batch.len())?;
    Ok(Hostile { bodies, request_bytes, milliseconds: milliseconds(took), peak_bytes })
}

fn body(element: &str) -> Vec<u8> {
    let array = |count: usize| format!("[{}]", vec![element; count].join(",")).into_bytes();
    match element {
        "" => b"garbage ".repeat(BODY / 8),
        "0.1234" => array(5_000),
        _ => array(((BODY - 2) / (element.len() + 1)).min(MOST_ELEMENTS)),
    }
}
