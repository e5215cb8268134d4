//! Settings: the only module that reads the environment. Each is checked before the app starts, and an error names the
//! setting and what was expected, never its value.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fieldcast_signalr::{DEFAULT_SETTING, Endpoints, HubName, SettingError as SignalRError};
use fieldcast_tables::ConnectionString;

use crate::host::callers::Callers;
use crate::host::host_json;
use crate::ingestion::Sources;
use crate::primitives::ids::forbidden_in_key;
use crate::rejected::retention::Retention;
use crate::screens::publish::PublishMode;
use crate::screens::snapshot::Broadcast;
use crate::store::shard::Shards;

/// Where state is kept.
#[derive(Debug)]
pub enum Storage {
    /// Azure Table Storage, or Azurite.
    Tables(ConnectionString),
    /// A directory of this machine.
    Embedded(PathBuf),
}

/// Everything that a person can set.
#[derive(Debug)]
pub struct Settings {
    /// The port that the Functions host calls.
    pub port: u16,
    /// The folder with host.json, and perhaps telemetry.json.
    pub app_root: PathBuf,
    /// Settings that override host.json, for the host and for the handler alike.
    pub host_overrides: BTreeMap<String, String>,
    /// Where state is kept.
    pub storage: Storage,
    /// Table partitions of the devices.
    pub shards: Shards,
    /// SignalR Service endpoints, at least one.
    pub signalr: Endpoints,
    /// SignalR hub.
    pub hub: HubName,
    /// Whom changes go to.
    pub publish_mode: PublishMode,
    /// Whether the modules and components of a device are told apart.
    pub sources: Sources,
    /// Whether a posted snapshot that names no receiver goes to everybody.
    pub snapshot_broadcast: Broadcast,
    /// Whether principal headers are believed.
    pub callers: Callers,
    /// How long a calibration may be used after it was changed.
    pub calibration_age: Duration,
    /// How long rejected readings are kept.
    pub rejected_retention: Retention,
}

/// A setting that is missing or cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("setting {name}: {problem}")]
pub struct SettingError {
    /// The setting's name.
    pub name: String,
    /// What was found and what is expected; never the value.
    pub problem: String,
}

type Environment = BTreeMap<String, String>;

impl Settings {
    /// Reads the process environment; variables that are not Unicode are none of ours.
    pub fn from_environment() -> Result<Settings, SettingError> {
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Settings::read(&std::env::vars_os().filter_map(unicode).collect())
    }

    /// Reads settings from names and values.
    pub fn read(environment: &Environment) -> Result<Settings, SettingError> {
        Ok(Settings {
            port: port(environment)?,
            app_root: optional(environment, "FUNCTIONS_APP_ROOT_PATH").unwrap_or(".").into(),
            host_overrides: host_overrides(environment),
            storage: storage(environment)?,
            shards: shards(environment)?,
            signalr: Endpoints::from_settings(environment, DEFAULT_SETTING).map_err(signalr_error)?,
            hub: hub(environment)?,
            publish_mode: publish_mode(environment)?,
            sources: sources(environment)?,
            snapshot_broadcast: snapshot_broadcast(environment)?,
            callers: match optional(environment, "WEBSITE_AUTH_ENABLED") {
                Some(on) if on.eq_ignore_ascii_case("true") => Callers::Authenticated,
                _ => Callers::Anonymous,
            },
            calibration_age: calibration_age(environment)?,
            rejected_retention: rejected_retention(environment)?,
        })
    }

    /// Reads only where state is kept, for commands that work on it while the app is stopped: the storage, and the
    /// partition key of the devices.
    pub fn read_storage(environment: &Environment) -> Result<(Storage, String), SettingError> {
        Ok((storage(environment)?, partition_key(environment)?.to_owned()))
    }
}

fn error(name: &str, problem: impl Into<String>) -> SettingError {
    SettingError { name: name.to_owned(), problem: problem.into() }
}

/// A setting's text; blank counts as not set.
fn optional<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
}

fn required<'a>(environment: &'a Environment, name: &str, expected: &str) -> Result<&'a str, SettingError> {
    optional(environment, name).ok_or_else(|| error(name, format!("it is missing, expected {expected}")))
}

fn port(environment: &Environment) -> Result<u16, SettingError> {
    const NAME: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";
    let text = required(
        environment,
        NAME,
        "a port; the Functions host sets it, start the app with `func start` or `cargo dev up`",
    )?;
    text.parse().map_err(|_| error(NAME, "it is not a port, expected a number from 0 to 65535"))
}

/// Blank ones count: an empty prefix is one.
fn host_overrides(environment: &Environment) -> BTreeMap<String, String> {
    let begins = |name: &str| {
        let begin = name.get(..host_json::OVERRIDE.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(host_json::OVERRIDE))
    };
    let overrides = environment.iter().filter(|(name, _)| begins(name));
    overrides.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn storage(environment: &Environment) -> Result<Storage, SettingError> {
    const NAME: &str = "StorageConnectionString";
    let text = required(environment, NAME, "a Table Storage connection string or Embedded=<directory>")?;
    match text.split_once('=') {
        Some((key, directory)) if key.trim().eq_ignore_ascii_case("Embedded") => match directory.trim() {
            "" => Err(error(NAME, "Embedded= names no directory, expected Embedded=<directory>")),
            directory => Ok(Storage::Embedded(directory.into())),
        },
        _ => match ConnectionString::parse(text) {
            Ok(connection) => Ok(Storage::Tables(connection)),
            Err(problem) => Err(error(NAME, problem.to_string())),
        },
    }
}

fn partition_key(environment: &Environment) -> Result<&str, SettingError> {
    let key = optional(environment, "PartitionKey").unwrap_or("Sydney");
    // Table Storage allows 1 KiB of UTF-16; Azurite half of it.
    if key.chars().count() > 200 || key.contains(forbidden_in_key) {
        return Err(error(
            "PartitionKey",
            "expected at most 200 characters without / \\ # ? and control characters",
        ));
    }
    Ok(key)
}

fn shards(environment: &Environment) -> Result<Shards, SettingError> {
    const NAME: &str = "PartitionShards";
    let key = partition_key(environment)?;
    let expected = || error(NAME, format!("expected a whole number from 1 to {}", Shards::MOST));
    let count = match optional(environment, NAME) {
        Some(text) => text.parse::<u16>().map_err(|_| expected())?,
        None => 1,
    };
    match (1..=Shards::MOST).contains(&count) {
        true => Ok(Shards::new(key, count)),
        false => Err(expected()),
    }
}

fn signalr_error(problem: SignalRError) -> SettingError {
    const EXPECTED: &str =
        "expected Endpoint=https://<name>.service.signalr.net;AccessKey=<key>;Version=1.0;";
    match problem {
        SignalRError::Missing { setting } => error(&setting, format!("it is missing, {EXPECTED}")),
        SignalRError::Malformed { setting, source } => error(&setting, format!("{source}; {EXPECTED}")),
        other => error(DEFAULT_SETTING, other.to_string()),
    }
}

fn hub(environment: &Environment) -> Result<HubName, SettingError> {
    let text = optional(environment, "SignalRHub").unwrap_or("enviromon");
    HubName::new(text).map_err(|problem| error("SignalRHub", problem.to_string()))
}

fn publish_mode(environment: &Environment) -> Result<PublishMode, SettingError> {
    const NAME: &str = "PublishMode";
    match optional(environment, NAME).unwrap_or("broadcast").to_ascii_lowercase().as_str() {
        "broadcast" => Ok(PublishMode::Broadcast),
        "groups" => Ok(PublishMode::Groups),
        _ => Err(error(NAME, "expected broadcast or groups")),
    }
}

fn sources(environment: &Environment) -> Result<Sources, SettingError> {
    const NAME: &str = "DeviceParts";
    match optional(environment, NAME).unwrap_or("apart").to_ascii_lowercase().as_str() {
        "apart" => Ok(Sources::Apart),
        "merged" => Ok(Sources::Merged),
        _ => Err(error(NAME, "expected apart or merged")),
    }
}

fn snapshot_broadcast(environment: &Environment) -> Result<Broadcast, SettingError> {
    const NAME: &str = "SnapshotBroadcast";
    match optional(environment, NAME).unwrap_or("false").to_ascii_lowercase().as_str() {
        "true" => Ok(Broadcast::Allowed),
        "false" => Ok(Broadcast::Refused),
        _ => Err(error(NAME, "expected true or false")),
    }
}

fn calibration_age(environment: &Environment) -> Result<Duration, SettingError> {
    const NAME: &str = "CalibrationSeconds";
    // Half a minute: soon enough for a person who edits a row and watches, one query per half minute for the store.
    let seconds = optional(environment, NAME).unwrap_or("30").parse::<u32>();
    seconds
        .map(|seconds| Duration::from_secs(seconds.into()))
        .map_err(|_| error(NAME, "expected a whole number of seconds, 0 or more"))
}

fn rejected_retention(environment: &Environment) -> Result<Retention, SettingError> {
    const NAME: &str = "RejectedDays";
    let days = optional(environment, NAME).unwrap_or("90").parse::<u32>();
    let expected = "expected a whole number of days; 0 keeps rejected readings for ever";
    days.map(Retention::of_days).map_err(|_| error(NAME, expected))
}

#[cfg(test)]
mod tests;
