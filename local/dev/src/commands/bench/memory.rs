//! How much memory a handler takes that knows many devices. It learns of them as the host would tell it: in batches of
//! at most the size that `host.json` allows.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{
    backend::Backend,
    cell::{Environment, Plan},
    figures::{Memory, Outcome, Resident},
    handler::Handler,
    system::Candidate,
};
use crate::{
    text::{self, say},
    workspace::Workspace,
};

/// For one batch of the size that the host sends.
const PATIENCE: Duration = Duration::from_secs(60);

/// All devices once may take as long as so many of the longest batches.
const ROUND: u32 = 3;

/// One after the other, on canned services.
pub(super) async fn of(candidates: &[Candidate], plan: &Plan, workspace: &Workspace) -> Result<Vec<Memory>> {
    let largest_batch = largest_batch(workspace)?;
    let mut found = Vec::new();
    for candidate in candidates.iter().filter(|candidate| plan.wants_memory(candidate.system)) {
        let (system, devices) = (candidate.system, plan.known.devices);
        say!("memory of {}", system.name());
        let outcome = measure(candidate, plan, largest_batch).await.unwrap_or_else(|error| {
            let reason = text::one_line(&error);
            say!("{} failed, memory: {reason}", system.name());
            Outcome::Failed { reason }
        });
        found.push(Memory { system, devices, largest_batch, outcome });
    }
    Ok(found)
}

async fn measure(candidate: &Candidate, plan: &Plan, largest_batch: usize) -> Result<Outcome<Resident>> {
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
                return Ok(Outcome::LeftOut { reason });
            }
            batches += 1;
            spent += took;
        }
        rounds += 1;
    }
    let resident_bytes = handler.resident()?;
    handler.stop().await?;
    backend.check(u64::try_from(rounds)?).await?;
    Ok(Outcome::Measured(Resident { batches, resident_bytes }))
}

/// What this app's host may put into one invocation.
pub(super) fn largest_batch(workspace: &Workspace) -> Result<usize> {
    let text = fs::read(workspace.root.join("host.json")).context("host.json cannot be read")?;
    let settings: Value = serde_json::from_slice(&text).context("host.json is not JSON")?;
    let size = settings.pointer("/extensions/eventHubs/maxEventBatchSize").and_then(Value::as_u64);
    let size = size.context("host.json does not say extensions.eventHubs.maxEventBatchSize")?;
    Ok(usize::try_from(size)?)
}
