//! A system that is measured with one shape: its own services, and its samples so far.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{
    backend::Backend,
    cell::{Cell, MANY, Rounds, Temperature},
    figures::{Figure, Measured, Samples},
    handler::Handler,
    outcome::MeasurementOutcome,
    system::Candidate,
    workload::Shape,
};
use crate::text::{self, say};

/// More than the slowest batch of a full run takes: 10,000 readings one after the other, with two requests of 8 ms
/// each.
const LONGEST_POST: Duration = Duration::from_secs(20 * 60);

/// Azurite needs longer for 10,000 new rows at once than its clients wait.
const SLICE: usize = 1_000;

pub(super) struct Contender<'a> {
    candidate: &'a Candidate,
    backend: Backend,
    shape: Shape,
    cells: Vec<Cell>,
    handler: Option<Handler>,
    /// The batches of this shape that were sent so far.
    batches: u64,
    warm_ups: Vec<Duration>,
    cold: Samples,
    warm: Samples,
    /// The handler's processor time at the start of the warm rounds.
    processor_before: Duration,
    failure: Option<String>,
    resident: Option<u64>,
}

impl<'a> Contender<'a> {
    /// Starts the services for `cells`, which are those of one environment and shape.
    pub(super) async fn new(candidate: &'a Candidate, cells: Vec<Cell>) -> Result<Contender<'a>> {
        let Cell { environment, shape, .. } = *cells.first().context("a contender needs a cell")?;
        Ok(Contender {
            candidate,
            backend: Backend::start(environment, shape).await?,
            shape,
            cells,
            handler: None,
            batches: 0,
            warm_ups: Vec::new(),
            cold: Samples::default(),
            warm: Samples::default(),
            processor_before: Duration::ZERO,
            failure: None,
            resident: None,
        })
    }

    fn name(&self) -> &'static str {
        self.candidate.system.name()
    }

    /// Notes a failure: the system is not measured any further with this shape, and the others continue.
    pub(super) fn note(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            let reason = text::one_line(&error);
            say!(
                "{} failed, {}/{}: {reason}",
                self.name(),
                self.cells[0].environment.name(),
                self.shape.name()
            );
            self.backend.remove_delay();
            self.failure = Some(reason);
        }
    }

    pub(super) fn measures(&self, temperature: Temperature) -> bool {
        self.failure.is_none() && self.cells.iter().any(|cell| cell.temperature == temperature)
    }

    fn samples(&mut self, temperature: Temperature) -> &mut Samples {
        match temperature {
            Temperature::Cold => &mut self.cold,
            Temperature::Warm => &mut self.warm,
        }
    }

    /// Whether the system needs another round.
    pub(super) fn lacks(&self, temperature: Temperature, rounds: Rounds) -> bool {
        let samples = match temperature {
            Temperature::Cold => &self.cold,
            Temperature::Warm => &self.warm,
        };
        self.measures(temperature) && !rounds.enough(samples.took.len(), samples.took.iter().sum())
    }

    pub(super) fn lacks_warmth(&self, rounds: Rounds) -> bool {
        self.measures(Temperature::Warm) && !rounds.enough(self.warm_ups.len(), self.warm_ups.iter().sum())
    }

    /// Writes the rows into the table, by the system itself. The canned table has them already.
    pub(super) async fn seed(&mut self) -> Result<()> {
        if !self.cells[0].environment.is_azurite() {
            return Ok(());
        }
        self.start().await?;
        for slice in self.shape.slices(0, SLICE) {
            self.handler()?.post(&slice, LONGEST_POST).await?;
        }
        self.batches += 1;
        self.stop().await
    }

    pub(super) async fn cold_round(&mut self, batch: &[u8]) -> Result<()> {
        self.stop().await?;
        self.start().await?;
        self.backend.apply_delay();
        let before = self.handler()?.processor_time()?;
        self.sample(Temperature::Cold, batch).await?;
        let after = self.handler()?.processor_time()?;
        self.cold.processor += after - before;
        self.backend.remove_delay();
        Ok(())
    }

    pub(super) async fn warm_up_round(&mut self, batch: &[u8]) -> Result<()> {
        if self.handler.is_none() {
            self.start().await?;
        }
        let took = self.post(batch).await?;
        self.warm_ups.push(took);
        Ok(())
    }

    pub(super) fn begin_warm(&mut self) -> Result<()> {
        self.backend.apply_delay();
        self.processor_before = self.handler()?.processor_time()?;
        Ok(())
    }

    pub(super) async fn warm_round(&mut self, batch: &[u8]) -> Result<()> {
        self.sample(Temperature::Warm, batch).await
    }

    /// The time between the batches counts too: it is used for garbage collection, for example.
    pub(super) fn end_warm(&mut self) -> Result<()> {
        self.warm.processor = self.handler()?.processor_time()? - self.processor_before;
        if self.shape == MANY {
            self.resident = Some(self.handler()?.resident()?);
        }
        self.backend.remove_delay();
        Ok(())
    }

    /// Checks that all readings have arrived, then ends handler and services.
    pub(super) async fn into_figures(mut self) -> Result<Vec<Figure>> {
        self.stop().await?;
        if self.failure.is_none() {
            let checked = self.backend.check(self.batches).await;
            self.note(checked);
        }
        Ok(self.cells.iter().map(|cell| Figure::new(*cell, self.outcome(cell.temperature))).collect())
    }

    fn outcome(&self, temperature: Temperature) -> MeasurementOutcome<Measured> {
        if let Some(reason) = &self.failure {
            return MeasurementOutcome::Failed { reason: reason.clone() };
        }
        let (samples, resident) = match temperature {
            Temperature::Cold => (&self.cold, None),
            Temperature::Warm => (&self.warm, self.resident),
        };
        MeasurementOutcome::Measured(Measured::of(samples, self.shape, resident))
    }

    async fn start(&mut self) -> Result<()> {
        self.handler = Some(Handler::start(self.candidate, &self.backend.settings()).await?);
        Ok(())
    }

    async fn stop(&mut self) -> Result<()> {
        match self.handler.take() {
            Some(handler) => handler.stop().await,
            None => Ok(()),
        }
    }

    fn handler(&mut self) -> Result<&mut Handler> {
        self.handler.as_mut().context("the handler is not running")
    }

    async fn post(&mut self, batch: &[u8]) -> Result<Duration> {
        self.batches += 1;
        self.handler()?.post(batch, LONGEST_POST).await
    }

    async fn sample(&mut self, temperature: Temperature, batch: &[u8]) -> Result<()> {
        let before = self.backend.requests();
        let took = self.post(batch).await?;
        let after = self.backend.requests();
        let samples = self.samples(temperature);
        samples.took.push(took);
        samples.storage_requests.push(after.storage - before.storage);
        samples.signalr_requests.push(after.signalr - before.signalr);
        Ok(())
    }
}
