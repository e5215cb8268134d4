//! How the handler is started: program, arguments, folder, environment and port.

use std::{
    io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use super::{port::ReservedPort, process::Process};
use crate::{
    HostError,
    app::{host_json::Description, settings::Settings},
    guid::Guid,
    log::LogSink,
};

/// The resolved command of the handler. The port is chosen once, so that a restarted handler gets the same one.
pub(crate) struct Launch {
    executable: PathBuf,
    arguments: Vec<String>,
    folder: PathBuf,
    environment: Vec<(String, String)>,
    port: ReservedPort,
}

impl Launch {
    pub(crate) fn prepare(
        app_root: &Path,
        description: &Description,
        settings: &Settings,
    ) -> Result<Launch, HostError> {
        let app_root = std::path::absolute(app_root).unwrap_or_else(|_| app_root.to_owned());
        let below = |folder: &Option<String>| {
            folder.as_ref().map_or(app_root.clone(), |folder| app_root.join(folder))
        };
        let worker_directory = below(&description.worker_directory);
        let port = ReservedPort::find()
            .map_err(|source| HostError::Listen { address: (Ipv4Addr::LOCALHOST, 0).into(), source })?;
        let mut arguments = description.arguments.clone();
        arguments.extend(
            description
                .worker_path
                .as_ref()
                .map(|path| if_present(&worker_directory, path).to_string_lossy().into_owned()),
        );
        arguments.extend(description.worker_arguments.iter().cloned());
        Ok(Launch {
            executable: if_present(&worker_directory, &description.executable),
            arguments,
            folder: below(&description.working_directory),
            environment: environment(&app_root, settings, port.number()),
            port,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    pub(crate) fn start(&self, log: &LogSink) -> Result<Process, HostError> {
        let mut command = Command::new(&self.executable);
        command.args(&self.arguments).current_dir(&self.folder);
        // The handler inherits the environment of this process; these variables are added.
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Process::spawn(command, log).map_err(|error| HostError::Launch {
            executable: self.executable.display().to_string(),
            problem: self.explain(&error),
        })
    }

    fn explain(&self, error: &io::Error) -> String {
        if !self.folder.is_dir() {
            return format!("its working directory {} does not exist", self.folder.display());
        }
        let is_path = self.executable.components().count() > 1;
        match error.kind() {
            io::ErrorKind::NotFound if self.executable.is_file() => {
                "the program that its first line names as interpreter does not exist".to_owned()
            }
            io::ErrorKind::NotFound if is_path => "the file does not exist".to_owned(),
            io::ErrorKind::NotFound => {
                "it is neither a file in the app root nor a command on PATH".to_owned()
            }
            io::ErrorKind::PermissionDenied => "it is not executable (chmod +x)".to_owned(),
            _ => error.to_string(),
        }
    }
}

/// A relative path is resolved in `folder` only if a file exists there; otherwise it is a command on PATH.
fn if_present(folder: &Path, path: &str) -> PathBuf {
    let joined = folder.join(path);
    if joined.is_file() { joined } else { PathBuf::from(path) }
}

/// The settings, then the variables of azure-functions-host `HttpWorkerConstants`.
fn environment(app_root: &Path, settings: &Settings, port: u16) -> Vec<(String, String)> {
    let worker = Guid::random().to_string();
    let own = [
        ("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string()),
        ("FUNCTIONS_HTTPWORKER_PORT", port.to_string()),
        ("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", worker.clone()),
        ("FUNCTIONS_HTTPWORKER_ID", worker),
        ("FUNCTIONS_APP_ROOT_PATH", app_root.to_string_lossy().into_owned()),
    ];
    let settings = settings.iter().map(|(name, value)| (name.clone(), value.clone()));
    settings.chain(own.map(|(name, value)| (name.to_owned(), value))).collect()
}
