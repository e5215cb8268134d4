//! The fieldcast function app: IoT Hub telemetry in, one exact state row per device, changes to every screen.
//!
//! Rooms in reading order: `primitives`, `store`, `host`, `telemetry`, `devices`, `rejected`, `screens`, `ingestion`, `app`.

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
