//! Measures the memory of a handler that knows many devices. It gets them as from the host: in batches of at most the
//! size in `host.json`.

use std::time::Duration;

use anyhow::Result;

use super::{
    backend::Backend,
    cell::{BenchPlan, Environment},
    figures::{MemoryFigure, Resident},
    handler::Handler,
    host_json::largest_batch,
    outcome::MeasurementOutcome,
    system::Candidate,
};
use crate::{
    text::{self, say},
    workspace::Workspace,
};

/// For one batch of the size that the host sends.
const PATIENCE: Duration = Duration::from_secs(60);

/// A round with all devices may take as long as this many of the longest batches.
const ROUND: u32 = 3;

/// One after the other, on canned services.
pub(super) async fn of(
    candidates: &[Candidate],
    plan: &BenchPlan,
    workspace: &Workspace,
) -> Result<Vec<MemoryFigure>> {
    let largest_batch = largest_batch(workspace)?;
    let mut found = Vec::new();
    for candidate in candidates.iter().filter(|candidate| plan.wants_memory(candidate.system)) {
        let (system, devices) = (candidate.system, plan.known.devices);
        say!("memory of {}", system.name());
        let outcome = measure(candidate, plan, largest_batch).await.unwrap_or_else(|error| {
            let reason = text::one_line(&error);
            say!("{} failed, memory: {reason}", system.name());
            MeasurementOutcome::Failed { reason }
        });
        found.push(MemoryFigure { system, devices, largest_batch, outcome });
    }
    Ok(found)
}

async fn measure(
    candidate: &Candidate,
    plan: &BenchPlan,
    largest_batch: usize,
) -> Result<MeasurementOutcome<Resident>> {
    let backend = Backend::start(Environment::Stub, plan.known).await?;
    let mut handler = Handler::start(candidate, &backend.settings()).await?;
    let (mut batches, mut rounds, mut spent) = (0, 0, Duration::ZERO);
    while !plan.known_rounds.enough(rounds, spent) {
        let slices = plan.known.slices(u32::try_from(rounds)?, largest_batch);
        let parts = u32::try_from(slices.len())?;
        for slice in slices {
            let took = handler.post(&slice, PATIENCE).await?;
            let expected = took * parts;
            if expected > plan.longest_batch * ROUND {
                let reason = format!("all devices would take about {:.0} s", expected.as_secs_f64());
                return Ok(MeasurementOutcome::LeftOut { reason });
            }
            batches += 1;
            spent += took;
        }
        rounds += 1;
    }
    let resident_bytes = handler.resident()?;
    handler.stop().await?;
    backend.check(u64::try_from(rounds)?).await?;
    Ok(MeasurementOutcome::Measured(Resident { batches, resident_bytes }))
}
