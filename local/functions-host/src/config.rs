//! The configuration of a host: where the app is, where to listen, and what to keep.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use crate::LogSink;

/// Everything a [`Host`](crate::Host) is started with. Settings never come from the environment.
#[derive(Clone)]
pub struct HostConfig {
    /// Folder with `host.json` and one folder per function.
    pub app_root: PathBuf,
    /// Where HTTP is served; port 0 picks a free one.
    pub listen: SocketAddr,
    /// App settings. The handler gets them as environment variables on top of this process's own environment.
    /// They resolve `%NAME%` and `connection`, and `AzureFunctionsJobHost__a__b` overrides `a.b` of
    /// `host.json`.
    pub settings: BTreeMap<String, String>,
    /// Local addition: a folder of static files, which are served where no function route matches; `index.html`
    /// answers `/`.
    pub static_dir: Option<PathBuf>,
    /// Where Event Hub checkpoints are kept; `None` keeps them in memory.
    pub data_dir: Option<PathBuf>,
    /// Keys that are accepted for functions of `authLevel` `function` (`x-functions-key` header or `code` in the
    /// query). Without any, every such call is answered with 401. No key is accepted for `admin`: this host has no
    /// master key.
    pub keys: Vec<String>,
    /// Where the log lines of the host and of the handler go.
    pub log: LogSink,
}
