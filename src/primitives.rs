//! Words that every room shares: ids, times, and what is written the same way everywhere. Pure.

pub mod area;
pub mod chain;
pub mod ids;
pub mod instant;
pub mod jitter;
pub(crate) mod json;
pub(crate) mod opaque;
pub(crate) mod span;
pub(crate) mod stable_hash;
