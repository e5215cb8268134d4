//! `cargo dev reshard`: the device rows of a stopped app, moved to another number of table partitions.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use clap::Args;
use fieldcast::store::reshard::{self, Expected, Outcome, Progress, Totals};

use super::storage::{OpenedStorage, StorageOptions};
use crate::{
    text::{say, thousands},
    workspace::Workspace,
};

/// How long a store may be unreachable before the command gives up: a moved partition is back within seconds.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(crate) struct Reshard {
    /// The number of partitions wanted
    #[arg(long, value_name = "PARTITIONS", value_parser = clap::value_parser!(u16).range(1..=100))]
    to: u16,
    #[command(flatten)]
    storage: StorageOptions,
    /// Accept the rows and readings that are there now, after an interrupted run said that they are not those of its
    /// beginning
    #[arg(long)]
    recount: bool,
}

pub(crate) async fn run(options: Reshard, workspace: &Workspace) -> Result<ExitCode> {
    let storage = OpenedStorage::open(&options.storage, workspace, PATIENCE).await?;
    let expect = if options.recount { Expected::AsFound } else { Expected::AsRecorded };
    let wanted = reshard::Reshard { to: options.to, expect, patience: PATIENCE };
    let progress = Tenths::default();
    let tables = Arc::clone(&storage.tables);
    let outcome =
        reshard::reshard(tables, &storage.partition_key, &wanted, &|now| progress.show(now)).await?;
    storage.close().await?;
    report(options.to, outcome);
    Ok(ExitCode::SUCCESS)
}

/// Says how far it is, ten times at most.
#[derive(Default)]
struct Tenths(AtomicU64);

impl Tenths {
    fn show(&self, Progress { moved, to_move }: Progress) {
        let tenth = moved.saturating_mul(10) / to_move.max(1);
        if self.0.fetch_max(tenth, Ordering::Relaxed) < tenth {
            say!("moved {} of {} rows", thousands(moved), thousands(to_move));
        }
    }
}

fn report(to: u16, outcome: Outcome) {
    match outcome {
        Outcome::Already => say!("nothing to do: the device rows are spread over {} already", partitions(to)),
        Outcome::Done { from, moved, totals: Totals { rows, readings } } => {
            let (rows, stayed) = (thousands(rows), thousands(rows.saturating_sub(moved)));
            let moved = thousands(moved);
            say!(
                "spread over {} instead of {from}: {moved} rows moved, {stayed} stood there already",
                partitions(to)
            );
            say!("checked: {rows} rows with {readings} readings, as before");
            say!("now set PartitionShards to {to} and start the app");
        }
    }
}

fn partitions(count: u16) -> String {
    if count == 1 { "1 partition".to_owned() } else { format!("{count} partitions") }
}
