//! The measured figures, as numbers and as JSON.

use std::time::Duration;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{
    cell::{Cell, Environment, Temperature},
    hostile::HostileFigure,
    machine::Machine,
    outcome::MeasurementOutcome,
    screens::Screens,
    statistics::{Milliseconds, median, milliseconds},
    system::System,
    workload::Shape,
};

/// The samples of a cell, one entry per batch.
#[derive(Default)]
pub(super) struct Samples {
    pub(super) took: Vec<Duration>,
    pub(super) storage_requests: Vec<u64>,
    pub(super) signalr_requests: Vec<u64>,
    /// Processor time of the handler for all batches together.
    pub(super) processor: Duration,
}

/// The figures of a cell: medians of the batches, and the mean of processor time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Measured {
    pub(super) batches: usize,
    pub(super) storage_requests: u64,
    pub(super) signalr_requests: u64,
    pub(super) milliseconds: Milliseconds,
    pub(super) fastest_milliseconds: Milliseconds,
    pub(super) processor_microseconds_per_event: f64,
    /// Memory after batches of 10,000 devices, which are larger than the host's.
    pub(super) resident_bytes: Option<u64>,
}

pub(super) struct Figure {
    pub(super) cell: Cell,
    pub(super) outcome: MeasurementOutcome<Measured>,
}

/// The time from the start of a handler to its first answer.
#[derive(Serialize)]
pub(super) struct Starts {
    pub(super) rounds: usize,
    pub(super) handler_start_ms: Milliseconds,
    pub(super) node_start_ms: Milliseconds,
    /// How many times longer Node takes.
    pub(super) ratio: f64,
}

/// The memory of a handler that knows many devices, after batches of the host's size.
#[derive(Serialize)]
pub(super) struct MemoryFigure {
    pub(super) system: System,
    pub(super) devices: u32,
    /// The events of the largest batch.
    pub(super) largest_batch: usize,
    pub(super) outcome: MeasurementOutcome<Resident>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Resident {
    pub(super) batches: u64,
    pub(super) resident_bytes: u64,
}

/// All figures of a run.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    #[serde(flatten)]
    pub(super) starts: Option<Starts>,
    pub(super) program_bytes: u64,
    pub(super) memory: Vec<MemoryFigure>,
    pub(super) hostile: Vec<HostileFigure>,
    pub(super) screens: Screens,
    pub(super) cells: Vec<Figure>,
}

impl Measured {
    pub(super) fn of(samples: &Samples, shape: Shape, resident_bytes: Option<u64>) -> Measured {
        let events = f64::from(shape.events) * samples.took.iter().map(|_| 1.0).sum::<f64>();
        Measured {
            batches: samples.took.len(),
            storage_requests: median(&samples.storage_requests),
            signalr_requests: median(&samples.signalr_requests),
            milliseconds: milliseconds(median(&samples.took)),
            fastest_milliseconds: milliseconds(samples.took.iter().min().copied().unwrap_or_default()),
            processor_microseconds_per_event: samples.processor.as_secs_f64() * 1e6 / events,
            resident_bytes,
        }
    }
}

impl Figure {
    pub(super) fn new(cell: Cell, outcome: MeasurementOutcome<Measured>) -> Figure {
        Figure { cell, outcome }
    }

    pub(super) fn measured(&self) -> Option<&Measured> {
        self.outcome.measured()
    }
}

impl Report {
    pub(super) fn failed(&self) -> usize {
        let cells =
            self.cells.iter().filter(|figure| matches!(figure.outcome, MeasurementOutcome::Failed { .. }));
        let memory =
            self.memory.iter().filter(|memory| matches!(memory.outcome, MeasurementOutcome::Failed { .. }));
        let hostile = self
            .hostile
            .iter()
            .filter(|hostile| matches!(hostile.outcome, MeasurementOutcome::Failed { .. }));
        cells.count() + memory.count() + hostile.count() + self.screens.failed()
    }

    /// The memory of a system that knows this many devices, after batches of the host's size.
    pub(super) fn resident(&self, system: System, devices: u32) -> Option<u64> {
        let wanted = |memory: &&MemoryFigure| memory.system == system && memory.devices == devices;
        let measured = self.memory.iter().find(wanted)?.outcome.measured()?;
        Some(measured.resident_bytes)
    }

    pub(super) fn outcome(&self, cell: Cell) -> Option<&MeasurementOutcome<Measured>> {
        self.cells.iter().find(|figure| figure.cell == cell).map(|figure| &figure.outcome)
    }

    pub(super) fn measured(
        &self,
        environment: Environment,
        shape: Shape,
        temperature: Temperature,
        system: System,
    ) -> Option<&Measured> {
        let wanted = Cell { environment, shape, temperature, system };
        self.cells.iter().find(|figure| figure.cell == wanted)?.measured()
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Cell { environment, shape, temperature, system } = self.cell;
        let mut figure = serializer.serialize_struct("Figure", 6)?;
        figure.serialize_field("environment", &environment)?;
        figure.serialize_field("events", &shape.events)?;
        figure.serialize_field("devices", &shape.devices)?;
        figure.serialize_field("temperature", &temperature)?;
        figure.serialize_field("system", &system)?;
        figure.serialize_field("outcome", &self.outcome)?;
        figure.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_the_median_of_its_batches_and_its_share_of_the_processor() {
        let samples = Samples {
            took: [9, 1, 5].map(Duration::from_millis).to_vec(),
            storage_requests: vec![5, 5, 6],
            signalr_requests: vec![1, 1, 1],
            processor: Duration::from_millis(6),
        };
        let measured = Measured::of(&samples, Shape { events: 100, devices: 10 }, None);
        assert_eq!((measured.storage_requests, measured.signalr_requests), (5, 1));
        assert!((measured.milliseconds - 5.0).abs() < 1e-9);
        assert!((measured.fastest_milliseconds - 1.0).abs() < 1e-9);
        assert!((measured.processor_microseconds_per_event - 20.0).abs() < 1e-9);
    }
}
