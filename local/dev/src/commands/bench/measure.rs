//! Measures the cells of one shape in one environment: all systems take turns in each round, so that other load on
//! the machine affects all of them.

use std::time::Instant;

use anyhow::{Context, Result};

use super::{
    cell::{BenchPlan, Cell, Environment, Rounds, Temperature, USUAL},
    contender::Contender,
    figures::Figure,
    outcome::MeasurementOutcome,
    system::{Candidate, System},
    workload::Shape,
};
use crate::text::say;

/// Measures every wanted cell of an environment.
pub(super) async fn environment(
    environment: Environment,
    candidates: &[Candidate],
    plan: &BenchPlan,
) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for &shape in plan.shapes {
        let began = Instant::now();
        let mut contenders = Vec::new();
        for candidate in candidates {
            let cells = in_time(wanted(environment, shape, candidate.system, plan), &mut figures, plan);
            if !cells.is_empty() {
                contenders.push(Contender::new(candidate, cells).await?);
            }
        }
        if contenders.is_empty() {
            continue;
        }
        let measured = shape_in_turn(shape, contenders, plan).await;
        figures.extend(measured.with_context(|| format!("{}/{}", environment.name(), shape.name()))?);
        let (described, seconds) = (environment.described(), began.elapsed().as_secs_f64());
        say!("{described}, batches of {}: {seconds:.1} s", shape.name());
    }
    Ok(figures)
}

fn wanted(
    environment: Environment,
    shape: Shape,
    system: System,
    plan: &BenchPlan,
) -> impl Iterator<Item = Cell> {
    [Temperature::Cold, Temperature::Warm]
        .into_iter()
        .map(move |temperature| Cell { environment, shape, temperature, system })
        .filter(|&cell| plan.wants(cell))
}

/// The cells that are not left out. The others are added to `figures` with the reason.
fn in_time(cells: impl Iterator<Item = Cell>, figures: &mut Vec<Figure>, plan: &BenchPlan) -> Vec<Cell> {
    let mut kept = Vec::new();
    for cell in cells {
        match too_slow(cell, figures, plan) {
            None => kept.push(cell),
            Some(reason) => figures.push(Figure::new(cell, MeasurementOutcome::LeftOut { reason })),
        }
    }
    kept
}

/// Why a cell is left out: its batch would take too long, judging by the system's largest cell so far. A cell with a
/// budget is always measured.
fn too_slow(cell: Cell, figures: &[Figure], plan: &BenchPlan) -> Option<String> {
    let budgeted = Cell {
        environment: Environment::AzuriteDelayed,
        shape: USUAL,
        temperature: Temperature::Warm,
        system: System::PythonPredecessor,
    };
    let alike = figures
        .iter()
        .filter(|figure| figure.cell.system == cell.system && figure.cell.temperature == cell.temperature);
    // A batch of one event has only fixed costs, which say nothing about larger batches.
    let largest = alike
        .filter(|figure| figure.cell.shape.events > 1)
        .filter_map(|figure| Some((figure.cell.shape, figure.measured()?.milliseconds)))
        .max_by_key(|(shape, _)| (shape.devices, shape.events))?;
    let (shape, milliseconds) = largest;
    let times = |of: fn(Shape) -> u32| (f64::from(of(cell.shape)) / f64::from(of(shape))).max(1.0);
    let (events, devices) = (times(|shape| shape.events), times(|shape| shape.devices));
    // Azurite searches the partition for a row, which is noticeable from about a thousand rows on.
    let searched = cell.environment.is_azurite() && cell.shape.devices > 1_000;
    let factor = if searched { events.max(devices * devices) } else { events.max(devices) };
    let expected = milliseconds * factor / 1000.0;
    let longest = plan.longest_batch.as_secs_f64();
    (expected > longest && cell != budgeted).then(|| format!("a batch would take about {expected:.0} s"))
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

async fn shape_in_turn(
    shape: Shape,
    mut contenders: Vec<Contender<'_>>,
    plan: &BenchPlan,
) -> Result<Vec<Figure>> {
    let mut batches = Batches { shape, next: 1 };
    seed(&mut contenders).await;
    cold(&mut contenders, &mut batches, plan.cold).await;
    warm_up(&mut contenders, &mut batches, plan.warm_up).await;
    warm(&mut contenders, &mut batches, plan.warm).await;
    let mut figures = Vec::new();
    for contender in contenders {
        figures.extend(contender.into_figures().await?);
    }
    Ok(figures)
}

async fn seed(contenders: &mut [Contender<'_>]) {
    for contender in contenders {
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

/// Warms up the handlers of the last cold round, and starts those that had none.
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
            let measured = contender.warm_round(&batch).await;
            contender.note(measured);
        }
    }
    for contender in contenders.iter_mut().filter(|contender| contender.measures(Temperature::Warm)) {
        let ended = contender.end_warm();
        contender.note(ended);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::figures::{Measured, Samples},
        *,
    };

    fn cell(environment: Environment, events: u32, devices: u32) -> Cell {
        let (temperature, system) = (Temperature::Warm, System::PythonPredecessor);
        Cell { environment, shape: Shape { events, devices }, temperature, system }
    }

    /// 100 readings took 2.4 s.
    fn measured() -> Vec<Figure> {
        let took = vec![Duration::from_millis(2_400)];
        let cell = cell(Environment::AzuriteDelayed, 100, 100);
        let samples = Samples { took, ..Samples::default() };
        vec![Figure::new(cell, MeasurementOutcome::Measured(Measured::of(&samples, cell.shape, None)))]
    }

    #[test]
    fn a_batch_that_would_take_too_long_is_left_out_with_the_time_expected() {
        let plan = BenchPlan::thorough(Vec::new(), Duration::from_secs(8));
        let slow = cell(Environment::AzuriteDelayed, 1_000, 10);
        assert_eq!(too_slow(slow, &measured(), &plan), Some("a batch would take about 24 s".to_owned()));
        let many = cell(Environment::AzuriteDelayed, 10_000, 10_000);
        assert_eq!(too_slow(many, &measured(), &plan), Some("a batch would take about 24000 s".to_owned()));
        let single = Figure { cell: cell(Environment::AzuriteDelayed, 1, 1), ..measured().remove(0) };
        assert_eq!(too_slow(slow, &[single], &plan), None, "one event says nothing");
        assert_eq!(too_slow(slow, &[], &plan), None, "nothing is known yet");
        let patient = BenchPlan::thorough(Vec::new(), Duration::from_secs(60));
        assert_eq!(too_slow(slow, &measured(), &patient), None);
    }

    #[test]
    fn what_a_budget_is_about_is_measured_however_slow() {
        let plan = BenchPlan::thorough(Vec::new(), Duration::from_secs(8));
        assert_eq!(too_slow(cell(Environment::AzuriteDelayed, 1_000, 500), &measured(), &plan), None);
    }
}
