//! The proof of fieldcast by deterministic simulation: the real handler on one thread with paused time, in a simulated
//! world (hub, host, store, publisher, screens) in which everything goes wrong that a seed asks for. The same seed gives
//! the same run, step by step.
//!
//! Modules in reading order: what happens if nothing goes wrong, what goes wrong, the world's parts, one run, what must
//! be true of it, and how a failing plan is shortened.

mod dice;
pub mod plan;
pub mod workload;

mod host;
mod instance;
mod protection;
mod publisher;
mod screens;
mod store;
mod world;

mod checks;
mod explore;
mod run;
mod shrink;

pub use explore::{Counterexample, Explored, examine, explore};
pub use protection::Protection;
pub use run::{Outcome, Telling, run};
pub use shrink::shortest;
pub use world::{Tally, Violation};
