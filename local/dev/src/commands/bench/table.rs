//! The report as text: aligned for the terminal, or as Markdown for the README.

use super::{
    budget::Budget,
    cell::{BenchPlan, Cell, Environment, MANY, Temperature},
    figures::{Measured, MemoryFigure, Report, Resident},
    hostile::{Hostile, HostileFigure},
    outcome::MeasurementOutcome,
    screens::{Crowd, PageCost, Screens},
    system::System,
};
use crate::text::{megabytes, thousands};

/// The legend of the tables.
const LEGEND: &str = "Each cell: storage + SignalR requests per batch, milliseconds (median), processor time of the handler in µs \
                      per event. Batches are named as events of devices. Cold: the handler has just started, the rows exist. Warm: \
                      the same process goes on.";

/// A table with its title.
struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Terminal,
    Markdown,
}

/// The whole report.
pub(super) fn render(report: &Report, budgets: &[Budget], plan: &BenchPlan, style: Style) -> String {
    let machine = &report.machine;
    let mut text = format!("Machine: {}, {} cores, {}.\n", machine.processor, machine.cores, machine.kernel);
    let environments = Environment::ALL.map(|environment| of_environment(report, environment, plan));
    let measured: Vec<Table> = environments.into_iter().filter(|table| !table.rows.is_empty()).collect();
    if !measured.is_empty() {
        text += &format!("\n{LEGEND}\n");
    }
    let tables =
        measured.into_iter().chain(of_memory(report)).chain(of_hostile(report)).chain(of_starts(report));
    let tables = tables.chain(of_screens(&report.screens));
    for table in tables.chain([of_budgets(budgets)]) {
        text += "\n";
        text += &table.render(style);
    }
    text
}

fn of_environment(report: &Report, environment: Environment, plan: &BenchPlan) -> Table {
    let mut rows = Vec::new();
    for &shape in plan.shapes {
        for temperature in [Temperature::Cold, Temperature::Warm] {
            let outcomes =
                System::ALL.map(|system| report.outcome(Cell { environment, shape, temperature, system }));
            if outcomes.iter().any(Option::is_some) {
                let mut row = vec![format!("{}, {}", shape.name(), temperature.name())];
                row.extend(outcomes.map(|outcome| outcome.map_or(String::new(), words)));
                rows.push(row);
            }
        }
    }
    let mut columns = vec!["batch".to_owned()];
    columns.extend(System::ALL.map(|system| system.name().to_owned()));
    Table { title: environment.described().to_owned(), columns, rows }
}

fn words(outcome: &MeasurementOutcome<Measured>) -> String {
    match outcome {
        MeasurementOutcome::Measured(Measured {
            storage_requests,
            signalr_requests,
            milliseconds,
            processor_microseconds_per_event,
            ..
        }) => format!(
            "{}+{}, {} ms, {} µs",
            thousands(*storage_requests),
            thousands(*signalr_requests),
            figure(*milliseconds),
            figure(*processor_microseconds_per_event)
        ),
        MeasurementOutcome::LeftOut { reason } => format!("left out: {reason}"),
        // The reason is long; it is printed above the tables and is in the JSON.
        MeasurementOutcome::Failed { .. } => "failed".to_owned(),
    }
}

/// Memory after batches of the host's size and, for comparison, after whole batches.
fn of_memory(report: &Report) -> Option<Table> {
    let mut rows = Vec::new();
    if let Some(&MemoryFigure { devices, largest_batch, .. }) = report.memory.first() {
        let told = |system| report.memory.iter().find(|memory| memory.system == system);
        let [devices, largest] = [u64::from(devices), largest_batch as u64].map(thousands);
        let mut row = vec![format!("{devices}, in batches of {largest} as the host sends them, stub")];
        row.extend(System::ALL.map(|system| told(system).map(size).unwrap_or_default()));
        rows.push(row);
    }
    for environment in Environment::ALL {
        let resident = |system| report.measured(environment, MANY, Temperature::Warm, system)?.resident_bytes;
        let sizes = System::ALL.map(resident);
        if sizes.iter().any(Option::is_some) {
            let mut row = vec![format!("10,000, in one batch, {}", environment.name())];
            row.extend(sizes.map(|bytes| bytes.map(megabytes).unwrap_or_default()));
            rows.push(row);
        }
    }
    let mut columns = vec!["known devices".to_owned()];
    columns.extend(System::ALL.map(|system| system.name().to_owned()));
    (!rows.is_empty()).then(|| Table { title: "Resident memory".to_owned(), columns, rows })
}

fn size(memory: &MemoryFigure) -> String {
    match &memory.outcome {
        MeasurementOutcome::Measured(Resident { resident_bytes, .. }) => megabytes(*resident_bytes),
        MeasurementOutcome::LeftOut { reason } => format!("left out: {reason}"),
        MeasurementOutcome::Failed { .. } => "failed".to_owned(),
    }
}

fn of_hostile(report: &Report) -> Option<Table> {
    let row = |figure: &HostileFigure| {
        let told = match &figure.outcome {
            MeasurementOutcome::Measured(Hostile { bodies, request_bytes, milliseconds, peak_bytes }) => [
                format!("{} in {}", thousands(*bodies as u64), megabytes(*request_bytes)),
                format!("{} ms", self::figure(*milliseconds)),
                megabytes(*peak_bytes),
            ],
            MeasurementOutcome::LeftOut { reason } => {
                [format!("left out: {reason}"), String::new(), String::new()]
            }
            MeasurementOutcome::Failed { .. } => ["failed".to_owned(), String::new(), String::new()],
        };
        [vec![figure.content.to_owned()], told.to_vec()].concat()
    };
    let columns =
        ["bodies of", "in a request of", "acknowledged after", "peak memory"].map(str::to_owned).to_vec();
    let rows: Vec<_> = report.hostile.iter().map(row).collect();
    let title = "Hostile batches, fieldcast on Azurite".to_owned();
    (!rows.is_empty()).then_some(Table { title, columns, rows })
}

fn of_starts(report: &Report) -> Option<Table> {
    let starts = report.starts.as_ref()?;
    let row = |what: &str, value: String| vec![what.to_owned(), value];
    Some(Table {
        title: format!("Process start to first answer (median of {} starts)", starts.rounds),
        columns: vec!["handler".to_owned(), "time".to_owned()],
        rows: vec![
            row("fieldcast", format!("{} ms", figure(starts.handler_start_ms))),
            row("the smallest that Node allows", format!("{} ms", figure(starts.node_start_ms))),
            row("Node takes longer by", format!("{}x", figure(starts.ratio))),
        ],
    })
}

fn of_screens(screens: &Screens) -> Option<Table> {
    let row = |what: String, told: String| vec![what, told];
    let mut rows = Vec::new();
    if let Some(found) = screens.snapshots.as_ref().and_then(MeasurementOutcome::measured) {
        let [whole, compressed] =
            [found.whole_bytes, found.compressed_bytes].map(|bytes| megabytes(bytes as u64));
        let devices = thousands(found.devices.into());
        rows.push(row(
            format!("snapshot of {devices} devices, embedded store"),
            format!(
                "{} ms for {whole}, {} ms for {compressed} as gzip",
                figure(found.whole_ms),
                figure(found.compressed_ms)
            ),
        ));
        rows.push(row(
            format!("catch-up of {} of them", found.changed),
            format!("{} ms", figure(found.catch_up_ms)),
        ));
    }
    rows.extend(screens.crowd.as_ref().and_then(MeasurementOutcome::measured).map(of_crowd));
    if let Some(found) = screens.journey.as_ref().and_then(MeasurementOutcome::measured) {
        rows.push(row(
            format!("device to the number on the page, {} readings a second", found.readings_per_second),
            format!(
                "p50 {} ms, p99 {} ms, longest {} ms, of {}",
                figure(found.p50_ms),
                figure(found.p99_ms),
                figure(found.longest_ms),
                found.samples
            ),
        ));
    }
    rows.extend(screens.page.as_ref().and_then(MeasurementOutcome::measured).map(of_page));
    let columns = ["what", "figures"].map(str::to_owned).to_vec();
    (!rows.is_empty()).then(|| Table { title: "Screens".to_owned(), columns, rows })
}

fn of_crowd(crowd: &Crowd) -> Vec<String> {
    let devices = thousands(crowd.devices.into());
    let what = format!("a batch while {} clients load snapshots of {devices} devices", crowd.clients);
    let told = format!(
        "p50 {} ms, p99 {} ms (alone {} ms), of {}; {} snapshots, {} told to come again; {} at most",
        figure(crowd.p50_ms),
        figure(crowd.p99_ms),
        figure(crowd.alone_p99_ms),
        crowd.batches,
        thousands(crowd.snapshots),
        thousands(crowd.refused),
        megabytes(crowd.peak_bytes),
    );
    vec![what, told]
}

fn of_page(page: &PageCost) -> Vec<String> {
    let what = format!(
        "the page with {} devices, {} updates a second",
        thousands(page.devices),
        thousands(page.updates_applied)
    );
    let told = format!(
        "scripting per frame {} ms, p99 {} ms; {} frames a second; {} tasks over 50 ms, longest {} ms; {} MB at the start, {} MB after {} s",
        figure(page.script_ms.median),
        figure(page.script_ms.p99),
        figure(page.frames),
        page.long_tasks.count,
        figure(page.long_tasks.longest),
        figure(page.memory_mb.start.heap + page.memory_mb.start.buffers),
        figure(page.memory_mb.end.heap + page.memory_mb.end.buffers),
        page.seconds,
    );
    vec![what, told]
}

fn of_budgets(budgets: &[Budget]) -> Table {
    let row = |budget: &Budget| {
        let valued = |value: f64| format!("{} {}", figure(value), budget.unit).trim_end().to_owned();
        vec![
            budget.what.to_owned(),
            budget.measured.map(valued).unwrap_or_default(),
            format!("{} {}", budget.bound, valued(budget.limit)),
            budget.verdict.name().to_owned(),
        ]
    };
    Table {
        title: "Budgets".to_owned(),
        columns: ["what", "measured", "budget", "verdict"].map(str::to_owned).to_vec(),
        rows: budgets.iter().map(row).collect(),
    }
}

/// A number with three significant digits.
fn figure(value: f64) -> String {
    match value {
        value if value.fract() == 0.0 && value < 100.0 => format!("{value:.0}"),
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive and far below 2^64"
        )]
        value => thousands(value.round() as u64),
    }
}

impl Table {
    fn render(&self, style: Style) -> String {
        let heading = match style {
            Style::Terminal => format!("{}\n", self.title),
            Style::Markdown => format!("**{}**\n\n", self.title),
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(|column| self.width(column)).collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let padded: Vec<String> = padded.collect();
            match style {
                Style::Terminal => format!("  {}\n", padded.join("  ").trim_end()),
                Style::Markdown => format!("| {} |\n", padded.join(" | ")),
            }
        };
        let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        heading + &line(&self.columns) + &line(&dashes) + &rows
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().chain([&self.columns]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let rows = [["1 of 1", "5 µs"], ["1,000 of 500", "12 µs"]].map(|row| row.map(str::to_owned).to_vec());
        Table {
            title: "Stub".to_owned(),
            columns: ["batch", "fieldcast"].map(str::to_owned).to_vec(),
            rows: rows.to_vec(),
        }
    }

    #[test]
    fn columns_are_aligned_for_the_terminal() {
        let wanted = "Stub\n  batch         fieldcast\n  ------------  ---------\n  1 of 1        5 µs\n  1,000 of 500  12 µs\n";
        assert_eq!(table().render(Style::Terminal), wanted);
    }

    #[test]
    fn markdown_has_a_table_that_renders() {
        let wanted = "**Stub**\n\n| batch        | fieldcast |\n| ------------ | --------- |\n| 1 of 1       | 5 µs      |\n| 1,000 of 500 | 12 µs     |\n";
        assert_eq!(table().render(Style::Markdown), wanted);
    }

    #[test]
    fn figures_have_as_many_digits_as_mean_something() {
        let written = [5.0, 0.123, 12.34, 24_123.4, 300.0].map(figure);
        assert_eq!(written, ["5", "0.12", "12.3", "24,123", "300"]);
    }
}
