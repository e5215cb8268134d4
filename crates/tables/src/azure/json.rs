//! Entities as the service's JSON.

mod read;
mod write;

pub(super) use read::Row;
pub(super) use write::write_entity;
