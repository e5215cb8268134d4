//! Words that every room shares: ids, times, and what is written the same way everywhere. Pure.

pub mod ids;
pub mod instant;
pub(crate) mod sealed;
pub(crate) mod span;
pub(crate) mod stable_hash;
