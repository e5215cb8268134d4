//! Drives real SignalR clients from tests: the unmodified npm client in Node, replicas of the convergence protocol on
//! it, and a page in headless Chromium.
//!
//! All run as scripts of `tests/clients` at the repository root, one process each, and end when their value is
//! dropped. When a program is missing, starting fails with an error that says how to get it.

mod browser;
mod crowd;
mod node;
mod script;

pub use browser::{Browser, Colors, PageEvent, User, find_chromium};
pub use crowd::NodeCrowd;
pub use node::{ClientEvent, ClientOptions, NodeClient};
pub use script::ClientError;
