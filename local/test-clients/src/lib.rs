//! Drives real SignalR clients from tests: the unmodified npm client in Node, replicas of the convergence protocol on it, and a
//! page in headless Chromium.
//!
//! Both run as scripts of `tests/clients` at the repository root, one process each, and end with the value
//! that drives them. Nothing is skipped when a program is missing: starting fails with what to do about it.

mod browser;
mod crowd;
mod node;
mod script;

pub use browser::{Browser, Colors, PageEvent, User, find_chromium};
pub use crowd::NodeCrowd;
pub use node::{ClientEvent, ClientOptions, NodeClient};
pub use script::ClientError;
