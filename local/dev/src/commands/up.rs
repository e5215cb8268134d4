//! `cargo dev up`: runs everything on one machine, until Ctrl-C.

mod banner;
mod log;
mod stack;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use self::stack::{Stack, Storage};
use crate::{
    lock::DataLock,
    npm,
    ports::{self, Wanted},
    settings,
    signals::Signals,
    stage,
    toolchain::{self, Profile},
    workspace::Workspace,
};

/// The ports of the Functions host, the SignalR service and the hub, each with the flag that changes it.
pub(crate) const DEFAULT_PORTS: [(u16, &str); 3] =
    [(7071, "--port"), (8888, "--signalr-port"), (7072, "--hub-port")];

#[derive(Args)]
pub(crate) struct Up {
    /// How many simulated devices send readings
    #[arg(long, default_value_t = 20, value_name = "DEVICES")]
    fleet: u16,
    /// Port of the Functions host and the dashboard; 0 takes any free one
    #[arg(long, default_value_t = DEFAULT_PORTS[0].0)]
    port: u16,
    /// Port of the SignalR service; 0 takes any free one
    #[arg(long, default_value_t = DEFAULT_PORTS[1].0, value_name = "PORT")]
    signalr_port: u16,
    /// Port of the IoT hub; 0 takes any free one
    #[arg(long, default_value_t = DEFAULT_PORTS[2].0, value_name = "PORT")]
    hub_port: u16,
    /// Where the device states are kept
    #[arg(long, value_enum, default_value_t = StorageKind::Embedded, value_name = "KIND")]
    storage: StorageKind,
    /// The folder that keeps everything between runs [default: .fieldcast in the checkout]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Build the handler with optimisations
    #[arg(long, conflicts_with = "handler")]
    release: bool,
    /// Start this program instead of building the handler
    #[arg(long, value_name = "PROGRAM")]
    handler: Option<PathBuf>,
    /// The folder with host.json and the functions [default: the checkout]
    #[arg(long, value_name = "FOLDER")]
    app: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum StorageKind {
    /// The handler's built-in store
    Embedded,
    /// A real Azurite, from npm
    Azurite,
}

pub(crate) async fn run(options: Up, workspace: &Workspace, signals: &mut Signals) -> Result<ExitCode> {
    let mut stack = tokio::select! {
        started = start(&options, workspace) => started?,
        code = signals.next() => return Ok(code),
    };
    banner::print(&stack, workspace);
    let gave_up = tokio::select! {
        _ = signals.next() => false,
        () = stack.gave_up() => true,
    };
    tokio::select! {
        () = stack.stop() => {}
        // A second Ctrl-C stops at once.
        code = signals.next() => return Ok(code),
    }
    if gave_up {
        bail!("the handler ended too often and the host has given up: its last words are above");
    }
    Ok(ExitCode::SUCCESS)
}

/// First checks everything that can be checked without a build.
async fn start(options: &Up, workspace: &Workspace) -> Result<Stack> {
    let app = options.app.as_deref().unwrap_or(&workspace.root);
    let settings = settings::overrides(app)?;
    let mut files = stage::app_files(app)?;
    ports::require_free(&options.ports())?;
    let data = options.data.clone().unwrap_or_else(|| workspace.default_data());
    let lock = DataLock::take(&data)?;
    if let StorageKind::Azurite = options.storage {
        npm::require_node().await?;
        npm::install(&workspace.azurite()).await?;
    }
    let dashboard = npm::dashboard(workspace).await?;
    files.push(stage::program(&handler(options, workspace).await?));
    stage::lay_out(&files, &data.join("app"))?;
    Stack::start(stack::StackOptions {
        data: std::path::absolute(data)?,
        lock,
        dashboard,
        settings,
        storage: match options.storage {
            StorageKind::Embedded => Storage::Embedded,
            StorageKind::Azurite => Storage::Azurite,
        },
        fleet: options.fleet,
        port: options.port,
        signalr_port: options.signalr_port,
        hub_port: options.hub_port,
    })
    .await
}

async fn handler(options: &Up, workspace: &Workspace) -> Result<PathBuf> {
    match &options.handler {
        Some(program) if program.is_file() => Ok(program.clone()),
        Some(program) => bail!("there is no program at {}", program.display()),
        None if options.release => toolchain::handler(workspace, Profile::Release).await,
        None => toolchain::handler(workspace, Profile::Debug).await,
    }
}

impl Up {
    fn ports(&self) -> [Wanted; 3] {
        let [(_, host), (_, signalr), (_, hub)] = DEFAULT_PORTS;
        [
            Wanted { port: self.port, flag: host },
            Wanted { port: self.signalr_port, flag: signalr },
            Wanted { port: self.hub_port, flag: hub },
        ]
    }
}
