//! The host's door: what the Functions host sends, and what it is answered.

pub(crate) mod call;

pub(crate) mod answer;

pub(crate) mod functions;

pub(crate) mod door;

pub mod callers;
pub(crate) mod collect;
pub(crate) mod compression;
pub(crate) mod connections;
pub mod envelope;
pub(crate) mod gate;
pub mod host_json;
pub(crate) mod routes;
