//! Rejected readings: why, how they are kept and for how long, and how people get to see them.

pub(crate) mod function;
pub mod reading;
pub mod retention;
pub mod rows;
