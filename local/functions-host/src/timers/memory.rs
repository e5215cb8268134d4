//! What the host remembers of its timers, in memory and optionally in files; the real host keeps a blob for each.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::fs;

use crate::envelope::timer::ScheduleStatus;

/// The statuses of all timers, by function.
pub(crate) struct TimerMemory {
    folder: Option<PathBuf>,
    known: Mutex<BTreeMap<String, ScheduleStatus>>,
}

impl TimerMemory {
    pub(crate) fn open(data_dir: Option<&Path>) -> io::Result<TimerMemory> {
        let folder = data_dir.map(|folder| folder.join("timers"));
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder)?;
        }
        Ok(TimerMemory { folder, known: Mutex::default() })
    }

    /// The status of a function's timer. A file that cannot be read counts as absent, as a damaged blob does.
    pub(crate) async fn load(&self, function: &str) -> Option<ScheduleStatus> {
        let kept = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(function).copied();
        let Some(file) = self.file(function).filter(|_| kept.is_none()) else {
            return kept;
        };
        let value: Value = serde_json::from_slice(&fs::read(file).await.ok()?).ok()?;
        let time = |name: &str| value[name].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        Some(ScheduleStatus { last: time("Last"), next: time("Next"), last_updated: time("LastUpdated") })
    }

    pub(crate) async fn save(&self, function: &str, status: &ScheduleStatus) -> io::Result<()> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(function.to_owned(), *status);
        let Some(file) = self.file(function) else { return Ok(()) };
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let value = json!({
            "Last": text(status.last), "Next": text(status.next), "LastUpdated": text(status.last_updated),
        });
        let fresh = file.with_extension("new");
        fs::write(&fresh, value.to_string()).await?;
        fs::rename(&fresh, &file).await
    }

    /// Names of functions are letters, digits, `_` and `-`, so they are names of files as they are.
    fn file(&self, function: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(function))
    }
}
