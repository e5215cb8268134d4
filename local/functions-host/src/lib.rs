//! A stand-in for the Azure Functions host: it runs a custom handler on a laptop, with the wire contract of the real
//! host.
//!
//! [`Host::start`] reads `host.json` and every `function.json` of an app, starts the handler process, delivers Event
//! Hub batches to it and forwards HTTP calls. It shares no code with the handler, so that both cannot have the same
//! mistake. It covers `eventHubTrigger` and `httpTrigger` with an `http` output; with any other binding the host does
//! not start, and the error names the file.
//!
//! The Event Hub side reads from the local IoT Hub stand-in over plain HTTP on loopback; AMQP is not emulated.
//! [`Faults`] makes rare failures of the real service (duplicates, lost replies, a kill in the middle of a batch)
//! happen when a test asks for them.

mod config;
mod host;

mod error;
mod failure;
mod faults;
mod guid;
mod log;
mod status;

mod app;
mod envelope;
mod events;
mod handler;
mod http;
mod invoke;
mod timers;
mod wire;

pub use config::HostConfig;
pub use error::HostError;
pub use faults::{Faults, KillMoment, Tick};
pub use host::Host;
pub use log::LogSink;
pub use status::{HostStatus, PartitionStatus, TimerStatus};
