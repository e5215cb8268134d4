//! The host's door: what the Functions host sends, and what it is answered.

pub(crate) mod answer;
pub(crate) mod collect;
pub mod envelope;
