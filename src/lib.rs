//! The fieldcast function app: IoT Hub telemetry in, one exact state row per device, changes to every screen.
//!
//! Modules in reading order: what comes in, what is made of it (pure), where it is kept and announced (two seams), how
//! it is put together.

pub mod settings;

pub mod envelope;
pub mod ids;
pub mod instant;
mod span;

pub mod calibration;
pub mod catalogue;
pub mod fold;
pub mod refusal;
pub mod state;
pub mod telemetry;
pub mod verdicts;

mod backoff;
mod row;
pub mod shard;
mod stable_hash;
pub mod store;

pub mod groups;
pub mod publish;

pub mod app;
pub mod ingest;

pub mod https;
pub mod logging;
