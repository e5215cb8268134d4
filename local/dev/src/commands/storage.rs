//! The storage that a command works on: that of the settings, or what `cargo dev up` keeps.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Args;
use fieldcast::{
    https::{self, Peers},
    settings::{Settings, Storage},
    store::upgrade::Upgrade,
};
use fieldcast_azurite::Azurite;
use fieldcast_tables::{AzureTables, Deadline, EmbeddedStore, TableStore};

use crate::{lock::DataLock, npm, settings, workspace::Workspace};

const STORAGE: &str = "StorageConnectionString";
const PARTITION_KEY: &str = "PartitionKey";

#[derive(Args)]
pub(crate) struct StorageOptions {
    /// `embedded` or `azurite`, as kept by `cargo dev up`, or a connection string as in StorageConnectionString
    /// [default: that setting, from the environment or from local.settings.json]
    #[arg(long, value_name = "STORAGE")]
    storage: Option<String>,
    /// Whose rows they are [default: the setting PartitionKey, from the environment or from local.settings.json, else Sydney]
    #[arg(long, value_name = "KEY")]
    partition_key: Option<String>,
    /// The data folder of `cargo dev up` [default: .fieldcast in the checkout]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// The folder with local.settings.json [default: the checkout]
    #[arg(long, value_name = "FOLDER")]
    app: Option<PathBuf>,
}

/// The storage, and what has to stay while it is worked on.
pub(crate) struct OpenedStorage {
    pub(crate) tables: Arc<dyn TableStore>,
    pub(crate) partition_key: String,
    /// Keeps `cargo dev up` away.
    _lock: Option<DataLock>,
    azurite: Option<Azurite>,
}

impl OpenedStorage {
    /// Opens it. Rows of version 0.1.0 in a directory are moved first, as the app would do.
    pub(crate) async fn open(
        options: &StorageOptions,
        workspace: &Workspace,
        patience: Duration,
    ) -> Result<OpenedStorage> {
        let Opened { settings, lock, azurite } = open(options, workspace).await?;
        let (storage, partition_key) = Settings::read_storage(&settings).context(
            "nothing was done; --storage names the storage, `--storage embedded` that of `cargo dev up`",
        )?;
        let tables: Arc<dyn TableStore> = match storage {
            Storage::Embedded(folder) => {
                let is_there = ["rows.redb", "fieldcast.redb"].iter().any(|file| folder.join(file).exists());
                anyhow::ensure!(is_there, "there is no store in {}: check the settings", folder.display());
                let tables: Arc<dyn TableStore> = Arc::new(EmbeddedStore::new(&folder));
                Upgrade::from_directory(&folder).run(&tables, Deadline::after(patience)).await?;
                tables
            }
            Storage::Tables(connection) => {
                Arc::new(AzureTables::new(connection, https::client(Peers::Local)?))
            }
        };
        Ok(OpenedStorage { tables, partition_key, _lock: lock, azurite })
    }

    /// Lets it go when everything is written.
    pub(crate) async fn close(self) -> Result<()> {
        if let Some(azurite) = self.azurite {
            // Dropping it waits until it has written its tables.
            tokio::task::spawn_blocking(move || drop(azurite)).await?;
        }
        Ok(())
    }
}

struct Opened {
    settings: BTreeMap<String, String>,
    lock: Option<DataLock>,
    azurite: Option<Azurite>,
}

/// Options win over the environment, which wins over local.settings.json, as with `func start`.
async fn open(options: &StorageOptions, workspace: &Workspace) -> Result<Opened> {
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
    Ok(Opened { settings, lock, azurite })
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
