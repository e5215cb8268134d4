//! The fieldcast function app: IoT Hub telemetry in, one exact state row per device, changes to every screen.
//!
//! Rooms in reading order: words that all share, the store, the host's door, what devices say, what is known of them, what
//! is rejected, who watches, the way of a batch, and how it is put together.

pub mod settings;

pub mod primitives;

pub mod store;

pub mod host;

pub mod telemetry;

pub mod devices;

pub mod rejected;

pub mod screens;

pub mod ingestion;

pub mod app;

pub mod https;
pub mod logging;
