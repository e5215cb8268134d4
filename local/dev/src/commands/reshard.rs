//! `cargo dev reshard`: the device rows of a stopped app, moved to another number of table partitions.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Args;
use fieldcast::{
    https::{self, Peers},
    settings::{Settings, Storage},
    store::reshard::{self, Expected, Outcome, Progress, Totals},
};
use fieldcast_azurite::Azurite;

use crate::{
    lock::DataLock,
    npm, settings,
    text::{say, thousands},
    workspace::Workspace,
};

/// How long a store may be unreachable before the command gives up: a moved partition is back within seconds.
const PATIENCE: Duration = Duration::from_secs(60);

const STORAGE: &str = "StorageConnectionString";
const PARTITION_KEY: &str = "PartitionKey";

#[derive(Args)]
pub(crate) struct Reshard {
    /// The number of partitions wanted
    #[arg(long, value_name = "PARTITIONS", value_parser = clap::value_parser!(u16).range(1..=100))]
    to: u16,
    /// `embedded` or `azurite`, as kept by `cargo dev up`, or a connection string as in StorageConnectionString
    /// [default: that setting, from the environment or from local.settings.json]
    #[arg(long, value_name = "STORAGE")]
    storage: Option<String>,
    /// Whose rows are moved [default: the setting PartitionKey, from the environment or from local.settings.json, else Sydney]
    #[arg(long, value_name = "KEY")]
    partition_key: Option<String>,
    /// The data folder of `cargo dev up` [default: .fieldcast in the checkout]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// The folder with local.settings.json [default: the checkout]
    #[arg(long, value_name = "FOLDER")]
    app: Option<PathBuf>,
    /// Accept the rows and readings that are there now, after an interrupted run said that they are not those of its
    /// beginning
    #[arg(long)]
    recount: bool,
}

/// What has to stay while the rows are moved.
struct Opened {
    settings: BTreeMap<String, String>,
    /// Keeps `cargo dev up` away.
    _lock: Option<DataLock>,
    azurite: Option<Azurite>,
}

pub(crate) async fn run(options: Reshard, workspace: &Workspace) -> Result<ExitCode> {
    let opened = open(&options, workspace).await?;
    let (storage, partition_key) = Settings::read_storage(&opened.settings).context(
        "nothing was moved; --storage names the storage, `--storage embedded` that of `cargo dev up`",
    )?;
    let expect = if options.recount { Expected::AsFound } else { Expected::AsRecorded };
    let wanted = reshard::Reshard { to: options.to, expect, patience: PATIENCE };
    let progress = Tenths::default();
    let outcome = match storage {
        Storage::Embedded(folder) => reshard::in_directory(&folder, &wanted).await?,
        Storage::Tables(connection) => {
            let http = https::client(Peers::Local)?;
            reshard::in_tables(connection, http, &partition_key, &wanted, &|now| progress.show(now)).await?
        }
    };
    if let Some(azurite) = opened.azurite {
        // Dropping it waits until it has written its tables.
        tokio::task::spawn_blocking(move || drop(azurite)).await?;
    }
    report(options.to, outcome);
    Ok(ExitCode::SUCCESS)
}

/// Options win over the environment, which wins over local.settings.json, as with `func start`.
async fn open(options: &Reshard, workspace: &Workspace) -> Result<Opened> {
    let app = options.app.as_deref().unwrap_or(&workspace.root);
    let names = [STORAGE, PARTITION_KEY];
    let mut settings = settings::values(app, &names)?;
    // The app runs in its folder.
    settings.entry(STORAGE.to_owned()).and_modify(|text| *text = below(app, text));
    settings.extend(names.into_iter().filter_map(from_environment));
    settings.extend(options.partition_key.clone().map(|key| (PARTITION_KEY.to_owned(), key)));
    let data = || options.data.clone().unwrap_or_else(|| workspace.default_data());
    let (mut lock, mut azurite) = (None, None);
    let storage = match options.storage.as_deref() {
        None => None,
        Some("embedded") => {
            lock = Some(DataLock::take(&data())?);
            Some(format!("Embedded={}", data().join("state").display()))
        }
        Some("azurite") => {
            lock = Some(DataLock::take(&data())?);
            let started = azurite.insert(start_azurite(workspace, data().join("azurite")).await?);
            Some(started.connection_string())
        }
        Some(connection) => Some(connection.to_owned()),
    };
    settings.extend(storage.map(|text| (STORAGE.to_owned(), text)));
    Ok(Opened { settings, _lock: lock, azurite })
}

#[expect(clippy::disallowed_methods, reason = "the settings of this command, as the handler would read them")]
fn from_environment(name: &str) -> Option<(String, String)> {
    std::env::var(name).ok().map(|value| (name.to_owned(), value))
}

/// The setting with its directory, if it names one, seen from `folder`.
fn below(folder: &Path, storage: &str) -> String {
    match storage.split_once('=') {
        Some((key, directory))
            if key.trim().eq_ignore_ascii_case("Embedded") && !directory.trim().is_empty() =>
        {
            format!("Embedded={}", folder.join(directory.trim()).display())
        }
        _ => storage.to_owned(),
    }
}

async fn start_azurite(workspace: &Workspace, folder: PathBuf) -> Result<Azurite> {
    npm::require_node().await?;
    npm::install(&workspace.azurite()).await?;
    let starting = tokio::task::spawn_blocking(move || Azurite::start(Some(&folder)));
    starting.await?.context("Azurite did not start")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_the_settings_file_is_seen_from_the_app() {
        let app = Path::new("/app");
        assert_eq!(below(app, "Embedded=state"), "Embedded=/app/state");
        assert_eq!(below(app, "embedded = /state"), "Embedded=/state");
        for untouched in ["Embedded=", "UseDevelopmentStorage=true"] {
            assert_eq!(below(app, untouched), untouched);
        }
    }
}
