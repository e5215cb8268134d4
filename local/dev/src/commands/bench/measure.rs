//! Measures the cells of one shape in one environment: all systems take their turns in each round, so that whatever
//! else the machine does meets them alike.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{
    backend::Backend,
    cell::{Cell, Environment, MANY, Plan, Rounds, Temperature, USUAL},
    figures::{Figure, Measured, Outcome, Samples},
    handler::Handler,
    system::{Candidate, System},
    workload::Shape,
};
use crate::text::{self, say};

/// Longer than the slowest batch of a full run takes: 10,000 readings one after the other, 8 ms for each of two requests.
const LONGEST_POST: Duration = Duration::from_secs(20 * 60);

/// Measures every wanted cell of an environment.
pub(super) async fn environment(
    environment: Environment,
    candidates: &[Candidate],
    plan: &Plan,
) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut backends = Vec::new();
    for candidate in candidates {
        let wanted = plan
            .shapes
            .iter()
            .any(|&shape| temperatures(environment, shape, candidate.system).any(|cell| plan.wants(cell)));
        if wanted {
            backends.push((candidate, Backend::start(environment).await?));
        }
    }
    for &shape in plan.shapes {
        let began = Instant::now();
        let mut contenders = Vec::new();
        for (candidate, backend) in &mut backends {
            backend.prepare(shape).await?;
            let cells = temperatures(environment, shape, candidate.system).filter(|&cell| plan.wants(cell));
            let mut contender = Contender::new(candidate, backend, shape);
            for cell in cells {
                match too_slow(cell, &figures, plan) {
                    None => contender.cells.push(cell),
                    Some(reason) => figures.push(Figure::new(cell, Outcome::LeftOut { reason })),
                }
            }
            if !contender.cells.is_empty() {
                contenders.push(contender);
            }
        }
        let measured = shape_in_turn(shape, contenders, plan).await;
        figures.extend(measured.with_context(|| format!("{}/{}", environment.name(), shape.name()))?);
        say!(
            "{}, batches of {}: {:.1} s",
            environment.described(),
            shape.name(),
            began.elapsed().as_secs_f64()
        );
    }
    Ok(figures)
}

fn temperatures(environment: Environment, shape: Shape, system: System) -> impl Iterator<Item = Cell> {
    [Temperature::Cold, Temperature::Warm].into_iter().map(move |temperature| Cell {
        environment,
        shape,
        temperature,
        system,
    })
}

/// Why a cell is left out: by the speed of the system's largest cell so far, its batch would take too long. A cell
/// that a budget is about is measured all the same.
fn too_slow(cell: Cell, figures: &[Figure], plan: &Plan) -> Option<String> {
    let budgeted = Cell {
        environment: Environment::AzuriteDelayed,
        shape: USUAL,
        temperature: Temperature::Warm,
        system: System::PythonPredecessor,
    };
    let alike = figures
        .iter()
        .filter(|figure| figure.cell.system == cell.system && figure.cell.temperature == cell.temperature);
    // A batch of one event is all fixed costs, which say nothing about more of them.
    let largest = alike
        .filter(|figure| figure.cell.shape.events > 1)
        .filter_map(|figure| Some((figure.cell.shape, figure.measured()?.milliseconds)))
        .max_by_key(|(shape, _)| (shape.devices, shape.events))?;
    let (shape, milliseconds) = largest;
    let times = |of: fn(Shape) -> u32| (f64::from(of(cell.shape)) / f64::from(of(shape))).max(1.0);
    let (events, devices) = (times(|shape| shape.events), times(|shape| shape.devices));
    // Azurite finds a row by looking through its partition, which is felt from about a thousand rows on.
    let searched = cell.environment.is_azurite() && cell.shape.devices > 1_000;
    let factor = if searched { events.max(devices * devices) } else { events.max(devices) };
    let expected = milliseconds * factor / 1000.0;
    let longest = plan.longest_batch.as_secs_f64();
    (expected > longest && cell != budgeted).then(|| format!("a batch would take about {expected:.0} s"))
}

/// A system with the services of its own.
struct Contender<'a> {
    candidate: &'a Candidate,
    backend: &'a Backend,
    shape: Shape,
    cells: Vec<Cell>,
    handler: Option<Handler>,
    /// Batches that this shape's rows have been sent so far.
    batches: u64,
    warm_ups: Vec<Duration>,
    cold: Samples,
    warm: Samples,
    /// Processor time when the warm rounds began.
    processor_before: Duration,
    failure: Option<String>,
    resident: Option<u64>,
}

/// Numbers the batches of a shape, so that all systems get the same ones.
struct Batches {
    shape: Shape,
    next: u32,
}

impl Batches {
    fn next(&mut self) -> Vec<u8> {
        let batch = self.shape.batch(self.next);
        self.next += 1;
        batch
    }
}

async fn shape_in_turn(shape: Shape, mut contenders: Vec<Contender<'_>>, plan: &Plan) -> Result<Vec<Figure>> {
    let mut batches = Batches { shape, next: 1 };
    seed(&mut contenders).await;
    cold(&mut contenders, &mut batches, plan.cold).await;
    warm_up(&mut contenders, &mut batches, plan.warm_up).await;
    warm(&mut contenders, &mut batches, plan.warm).await;
    let mut figures = Vec::new();
    for mut contender in contenders {
        contender.stop().await?;
        if contender.failure.is_none() {
            let checked = contender.backend.check(shape, contender.batches).await;
            contender.note(checked);
        }
        figures.extend(contender.into_figures());
    }
    Ok(figures)
}

/// Puts the rows into the table, in the system's own form. The canned table has them already.
async fn seed(contenders: &mut [Contender<'_>]) {
    for contender in contenders.iter_mut().filter(|contender| contender.cells[0].environment.is_azurite()) {
        let seeded = contender.seed().await;
        contender.note(seeded);
    }
}

async fn cold(contenders: &mut [Contender<'_>], batches: &mut Batches, rounds: Rounds) {
    while contenders.iter().any(|contender| contender.lacks(Temperature::Cold, rounds)) {
        let batch = batches.next();
        for contender in contenders.iter_mut().filter(|contender| contender.lacks(Temperature::Cold, rounds))
        {
            let measured = contender.cold_round(&batch).await;
            contender.note(measured);
        }
    }
}

/// The handlers of the last cold round go on; who had none starts now.
async fn warm_up(contenders: &mut [Contender<'_>], batches: &mut Batches, rounds: Rounds) {
    while contenders.iter().any(|contender| contender.lacks_warmth(rounds)) {
        let batch = batches.next();
        for contender in contenders.iter_mut().filter(|contender| contender.lacks_warmth(rounds)) {
            let warmed = contender.warm_up_round(&batch).await;
            contender.note(warmed);
        }
    }
}

async fn warm(contenders: &mut [Contender<'_>], batches: &mut Batches, rounds: Rounds) {
    for contender in contenders.iter_mut().filter(|contender| contender.measures(Temperature::Warm)) {
        let begun = contender.begin_warm();
        contender.note(begun);
    }
    while contenders.iter().any(|contender| contender.lacks(Temperature::Warm, rounds)) {
        let batch = batches.next();
        for contender in contenders.iter_mut().filter(|contender| contender.lacks(Temperature::Warm, rounds))
        {
            let measured = contender.sample(Temperature::Warm, &batch).await;
            contender.note(measured);
        }
    }
    for contender in contenders.iter_mut().filter(|contender| contender.measures(Temperature::Warm)) {
        let ended = contender.end_warm();
        contender.note(ended);
    }
}

impl<'a> Contender<'a> {
    fn new(candidate: &'a Candidate, backend: &'a Backend, shape: Shape) -> Contender<'a> {
        Contender {
            candidate,
            backend,
            shape,
            cells: Vec::new(),
            handler: None,
            batches: 0,
            warm_ups: Vec::new(),
            cold: Samples::default(),
            warm: Samples::default(),
            processor_before: Duration::ZERO,
            failure: None,
            resident: None,
        }
    }

    fn name(&self) -> &'static str {
        self.candidate.system.name()
    }

    /// A system that fails takes no further part in this shape, and the others go on.
    fn note(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            let reason = text::one_line(&error);
            say!(
                "{} failed, {}/{}: {reason}",
                self.name(),
                self.cells[0].environment.name(),
                self.shape.name()
            );
            self.backend.hurry();
            self.failure = Some(reason);
        }
    }

    fn measures(&self, temperature: Temperature) -> bool {
        self.failure.is_none() && self.cells.iter().any(|cell| cell.temperature == temperature)
    }

    fn samples(&mut self, temperature: Temperature) -> &mut Samples {
        match temperature {
            Temperature::Cold => &mut self.cold,
            Temperature::Warm => &mut self.warm,
        }
    }

    /// Whether it needs another round.
    fn lacks(&self, temperature: Temperature, rounds: Rounds) -> bool {
        let samples = match temperature {
            Temperature::Cold => &self.cold,
            Temperature::Warm => &self.warm,
        };
        self.measures(temperature) && !rounds.enough(samples.took.len(), samples.took.iter().sum())
    }

    fn lacks_warmth(&self, rounds: Rounds) -> bool {
        self.measures(Temperature::Warm) && !rounds.enough(self.warm_ups.len(), self.warm_ups.iter().sum())
    }

    async fn seed(&mut self) -> Result<()> {
        self.start().await?;
        for slice in self.shape.slices(0) {
            self.handler()?.post(&slice, LONGEST_POST).await?;
        }
        self.batches += 1;
        self.stop().await
    }

    async fn cold_round(&mut self, batch: &[u8]) -> Result<()> {
        self.stop().await?;
        self.start().await?;
        self.backend.delay();
        let before = self.handler()?.processor_time()?;
        self.sample(Temperature::Cold, batch).await?;
        let after = self.handler()?.processor_time()?;
        self.cold.processor += after - before;
        self.backend.hurry();
        Ok(())
    }

    async fn warm_up_round(&mut self, batch: &[u8]) -> Result<()> {
        if self.handler.is_none() {
            self.start().await?;
        }
        let took = self.post(batch).await?;
        self.warm_ups.push(took);
        Ok(())
    }

    fn begin_warm(&mut self) -> Result<()> {
        self.backend.delay();
        self.processor_before = self.handler()?.processor_time()?;
        Ok(())
    }

    /// What goes on between the batches, such as collecting garbage, belongs to them.
    fn end_warm(&mut self) -> Result<()> {
        self.warm.processor = self.handler()?.processor_time()? - self.processor_before;
        if self.shape == MANY {
            self.resident = Some(self.handler()?.resident()?);
        }
        self.backend.hurry();
        Ok(())
    }

    async fn start(&mut self) -> Result<()> {
        self.handler = Some(Handler::start(self.candidate, &self.backend.settings(self.shape)).await?);
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

    fn into_figures(self) -> Vec<Figure> {
        let figure = |cell: &Cell| {
            if let Some(reason) = &self.failure {
                return Figure::new(*cell, Outcome::Failed { reason: reason.clone() });
            }
            let (samples, resident) = match cell.temperature {
                Temperature::Cold => (&self.cold, None),
                Temperature::Warm => (&self.warm, self.resident),
            };
            Figure::new(*cell, Outcome::Measured(Measured::of(samples, self.shape, resident)))
        };
        self.cells.iter().map(figure).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(environment: Environment, events: u32, devices: u32) -> Cell {
        let (temperature, system) = (Temperature::Warm, System::PythonPredecessor);
        Cell { environment, shape: Shape { events, devices }, temperature, system }
    }

    /// 100 readings took 2.4 s.
    fn measured() -> Vec<Figure> {
        let took = vec![Duration::from_millis(2_400)];
        let cell = cell(Environment::AzuriteDelayed, 100, 100);
        let samples = Samples { took, ..Samples::default() };
        vec![Figure::new(cell, Outcome::Measured(Measured::of(&samples, cell.shape, None)))]
    }

    #[test]
    fn a_batch_that_would_take_too_long_is_left_out_with_the_time_expected() {
        let plan = Plan::thorough(Vec::new(), Duration::from_secs(8));
        let slow = cell(Environment::AzuriteDelayed, 1_000, 10);
        assert_eq!(too_slow(slow, &measured(), &plan), Some("a batch would take about 24 s".to_owned()));
        let many = cell(Environment::AzuriteDelayed, 10_000, 10_000);
        assert_eq!(too_slow(many, &measured(), &plan), Some("a batch would take about 24000 s".to_owned()));
        let single = Figure { cell: cell(Environment::AzuriteDelayed, 1, 1), ..measured().remove(0) };
        assert_eq!(too_slow(slow, &[single], &plan), None, "one event says nothing");
        assert_eq!(too_slow(slow, &[], &plan), None, "nothing is known yet");
        let patient = Plan::thorough(Vec::new(), Duration::from_secs(60));
        assert_eq!(too_slow(slow, &measured(), &patient), None);
    }

    #[test]
    fn what_a_budget_is_about_is_measured_however_slow() {
        let plan = Plan::thorough(Vec::new(), Duration::from_secs(8));
        assert_eq!(too_slow(cell(Environment::AzuriteDelayed, 1_000, 500), &measured(), &plan), None);
    }
}
