//! Rejected readings: why, how they are kept, and how people get to see them.

pub(crate) mod function;
pub mod reading;
pub mod rows;
