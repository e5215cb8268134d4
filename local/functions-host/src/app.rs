//! The app as its files describe it: `host.json`, the `function.json` files, and the settings that they refer to.
//!
//! Only this file reads from disk; each parser takes a value and returns data, or one line that says what is wrong.

pub(crate) mod fields;
pub(crate) mod function;
pub(crate) mod host_json;
pub(crate) mod retry;
pub(crate) mod schedule;
pub(crate) mod settings;
pub(crate) mod time_span;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::HostError;
use function::Function;
use host_json::HostJson;
use settings::Settings;

/// A whole app, read and checked.
pub(crate) struct App {
    pub(crate) host: HostJson,
    pub(crate) functions: Vec<Function>,
}

impl App {
    pub(crate) fn read(app_root: &Path, settings: &Settings) -> Result<App, HostError> {
        let mut value = read_json(app_root, Path::new("host.json"))?;
        settings.override_host_json(&mut value);
        let host = HostJson::parse(&value, settings)?;
        let functions = read_functions(app_root, settings, &host)?;
        if functions.is_empty() {
            return Err(HostError::NoFunctions { app_root: app_root.to_owned() });
        }
        Ok(App { host, functions })
    }
}

fn read_functions(app_root: &Path, settings: &Settings, host: &HostJson) -> Result<Vec<Function>, HostError> {
    let mut functions = Vec::new();
    for name in function_folders(app_root)? {
        let file = Path::new(&name).join("function.json");
        let value = read_json(app_root, &file)?;
        functions.extend(Function::parse(&name, &file, &value, settings, host)?);
    }
    Ok(functions)
}

/// Names of the folders that hold a `function.json`, in alphabetical order.
fn function_folders(app_root: &Path) -> Result<Vec<String>, HostError> {
    let unreadable = |error: io::Error| unreadable_file(PathBuf::from("."), &error);
    let mut names = Vec::new();
    for entry in fs::read_dir(app_root).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.path().join("function.json").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn read_json(app_root: &Path, file: &Path) -> Result<Value, HostError> {
    let text = fs::read(app_root.join(file)).map_err(|error| unreadable_file(file.to_owned(), &error))?;
    // Some editors on Windows write a byte order mark; the real host skips it.
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
    serde_json::from_slice(text).map_err(|error| HostError::App {
        file: file.to_owned(),
        problem: format!("this is not JSON: {error}"),
    })
}

fn unreadable_file(file: PathBuf, error: &io::Error) -> HostError {
    let problem = if error.kind() == io::ErrorKind::NotFound {
        "the file does not exist".to_owned()
    } else {
        format!("the file cannot be read: {error}")
    };
    HostError::App { file, problem }
}

/// Reads the optional `local.settings.json`; the host uses only its `Host` section.
pub(crate) fn read_local_settings(app_root: &Path) -> Result<Option<Value>, HostError> {
    let file = Path::new("local.settings.json");
    if app_root.join(file).is_file() { read_json(app_root, file).map(Some) } else { Ok(None) }
}
