//! The proof of fieldcast by deterministic simulation: the real handler and the page's own code in lock step, with paused time, in a simulated
//! world (hub, host, store, SignalR Service, networks) in which everything goes wrong that a seed asks for. The same seed gives
//! the same run, step by step.
//!
//! Modules in reading order: what happens if nothing goes wrong, what goes wrong, what is noted, the world's parts, one
//! run, what must be true of it, and how a failing plan is shortened.

mod dice;
pub mod scenario;
pub mod workload;

pub mod plan;
mod protection;

mod record;

mod faults;
mod tables;
mod world;

mod store;
mod weakened;

mod signalr;

mod browser;
mod screens;

mod host;
mod instance;

mod checks;
mod run;

mod explore;
mod shrink;

pub use browser::{Browser, BrowserError, ENGINE};
pub use explore::{Counterexample, Explored, examine, explore};
pub use protection::Protection;
pub use record::{Tally, Violation};
pub use run::{Outcome, Telling, run};
pub use shrink::shortest;
