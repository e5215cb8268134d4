//! A stand-in for the Azure Functions host: it runs a custom handler on a laptop by the wire contract of the
//! real one.
//!
//! [`Host::start`] reads `host.json` and every `function.json` of an app, starts the handler process,
//! delivers Event Hub batches to it and forwards HTTP calls. It shares no code with the handler, so a mistake
//! on one side is not repeated on the other. It covers `eventHubTrigger` and `httpTrigger` with an `http`
//! output; anything else stops the start with an error that names the file.
//!
//! The Event Hub side reads from the local IoT Hub stand-in over plain HTTP on loopback; AMQP is not
//! emulated. [`Faults`] makes the rare moments of the real service (duplicates, lost replies, a kill in
//! mid-batch) happen when a test asks for them.

mod config;
mod host;

mod error;
mod faults;
mod log;
mod status;

mod app;
mod envelope;
mod events;
mod handler;
mod http;
mod invoke;
mod wire;

pub use config::HostConfig;
pub use error::HostError;
pub use faults::{Faults, KillMoment};
pub use host::Host;
pub use log::LogSink;
pub use status::{HostStatus, PartitionStatus};
